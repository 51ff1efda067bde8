"""When a schedule is due: an interval or a cron expression, and a phase."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from apscheduler.triggers.base import BaseTrigger
from cronsim import CronSim


@dataclass(frozen=True, slots=True)
class Timing:
    """Every so many seconds, counted from the daemon's start, or by cron in UTC; `phase_s` later in both cases."""

    every_s: float
    phase_s: float = 0.0
    cron: str | None = None


@dataclass(frozen=True, slots=True)
class Every:
    """Multiples of an interval after `anchor`. The first comes at least half an interval after `quiet_from`."""

    interval: timedelta
    anchor: datetime
    quiet_from: datetime

    def after(self, moment: datetime) -> datetime:
        """The first one later than `moment`. Exact: timedelta counts whole microseconds."""
        moment = max(moment, self.quiet_from + self.interval / 2)
        return self.anchor + ((moment - self.anchor) // self.interval + 1) * self.interval

    def stepped(self, step: timedelta) -> Self:
        """The same moments, on a wall clock that has been set."""
        return replace(self, anchor=self.anchor + step, quiet_from=self.quiet_from + step)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression, each time `phase` later."""

    expression: str
    phase: timedelta

    def after(self, moment: datetime) -> datetime:
        return next(CronSim(self.expression, moment - self.phase)) + self.phase

    def stepped(self, _step: timedelta) -> Self:
        return self


def moments(timing: Timing, start: datetime, now: datetime) -> Every | Cron:
    """When a schedule that is added `now`, with a run at once, is due after that run."""
    phase = timedelta(seconds=timing.phase_s)
    if timing.cron is not None:
        return Cron(timing.cron, phase)
    return Every(timedelta(seconds=timing.every_s), start + phase, now)


class Trigger(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """A trigger of APScheduler that asks `due`."""

    def __init__(self, due: Every | Cron) -> None:
        self.due = due

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        return self.due.after(previous or now)
