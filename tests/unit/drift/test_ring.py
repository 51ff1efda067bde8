"""A ring is a deque with a maximum length, in less memory."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.drift.ring import Ring, Seen

SIZE = 7
FIGURES = st.floats(allow_nan=False)
RUNS = st.builds(Seen, st.integers(0, 2**40), FIGURES, FIGURES, FIGURES, st.booleans())


@given(runs=st.lists(RUNS, max_size=4 * SIZE), changed=st.lists(st.tuples(st.integers(0, SIZE - 1), RUNS)))
def test_it_holds_what_a_deque_holds(runs: list[Seen], changed: list[tuple[int, Seen]]) -> None:
    ring, known = Ring(SIZE), deque[Seen](maxlen=SIZE)
    for run in runs:
        ring.append(run)
        known.append(run)
    for index, run in changed:
        if index < len(known):
            ring[index] = known[index] = run
    assert len(ring) == len(known)
    assert list(ring) == list(known)
    assert list(reversed(ring)) == list(reversed(known))
    assert [ring[-index] for index in range(1, len(ring) + 1)] == list(reversed(known))
    ring.clear()
    assert (len(ring), list(ring)) == (0, [])


def test_it_goes_on_after_it_was_cleared_when_full() -> None:
    ring = Ring(2)
    for number in range(5):
        ring.append(Seen(number, 0.0, 0.0, 0.0, counts=True))
    ring.clear()
    ring.append(Seen(9, 1.0, 2.0, 3.0, counts=False))
    assert list(ring) == [Seen(9, 1.0, 2.0, 3.0, counts=False)]


def test_there_is_nothing_beyond_its_ends() -> None:
    ring = Ring(3)
    ring.append(Seen(1, 0.0, 0.0, 0.0, counts=True))
    for index in (1, -2):
        with pytest.raises(IndexError):
            ring[index]
