"""Which threshold a history would have needed: how many changes a detector reports that went again by themselves.

The history is taken as it was, day after day, since what alarms is often what whole days and weeks do. The threshold is
chosen on the first two thirds; what it would have reported in the last third says how far that can be relied on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from probe.drift.change import Shift
from probe.drift.monitor import Monitor
from probe.drift.series import Point
from probe.measures import TRUSTED
from probe.timestamps import NS_PER_DAY

LADDER = (7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0, 16.0, 20.0, 25.0, 32.0, 40.0)
FEWEST_DAYS = 9
_FEWEST_RUNS_PER_DAY = 20


class TooLittleError(Exception):
    """The history is too short; the message says so."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A threshold: false alarms in 30 days as the first two thirds have it, and how many the last third had."""

    threshold: float
    a_month: float
    held_out: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """The thresholds that were tried, the last of them the one to take, and the days in each part of the history."""

    rungs: Sequence[Rung]
    learnt_days: float
    held_out_days: float


def calibrate(points: Sequence[Point], budget_days: float, least_change: float) -> Calibration:
    """Thresholds up to the lowest that makes no more than one false alarm in `budget_days`. Raises TooLittleError."""
    trusted = sum(each.outcome in TRUSTED for each in points)
    days = (points[-1].started - points[0].started) / NS_PER_DAY if points else 0.0
    if days < FEWEST_DAYS or trusted < days * _FEWEST_RUNS_PER_DAY:
        raise TooLittleError(
            f"{trusted} runs in {days:.0f} days are too few: "
            f"{FEWEST_DAYS} days are needed, {_FEWEST_RUNS_PER_DAY} runs per day"
        )
    # Whole days: what a day has at its end is in neither part alone.
    learnt = round(days * 2 / 3)
    first = points[0].started
    rungs = []
    for threshold in LADDER:
        alarms = [(each.found - first) / NS_PER_DAY for each in _false_alarms(points, threshold, least_change)]
        # On the first day everything is new.
        in_time = sum(1 <= at < learnt for at in alarms)
        rungs.append(Rung(threshold, in_time * 30 / (learnt - 1), sum(at >= learnt for at in alarms)))
        if rungs[-1].a_month <= 30 / budget_days:
            break
    return Calibration(rungs, learnt, days - learnt)


def _false_alarms(points: Sequence[Point], threshold: float, least_change: float) -> list[Shift]:
    """Changes that went again: one that stays until it is normal, or until now, counts as true."""
    monitor = Monitor(threshold, least_change)
    for each in points:
        monitor.add(each)
    return [each for each in monitor.changes if isinstance(each, Shift) and each.until is not None]
