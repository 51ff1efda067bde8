"""Cron means cron: weekdays by hand, and moments beside another implementation."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from probe.daemon.timing import Timing, moments

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
SUNDAY = datetime(2026, 11, 29, tzinfo=UTC)


def due(cron: str, count: int, phase_s: float = 0.0, start: datetime = SUNDAY) -> list[datetime]:
    """The first moments after a start."""
    when = moments(Timing(60.0, phase_s, cron), start, start)
    found = [when.after(start)]
    while len(found) < count:
        found.append(when.after(found[-1]))
    return found


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 9 * * 0-4", "Sun Mon Tue Wed Thu Sun"),
        ("0 9 * * SUN-THU", "Sun Mon Tue Wed Thu Sun"),
        ("0 9 * * 1-5", "Mon Tue Wed Thu Fri Mon"),
        ("0 9 * * 5-7", "Sun Fri Sat Sun Fri Sat"),
        ("0 9 * * 6,7", "Sun Sat Sun Sat Sun Sat"),
        ("0 9 * * */2", "Sun Tue Thu Sat Sun Tue"),
        ("0 9 * * 1-5/2", "Mon Wed Fri Mon Wed Fri"),
        ("0 9 * * 0", "Sun Sun Sun Sun Sun Sun"),
        ("0 9 * * 7", "Sun Sun Sun Sun Sun Sun"),
    ],
)
def test_weekdays_are_those_of_cron(cron: str, days: str) -> None:
    assert " ".join(f"{each:%a}" for each in due(cron, 6)) == days


def test_a_moment_is_later_than_the_one_asked_about_also_with_a_phase() -> None:
    assert due("*/5 * * * *", 2, phase_s=3) == [SUNDAY + timedelta(seconds=3), SUNDAY + timedelta(seconds=303)]
    assert due("*/5 * * * *", 1) == [SUNDAY + timedelta(minutes=5)]


@st.composite
def _field(draw: st.DrawFn, low: int, high: int) -> str:
    first = draw(st.integers(low, high - 1))
    last = draw(st.integers(first + 1, high))
    step = draw(st.integers(1, last - first))
    many = draw(st.lists(st.integers(low, high), min_size=2, max_size=3, unique=True))
    written = ("*", f"{first}", f"{first}-{last}", f"*/{step}", f"{first}-{last}/{step}", ",".join(map(str, many)))
    return draw(st.sampled_from(written))


@given(_field(0, 59), _field(0, 23), _field(1, 28), _field(1, 12), st.sets(st.integers(0, 6), min_size=1))
def test_moments_as_another_implementation_has_them(
    minute: str, hour: str, day: str, month: str, weekdays: set[int]
) -> None:
    """APScheduler's own counts weekdays from Monday, so they are named to it; with both kinds of day it means "and"."""
    names = ",".join(WEEKDAYS[each] for each in weekdays)
    for ours, theirs in (
        (f"{minute} {hour} {day} {month} *", f"{minute} {hour} {day} {month} *"),
        (f"{minute} {hour} * {month} {','.join(map(str, weekdays))}", f"{minute} {hour} * {month} {names}"),
    ):
        trigger = CronTrigger.from_crontab(theirs, timezone=UTC)
        for moment in due(ours, 12):
            expected = trigger.get_next_fire_time(None, moment - timedelta(minutes=1) + timedelta(microseconds=1))
            assert moment == expected
        first, last = due(ours, 12)[0], due(ours, 12)[-1]
        assert _count(trigger, first, last) == 12


def _count(trigger: Any, first: datetime, last: datetime) -> int:
    """How many moments the other implementation has from one to another, both included."""
    count, moment = 0, trigger.get_next_fire_time(None, first)
    while moment <= last:
        count, moment = count + 1, trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))
    return count
