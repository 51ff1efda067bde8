"""A ring holds what a deque with a maximum length holds, in less memory."""

from collections import deque
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from probe.drift.ring import Ring

SIZE = 7
FIGURES = st.floats(allow_nan=False, allow_infinity=False)


class Run(NamedTuple):
    number: int
    at: float
    value: float
    residual: float
    counts: bool


RUNS = st.lists(st.builds(Run, st.integers(1, 9), FIGURES, FIGURES, FIGURES, st.booleans()), max_size=4 * SIZE)


def filled(runs: list[Run]) -> tuple[Ring, deque[Run]]:
    """Numbers rise by what each run's is."""
    ring, known = Ring(SIZE), deque[Run](maxlen=SIZE)
    number = 0
    for run in runs:
        number += run.number
        known.append(run._replace(number=number))
        ring.append(*known[-1])
    return ring, known


def held(ring: Ring, first: int = 0) -> list[Run]:
    columns = (each(first) for each in (ring.numbers, ring.ats, ring.values, ring.residuals, ring.counts))
    return [Run(*each) for each in zip(*columns, strict=True)]


@given(RUNS, st.integers(0, SIZE))
def test_it_holds_what_a_deque_holds(runs: list[Run], first: int) -> None:
    ring, known = filled(runs)
    first = min(first, len(known))
    assert len(ring) == len(known)
    assert held(ring) == list(known)
    assert held(ring, first) == list(known)[first:]
    ring.clear()
    assert (len(ring), held(ring)) == (0, [])


@given(RUNS, st.integers(0, 300))
def test_the_first_run_from_a_number_on_is_found(runs: list[Run], number: int) -> None:
    ring, known = filled(runs)
    assert held(ring, ring.first(number)) == [each for each in known if each.number >= number]


@given(RUNS, st.integers(0, SIZE), FIGURES)
def test_the_last_runs_are_changed_and_no_other(runs: list[Run], first: int, by: float) -> None:
    ring, known = filled(runs)
    first = min(first, len(known))
    ring.put_residuals([each.residual + by for each in [*known][first:]], first)
    ring.count(first)
    changed = [each._replace(residual=each.residual + by, counts=True) for each in [*known][first:]]
    assert held(ring) == [*known][:first] + changed


def test_it_goes_on_after_it_was_cleared_when_full() -> None:
    ring, _ = filled([Run(1, 0.0, 0.0, 0.0, counts=True)] * (SIZE + 3))
    ring.clear()
    ring.append(99, 1.0, 2.0, 3.0, counts=False)
    assert held(ring) == [Run(99, 1.0, 2.0, 3.0, counts=False)]
