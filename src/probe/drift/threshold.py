"""Which threshold a history would have needed: how many false alarms a detector raises where nothing changed.

A past in which nothing changed is made from the real one: each day, and what is before and after a change in it, is
brought to the same level, and the hours of the days are shuffled among the days, each at its own time of day. Spikes,
bursts, dependence and the rhythm stay; what lasted is gone.
"""

import math
import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median

from probe.drift.change import Shift
from probe.drift.evidence import ENOUGH
from probe.drift.monitor import Monitor
from probe.drift.series import Point
from probe.measures import TRUSTED
from probe.timestamps import NS_PER_DAY, NS_PER_S

LADDER = (7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0, 16.0, 20.0, 25.0, 32.0, 40.0)
_NS_PER_HOUR = 3600 * NS_PER_S
_SHUFFLES = 3
_FEWEST_DAYS = 3


class TooLittleError(Exception):
    """The history is too short; the message says so."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A threshold, and the false alarms that it would have made in 30 days."""

    threshold: float
    a_month: float


def calibrate(points: Sequence[Point], budget_days: float, least_change: float) -> list[Rung]:
    """Thresholds up to the lowest that makes no more than one false alarm in `budget_days`. Raises TooLittleError."""
    trusted = [each for each in points if each.outcome in TRUSTED and all(each.stages_ms)]
    days = {each.started // NS_PER_DAY for each in trusted}
    if len(days) < _FEWEST_DAYS or len(trusted) < _FEWEST_DAYS * ENOUGH:
        raise TooLittleError(f"{len(trusted)} runs on {len(days)} days are too few; {_FEWEST_DAYS} days are needed")
    quiet = [_dealt_out(trusted, random.Random(seed)) for seed in range(_SHUFFLES)]  # noqa: S311 - no secret
    months = len(quiet) * len(days) / 30
    rungs = []
    for threshold in LADDER:
        alarms = sum(_alarms(series, threshold, least_change) for series in quiet)
        rungs.append(Rung(threshold, alarms / months))
        if rungs[-1].a_month <= 30 / budget_days:
            break
    return rungs


def _alarms(series: Sequence[Point], threshold: float, least_change: float) -> int:
    monitor = Monitor(threshold, least_change)
    return sum(isinstance(monitor.add(each), Shift) for each in series)


def _dealt_out(points: Sequence[Point], rng: random.Random) -> list[Point]:
    hours: dict[int, dict[int, list[Point]]] = {}
    for each in _levelled(points):
        hours.setdefault(each.started // _NS_PER_HOUR % 24, {}).setdefault(each.started // NS_PER_DAY, []).append(each)
    dealt: list[Point] = []
    for days in hours.values():
        givers = list(days)
        rng.shuffle(givers)
        for taker, giver in zip(days, givers, strict=True):
            dealt += (_moved(each, taker - giver) for each in days[giver])
    return sorted(dealt, key=lambda each: each.started)


def _moved(point: Point, days: int) -> Point:
    return replace(point, started=point.started + days * NS_PER_DAY)


def _levelled(points: Sequence[Point]) -> Iterator[Point]:
    """Each day at the level of all, and each part of it around a change; model and settings do not matter then."""
    parts: dict[tuple[int, int], list[Point]] = {}
    changed_at = sorted(_changes(points))
    for each in points:
        parts.setdefault((each.started // NS_PER_DAY, bisect(changed_at, each.started)), []).append(each)
    whole = _levels(points)
    for part in parts.values():
        factors = [math.exp(in_all - here) for in_all, here in zip(whole, _levels(part), strict=True)]
        for each in part:
            stages = tuple((ms or 0.0) * factor for ms, factor in zip(each.stages_ms, factors, strict=True))
            yield replace(each, stages_ms=stages, serving=points[0].serving)


def _changes(points: Sequence[Point]) -> list[int]:
    monitor = Monitor()
    return [found.since for each in points if (found := monitor.add(each)) is not None]


def _levels(points: Sequence[Point]) -> list[float]:
    columns = zip(*(each.stages_ms for each in points), strict=True)
    return [median(math.log(ms) for ms in column if ms) for column in columns]
