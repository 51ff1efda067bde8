"""A span of time folded from points: counts, and the wait of each slot of hours."""

from collections.abc import Iterator
from typing import Any

import pytest

from probe.drift.fingerprint import Fingerprint
from probe.drift.series import Point
from probe.record import Outcome
from probe.report.period import Period, fold

HOUR = 3600 * 10**9
DAY = 24 * HOUR
# A midnight.
SINCE = 20_000 * DAY


def point(at: int, ms: float | None = 500, outcome: Outcome = "ok", **changes: Any) -> Point:
    return Point(f"run-{at}", at, outcome, Fingerprint("", "", ""), (ms, None, None, None), **changes)


def folded(*points: Point, days: float = 1) -> Period:
    return fold(points, SINCE, SINCE + round(days * DAY))


def test_the_share_within_the_objective_is_that_of_the_attempts() -> None:
    outcomes: list[Outcome] = ["ok", "ok", "slow", "failed", "skipped", "suspect"]
    found = folded(*(point(SINCE + number, outcome=each) for number, each in enumerate(outcomes)))
    assert found.within == 0.5
    assert found.outcomes == {"ok": 2, "slow": 1, "failed": 1, "skipped": 1, "suspect": 1}
    assert folded(point(SINCE, outcome="skipped")).within is None


def test_the_wait_is_that_of_warm_runs_that_can_be_trusted() -> None:
    found = folded(
        point(SINCE, 100), point(SINCE + 1, 300, "slow"), point(SINCE + 2, 9000, cold=True),
        point(SINCE + 3, 9000, "suspect"), point(SINCE + 4, 9000, "failed"), point(SINCE + 5, None),
    )  # fmt: skip
    assert (found.wait(0.5), found.wait(1.0), found.cold) == (200, 300, 1)
    assert folded().wait(0.5) is None


def test_slots_are_hours_of_the_clock_and_more_of_them_where_the_time_is_long() -> None:
    found = folded(point(SINCE + HOUR - 1, 100), point(SINCE + HOUR, 300), point(SINCE + 3 * HOUR, 400))
    assert (found.hours, [(slot.since - SINCE) // HOUR for slot in found.slots.values()]) == (1, [0, 1, 3])
    assert [folded(days=days).hours for days in (10, 11, 30, 90, 2000)] == [1, 2, 3, 12, 168 * 4]


def test_what_is_outside_of_the_time_is_left_out() -> None:
    found = folded(point(SINCE - 1), point(SINCE), point(SINCE + DAY), point(SINCE + DAY + 1))
    assert sum(found.outcomes.values()) == 2


def test_the_worst_hours_have_the_largest_share_outside_the_objective() -> None:
    def hour(number: int, ok: int, slow: int) -> Iterator[Point]:
        yield from (point(SINCE + number * HOUR + each) for each in range(ok))
        yield from (point(SINCE + number * HOUR + 100 + each, 2000, "slow") for each in range(slow))

    found = folded(*hour(0, 9, 1), *hour(1, 1, 1), *hour(2, 5, 0), *hour(3, 2, 2), *hour(4, 9, 1))
    assert [(slot.since - SINCE) // HOUR for slot in found.worst(3)] == [3, 1, 0]
    assert [slot.missed for slot in found.worst(9)] == [2, 1, 1, 1]


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_slot_without_a_wait_has_none(share: float) -> None:
    (slot,) = folded(point(SINCE, outcome="failed")).slots.values()
    assert slot.wait(share) is None and slot.attempts == slot.missed == 1
