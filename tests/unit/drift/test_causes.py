"""What moved at the same time as a latency: what fits is named, what does not is not, and no cause is claimed."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from series import noisy, step, watched

from probe.drift import Shift
from probe.drift.beside import Beside, around, beside, names
from probe.drift.beside_wording import clause, plain
from probe.drift.causes import Cause, Expected, causes
from probe.drift.circumstances import Circumstances
from probe.drift.events import Event
from probe.drift.fingerprint import Fingerprint
from probe.machine.state import GpuProcess, GpuState, HostState, MachineState

BEFORE, AFTER = 400, 60


def latencies(rng: random.Random, added: float = 0.2) -> tuple[list[float], list[float]]:
    return (
        [6 + rng.gauss(0, 0.05) for _ in range(BEFORE)],
        [6 + added + rng.gauss(0, 0.05) for _ in range(AFTER)],
    )


def named(xs: Sequence[float | None], expected: Expected | None = None, added: float = 0.2) -> list[Cause]:
    before, after = latencies(random.Random(1), added)
    figures = {"figure": (xs[:BEFORE], xs[BEFORE:])}
    return causes(before, after, figures, {} if expected is None else {"figure": expected})


def stepping(low: float, high: float) -> list[float]:
    return [low] * BEFORE + [high] * AFTER


def test_a_figure_that_moved_with_it_is_named_with_where_it_came_from() -> None:
    (found,) = named(stepping(2.4, 0.8))
    assert (found.name, found.before, found.after) == ("figure", 2.4, 0.8)


def test_one_that_is_read_with_noise_is_named_too() -> None:
    rng = random.Random(2)
    assert named([x + rng.gauss(0, 0.3) for x in stepping(2.4, 0.8)])


def test_runs_of_which_it_is_not_known_are_left_out() -> None:
    assert named([None if place % 3 else x for place, x in enumerate(stepping(2.4, 0.8))])
    assert named([None] * (BEFORE + AFTER)) == []
    assert named([None] * BEFORE + [0.8] * AFTER) == []


@pytest.mark.parametrize(
    "xs",
    [
        [1.0] * (BEFORE + AFTER),
        [random.Random(place).gauss(0, 1) for place in range(BEFORE + AFTER)],
        # It moved as far before, and the latency did not.
        [float(place // 90 % 2) for place in range(BEFORE + AFTER)],
        # It moved long before, or later.
        [float(place >= BEFORE - 100) for place in range(BEFORE + AFTER)],
        [float(place >= BEFORE + 30) for place in range(BEFORE + AFTER)],
        # It grows all the time.
        [float(place) for place in range(BEFORE + AFTER)],
        [math.sin(place / 60) for place in range(BEFORE + AFTER)],
    ],
)
def test_a_figure_that_has_nothing_to_do_with_it_is_not_named(xs: Sequence[float]) -> None:
    assert named(xs) == []


def test_a_step_the_other_way_than_would_slow_is_no_fit() -> None:
    assert named(stepping(0.8, 2.4), Expected(slows=-1)) == []
    assert named(stepping(2.4, 0.8), Expected(slows=-1)) != []
    assert named(stepping(0.8, 2.4), Expected(slows=-1), added=-0.2) != []


def test_a_step_that_is_too_small_to_matter_is_not_named() -> None:
    assert named(stepping(60.0, 61.0), Expected(least=3.0)) == []


def test_a_latency_that_follows_run_by_run_is_named_though_the_figure_moves_as_far_at_other_times() -> None:
    rng = random.Random(3)
    xs = [rng.gauss(0, 1) + (place // 40 % 2) for place in range(BEFORE)]
    xs += [1.2 + rng.gauss(0, 1) for _ in range(AFTER)]
    ys = [6 + 0.1 * x + rng.gauss(0, 0.05) for x in xs]
    figures = {"load": (xs[:BEFORE], xs[BEFORE:])}
    assert [cause.name for cause in causes(ys[:BEFORE], ys[BEFORE:], figures)] == ["load"]


def test_one_that_the_latency_would_follow_and_does_not_is_left_out() -> None:
    """It varies as much within the stretches as at the change, in both directions and at random."""
    rng = random.Random(4)
    xs: list[float | None] = [rng.choice((0.0, 4.0)) for _ in range(BEFORE)]
    xs += [4.0 if rng.random() < 0.97 else 0.0 for _ in range(AFTER)]
    assert named(xs) == []


def test_what_happens_every_day_at_that_hour_is_not_named() -> None:
    xs = [80.0 if (place - BEFORE) % 144 < 20 else 5.0 for place in range(BEFORE + AFTER)]
    assert named(xs) == []


def test_a_figure_that_the_latency_went_with_before_is_named_again() -> None:
    """A clock that was capped yesterday, too: that it moved as far then is no evidence against it."""
    before, after = latencies(random.Random(7))
    low, high = 100, 160
    xs = [0.8 if low <= place < high or place >= BEFORE else 2.4 for place in range(BEFORE + AFTER)]
    figures = {"clock": (xs[:BEFORE], xs[BEFORE:])}
    assert causes(before, after, figures) == []
    followed = [y + 0.2 * (low <= place < high) for place, y in enumerate(before)]
    (found,) = causes(followed, after, figures)
    assert (found.before, found.after) == (2.4, 0.8)


def test_a_constant_that_changed_some_runs_earlier_is_not_named() -> None:
    """Its median over some runs moves as if it had changed with the latency."""
    assert named([float(place >= BEFORE - 2) for place in range(BEFORE + AFTER)])
    for early in (-8, 8):
        assert named([float(place >= BEFORE + early) for place in range(BEFORE + AFTER)]) == []


def test_one_that_wanders_slowly_is_named_by_the_runs_next_to_the_change() -> None:
    rng, xs, now = random.Random(8), [], 0.0
    for place in range(BEFORE + AFTER):
        now = 0.98 * now + rng.gauss(0, 0.06)
        xs.append(now + (place >= BEFORE))
    assert named(xs)
    assert named([x - (place >= BEFORE) for place, x in enumerate(xs)]) == []


def test_a_state_that_is_seen_in_most_runs_since_is_named() -> None:
    rng = random.Random(9)
    xs = [float(rng.random() < (0.9 if place >= BEFORE else 0.01)) for place in range(BEFORE + AFTER)]
    assert named(xs)


def test_too_few_runs_say_nothing() -> None:
    assert causes([6.0] * 40, [6.2] * 40, {"figure": ([1.0] * 40, [2.0] * 40)}) == []
    assert causes([6.0] * 400, [6.2] * 4, {"figure": ([1.0] * 400, [2.0] * 4)}) == []


def test_at_most_three_are_named_the_surest_first() -> None:
    before, after = latencies(random.Random(5))
    rng = random.Random(6)
    figures = {}
    for number in range(5):
        xs = [rng.gauss(0, 0.01 * 3**number) + (place >= BEFORE) for place in range(BEFORE + AFTER)]
        figures[f"f{number}"] = (xs[:BEFORE], xs[BEFORE:])
    assert [cause.name for cause in causes(before, after, figures)] == ["f0", "f1", "f2"]


SERVING = Fingerprint("", "", "")
CHANGED = 500


def around_the_step() -> tuple[Shift, list[Circumstances]]:
    """A stage that is slower from one run on, on a machine whose GPU is capped and shared then."""
    points = [*noisy(CHANGED + 100, factors=step(CHANGED, 1.3))]
    _, found = watched(points)
    shift = next(each for each in found if isinstance(each, Shift))
    server, training = GpuProcess("server"), GpuProcess("training")
    free = GpuState(sm_mhz=2400, reasons=(), processes=(server,))
    capped = GpuState(sm_mhz=800, reasons=("power_cap",), processes=(server, training))
    known = [
        Circumstances(
            each.run_id, each.started, SERVING, MachineState(HostState(), (capped if number >= CHANGED else free,))
        )
        for number, each in enumerate(points)
    ]
    return shift, known


def test_what_changed_beside_a_shift_is_said_and_never_why() -> None:
    shift, known = around_the_step()
    points = [*noisy(CHANGED + 100, factors=step(CHANGED, 1.3))]
    found = beside(shift, points, {each.run_id: each for each in known})
    said = clause(found)
    assert said.startswith("; at the same time ")
    assert "the SM clock went from 2.4 to 0.8 GHz (power cap)" in said
    assert "because" not in said
    assert [each.kind for each in found.events] == ["clock_cap", "gpu_process"]
    assert names(found) == ("gpu_sm_ghz", "clock_cap", "gpu_process")
    assert plain(found)[0] == {
        "figure": "gpu_sm_ghz", "from": 2.4, "to": 0.8, "unit": "GHz", "score": 100.0,
        "what": "the SM clock went from 2.4 to 0.8 GHz (power cap)",
    }  # fmt: skip


def test_nothing_known_is_nothing_said() -> None:
    shift, _ = around_the_step()
    points = [*noisy(CHANGED + 100, factors=step(CHANGED, 1.3))]
    assert beside(shift, points, {}) == Beside()
    assert clause(Beside()) == ""
    assert plain(Beside()) == []


def test_runs_are_parted_where_the_latency_changed_though_it_was_dated_too_early() -> None:
    points = [*noisy(200, factors=step(120, 1.5))]
    shift, _ = around_the_step()
    before, after = around(replace(shift, since=points[95].started), points)
    assert (len(before), len(after)) == (120, 80)


def test_runs_after_a_change_that_is_over_are_on_no_side() -> None:
    points = [*noisy(200, factors=step(120, 1.5, until=150))]
    shift, _ = around_the_step()
    over = replace(shift, since=points[120].started, until=points[150].started)
    no_latency = [replace(points[130], outcome="failed"), replace(points[131], cold=True)]
    before, after = around(over, [*points[:130], *no_latency, *points[132:]])
    assert (len(before), len(after)) == (120, 28)


def test_an_unknown_figure_is_shown_by_its_name_and_events_follow() -> None:
    event = Event(1, "gpu_process", "new on the GPU: training", "r1")
    found = Beside((Cause("fan", 1234.5, 2000.0, 3.0),), (event,))
    assert clause(found) == "; at the same time fan went from 1.23e+03 to 2e+03 and new on the GPU: training"
