"""What comes and goes: a change as there has been one before is news only if it is larger, quicker, or lasts longer."""

from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from probe.drift.change import DIRECTIONS, Direction
from probe.timestamps import NS_PER_DAY, NS_PER_S

# How far back this goes: what happens once a week has happened a few times then.
_KEPT_NS = 30 * NS_PER_DAY
_MOST = 64
# As there has been one before: up to so many times as large, as quick, and as long.
_AS_BEFORE = 2.0
# One that took so many runs to show is a slow one, and two of them are of one kind; so are two at the same time of day.
_SLOW_RUNS = 60
_SAME_TIME_NS = 2 * 3600 * NS_PER_S


class Gone(NamedTuple):
    """A change that has gone: how far each stage had come (slower, faster), and in how many runs it was found."""

    since: int
    until: int
    runs: int
    extents: dict[str, list[float]]


class Habits:
    """Of one series."""

    def __init__(self) -> None:
        self._gone: deque[Gone] = deque(maxlen=_MOST)

    def add(self, since: int, until: int, runs: int, extents: Mapping[str, list[float]]) -> None:
        """One has gone."""
        self._gone.append(Gone(since, until, runs, dict(extents)))

    def usual_ns(self, since: int, runs: int, stage: str, direction: Direction, away: float) -> int:
        """For how long such a change is nothing new; 0 where it is news at once.

        It has been found after `runs`, and has brought a stage that far from where it was.
        """
        side = DIRECTIONS.index(direction)
        alike = [
            each
            for each in self._gone
            if since - each.until < _KEPT_NS
            and away <= _AS_BEFORE * _extent(each, stage, side, runs)
            and runs * _AS_BEFORE >= min(each.runs, _SLOW_RUNS)
        ]
        # What happened once may never happen again, and what happens at one time of day is not usual at another.
        of_a_kind = any(_of_a_kind(each, since, runs) for each in alike)
        if not of_a_kind and not any(not _same_time(one.since, other.since) for one, other in pairwise(alike)):
            return 0
        return max(_SAME_TIME_NS, round(_AS_BEFORE * max(each.until - each.since for each in alike)))


def _extent(gone: Gone, stage: str, side: int, runs: int) -> float:
    """How far a stage had come that way; what comes and goes slowly wanders, this way and that."""
    extents = gone.extents.get(stage, [0.0, 0.0])
    return max(extents) if _are_slow(gone, runs) else extents[side]


def _are_slow(gone: Gone, runs: int) -> bool:
    return min(gone.runs, runs) >= _SLOW_RUNS


def _of_a_kind(gone: Gone, since: int, runs: int) -> bool:
    return _are_slow(gone, runs) or _same_time(gone.since, since)


def _same_time(one: int, other: int) -> bool:
    """Whether two moments are at about the same time of day."""
    apart = (one - other + NS_PER_DAY // 2) % NS_PER_DAY - NS_PER_DAY // 2
    return abs(apart) <= _SAME_TIME_NS
