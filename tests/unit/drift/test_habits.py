"""What comes and goes is reported once or twice, and again where it is more than it was."""

import pytest

from probe.drift.habits import Habits
from probe.timestamps import NS_PER_DAY

HOUR = NS_PER_DAY // 24
# Of 9 %, found after ten runs, for six hours.
LASTED = 6 * HOUR


def habits(*since: float) -> Habits:
    """Such changes, at these times (days)."""
    known = Habits()
    for day in since:
        began = round(day * NS_PER_DAY)
        known.add(began, began + LASTED, 10, {"tts_ttfb": [0.09, 0.0]})
    return known


def usual_h(known: Habits, at: float, *, away: float = 0.09, runs: int = 10, stage: str = "tts_ttfb") -> float:
    return known.usual_ns(round(at * NS_PER_DAY), runs, stage, "slower", away) / HOUR


@pytest.mark.parametrize(
    ("before", "at", "hours"),
    [
        ((), 5.0, 0),
        ((3.1,), 5.5, 0),
        ((3.1, 4.3), 5.5, 12),
        ((3.1,), 5.12, 12),
        ((3.1,), 5.02, 12),
        ((3.1, 4.3), 40.6, 0),
        ((2.1, 3.1, 4.12), 5.6, 0),
    ],
    ids=["none", "once", "twice", "at the same time", "around that time", "long ago", "at another time"],
)
def test_what_happened_twice_or_at_the_same_time_is_usual(before: tuple[float, ...], at: float, hours: float) -> None:
    assert usual_h(habits(*before), at) == hours


def test_what_is_larger_or_quicker_or_of_another_stage_is_news() -> None:
    known = habits(3.1, 4.3)
    assert usual_h(known, 5.5, away=0.2) == 0
    assert usual_h(known, 5.5, runs=4) == 0
    assert usual_h(known, 5.5, stage="llm_ttft") == 0
    assert known.usual_ns(round(5.5 * NS_PER_DAY), 10, "tts_ttfb", "faster", 0.09) == 0


def test_one_that_took_long_to_show_is_of_a_kind_with_another_of_either_direction() -> None:
    known = Habits()
    known.add(0, LASTED, 200, {"tts_ttfb": [0.05, 0.0]})
    at = round(2.5 * NS_PER_DAY)
    assert known.usual_ns(at, 100, "tts_ttfb", "faster", 0.04) == 2 * LASTED
    assert known.usual_ns(at, 20, "tts_ttfb", "faster", 0.04) == 0
