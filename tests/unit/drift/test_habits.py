"""What comes and goes is reported once or twice, and again where it is more than it was."""

from collections.abc import Mapping

import pytest

from probe.drift.habits import Habits
from probe.timestamps import NS_PER_DAY

HOUR = NS_PER_DAY // 24
LASTED = 30 * HOUR
# 9 % of one stage; all of them together.
ALONE = {"llm_ttft": 0.0, "llm_decode": 0.004, "tts_ttfb": 0.09}
TOGETHER = {"llm_ttft": 0.10, "llm_decode": 0.09, "tts_ttfb": 0.08}
UNSURE = dict.fromkeys(ALONE, 0.03)


def usual_h(
    since: tuple[float, ...], at: float, before: Mapping[str, float], now: Mapping[str, float], runs: int = 10
) -> float:
    """For how many hours a change is usual, after such ones at these times (days), of thirty hours each."""
    known = Habits()
    for began in (round(day * NS_PER_DAY) for day in since):
        known.add(began, began + LASTED, before)
    return known.usual_ns(round(at * NS_PER_DAY), runs, now, UNSURE) / HOUR


@pytest.mark.parametrize(
    ("before", "at", "hours"),
    [
        ((), 9.5, 0),
        ((3.1, 5.3), 9.5, 0),
        ((3.1, 5.3, 7.2, 8.3), 9.5, 0),
        ((3.1,), 5.12, 0),
        ((3.1, 4.11), 5.12, 60),
        ((3.1, 4.18), 5.12, 60),
        ((3.1, 4.3), 5.12, 0),
        ((3.1, 5.1, 7.1), 40.1, 0),
    ],
    ids=["none", "twice", "often", "once then", "at the same time", "around that time", "one of them", "long ago"],
)
def test_what_one_stage_did_at_the_same_time_of_day_is_usual_and_else_it_is_news_each_time(
    before: tuple[float, ...], at: float, hours: float
) -> None:
    assert usual_h(before, at, ALONE, ALONE) == hours


def test_one_stage_that_was_as_fast_before_is_no_news() -> None:
    faster = times(-1, ALONE)
    assert usual_h((3.1,), 5.5, faster, faster) == 60
    assert usual_h((3.1,), 5.5, ALONE, faster) == 0


def test_what_several_did_together_or_slowly_is_usual_after_one_time() -> None:
    assert usual_h((3.1,), 5.5, TOGETHER, TOGETHER) == 60
    assert usual_h((3.1,), 5.5, ALONE, ALONE, runs=60) == 60


def times(factor: float, moves: Mapping[str, float]) -> dict[str, float]:
    return {stage: factor * by for stage, by in moves.items()}


@pytest.mark.parametrize(("factor", "hours"), [(0.5, 60), (2.9, 60), (-1.0, 60), (3.1, 0), (-3.1, 0)])
def test_what_is_larger_is_news_and_what_goes_the_other_way_is_not(factor: float, hours: float) -> None:
    assert usual_h((3.1,), 5.5, TOGETHER, times(factor, TOGETHER)) == hours


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (TOGETHER, ALONE | {"tts_ttfb": 0.25}),
        (ALONE, {"llm_ttft": 0.0, "llm_decode": 0.2, "tts_ttfb": 0.0}),
        (ALONE, ALONE | {"llm_ttft": 0.12}),
        ({"tts_ttfb": 0.09}, {"llm_ttft": 0.0, "llm_decode": 0.2, "tts_ttfb": -0.02}),
        (dict.fromkeys(ALONE, 0.0), ALONE),
    ],
    ids=["one of them", "another", "one more", "one that was unknown", "nothing"],
)
def test_what_is_of_other_stages_is_news(before: Mapping[str, float], now: Mapping[str, float]) -> None:
    assert usual_h((3.5, 5.5, 7.5), 9.5, before, now) == 0


def test_what_was_short_is_usual_for_two_days() -> None:
    known = Habits()
    known.add(0, HOUR, TOGETHER)
    assert known.usual_ns(2 * NS_PER_DAY, 10, TOGETHER, UNSURE) == 2 * NS_PER_DAY
