"""Two samples of runs: medians, intervals that hold as often as they say, and what can be said of a difference."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from series import noisy, point, spoken, step

from probe.drift.comparison import Difference, Interval, blamed, compared, interval, moved, usable
from probe.drift.series import Point
from probe.measures import STAGES
from probe.waits import WAITS

LEAST = 0.03
# A run of which only the whole wait is known.
NO_STAGES = (None, None, None)
EMPTY = point(0, NO_STAGES)


def difference(low: float | None, high: float | None, a: float = 100, b: float = 110) -> Difference:
    return Difference("combined_ttfb", Interval(a, a, a), Interval(b, b, b), low, high)


def test_a_median_lies_between_figures_that_the_binomial_distribution_names() -> None:
    """Tables of the sign test: of 6 the first and the last, of 10 the second and the ninth, of 20 the sixth."""
    scattered = [7, 13, 2, 18, 9, 11, 4, 16, 1, 20, 10, 5, 15, 3, 17, 8, 12, 6, 19, 14]
    assert interval(scattered) == Interval(10.5, 6, 15)
    assert interval([3, 1, 6, 2, 5, 4]) == Interval(3.5, 1, 6)
    assert interval([3, 9, 1, 10, 6, 2, 8, 5, 7, 4]) == Interval(5.5, 2, 9)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_of_a_few_figures_there_is_no_interval(count: int) -> None:
    assert interval([1.0] * count) == Interval(1.0, None, None)


def test_figures_that_are_all_the_same_have_an_interval_without_a_width() -> None:
    assert interval([50.0] * 30) == Interval(50, 50, 50)


def test_neighbours_that_are_alike_count_as_fewer() -> None:
    rising = [float(number) for number in range(60)]
    in_turns = [value for pair in zip(rising[:30], rising[:29:-1], strict=True) for value in pair]
    assert sorted(in_turns) == rising
    assert interval(in_turns) == Interval(29.5, 21, 38)
    slowly = interval(rising)
    assert slowly.low is None or slowly.low < 15


def independent(rng: random.Random) -> Iterator[float]:
    while True:
        yield math.exp(rng.gauss(0, 0.3))


def dependent(rng: random.Random) -> Iterator[float]:
    level = rng.gauss(0, 1)
    while True:
        yield math.exp(0.3 * level)
        level = 0.5 * level + math.sqrt(0.75) * rng.gauss(0, 1)


def spiked(rng: random.Random) -> Iterator[float]:
    while True:
        yield rng.gauss(1, 0.02) + (5 * rng.random() if rng.random() < 0.1 else 0)


@pytest.mark.parametrize(
    ("kind", "runs", "least"),
    [(independent, 20, 0.95), (independent, 200, 0.93), (dependent, 100, 0.9), (spiked, 50, 0.95)],
)
def test_the_interval_holds_the_true_difference(
    kind: Callable[[random.Random], Iterator[float]], runs: int, least: float
) -> None:
    """Two samples of one source differ by nothing; 200 pairs, always the same ones."""
    rng = random.Random(20)
    held = 0
    for _ in range(200):
        sides = [
            [replace(EMPTY, stages_ms=(next(source), *NO_STAGES)) for _ in range(runs)]
            for source in (kind(rng), kind(rng))
        ]
        (found,) = compared(*sides)
        held += found.low is not None and found.high is not None and found.low <= 0 <= found.high
    assert held / 200 >= least


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (difference(5, 15), "slower"),
        (difference(-15, -5, b=90), "faster"),
        (difference(-2, 2.9, b=101), "same"),
        (difference(1, 2.5, b=102), "same"),
        (difference(-1, 15), "unknown"),
        # There is a difference, and it may be one that matters, or not.
        (difference(0.1, 5, b=102), "unknown"),
        (difference(None, None), "unknown"),
    ],
)
def test_what_can_be_said(found: Difference, state: str) -> None:
    assert found.state(LEAST) == state


def test_a_slower_stage_is_found_and_blamed() -> None:
    before, after = list(noisy(100)), list(noisy(100, seed=2, factors=step(0, 1.2)))
    whole, *stages = compared(before, after)
    assert whole.state(LEAST) == "slower"
    assert [each.stage for each in stages if each.certain] == ["tts_ttfb"]
    assert (blamed((whole, *stages)) or whole).stage == "tts_ttfb"
    assert blamed(()) is None
    assert blamed(compared(before, before)) is None


def test_only_latencies_of_a_warm_server_count() -> None:
    good = list(noisy(10))
    bad = [replace(good[0], outcome="failed"), replace(good[1], cold=True), replace(good[2], outcome="suspect")]
    assert usable([*good, *bad]) == good
    assert compared(good, bad) == ()


def test_a_stage_that_one_side_lacks_is_left_out() -> None:
    without = [point(number, (None, 220, 190)) for number in range(10)]
    assert [each.stage for each in compared(list(noisy(10)), without)] == ["llm_decode", "tts_ttfb"]


HEARS = [*spoken(40)]


def test_what_is_compared_begins_with_the_end_of_the_speech_where_all_hear() -> None:
    slower = [*spoken(40, 2, factors=lambda _number: (1.0, 1.6))]
    whole, *stages = compared(HEARS, slower)
    assert [whole.stage, *(each.stage for each in stages)] == [*WAITS["speech"]]
    assert whole.state(LEAST) == "slower"
    assert (blamed((whole, *stages)) or whole).stage == "transcription"
    assert [each.stage for each in moved((whole, *stages), LEAST)] == ["transcription"]


@pytest.mark.parametrize(
    ("other", "stages"),
    [
        ([*noisy(40)], STAGES),
        # An agent transcribes beside its answer, so nobody waits for that.
        ([*spoken(40, asked="agent_speech")], ("voice_to_voice", "endpointing", "tts_ttfb")),
        ([*noisy(1), *spoken(39)], STAGES),
    ],
    ids=["in text", "an agent", "both on one side"],
)
def test_targets_that_are_asked_in_different_ways_are_compared_in_what_they_share(
    other: list[Point], stages: tuple[str, ...]
) -> None:
    assert tuple(each.stage for each in compared(HEARS, other)) == stages
    assert tuple(each.stage for each in compared(other, HEARS)) == stages
