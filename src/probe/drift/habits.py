"""What comes and goes: a change as there has been one before is news only if it is larger, or lasts longer."""

import math
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from probe.drift.figures import ALIKE, ENOUGH
from probe.timestamps import NS_PER_DAY, NS_PER_HOUR

# How far back this goes: what happens once a week has happened a few times then.
_KEPT_NS = 30 * NS_PER_DAY
_MOST = 64
# As there has been one before: up to so many times as large, and as long, or as a day is.
_AS_LARGE = 3.0
_AS_LONG = 2.0
# Two are at the same time of day within so long.
_SAME_TIME_NS = 2 * NS_PER_HOUR


class Gone(NamedTuple):
    """A change that has gone: how far each stage had come (a logarithm)."""

    since: int
    until: int
    moves: dict[str, float]


class Habits:
    """Of one series."""

    def __init__(self) -> None:
        self._gone: deque[Gone] = deque(maxlen=_MOST)

    def add(self, since: int, until: int, moves: Mapping[str, float]) -> None:
        """One has gone."""
        self._gone.append(Gone(since, until, dict(moves)))

    def usual_ns(self, since: int, runs: int, moves: Mapping[str, float], unsure: Mapping[str, float]) -> int:
        """For how long such a change is nothing new; 0 where it is news at once.

        It has been found after `runs`, and has brought each stage that far from where it was, more or less.
        """
        alike = [each for each in self._gone if since - each.until < _KEPT_NS and are_alike(each.moves, moves, unsure)]
        # What several do together is their machine's load. One that is suddenly slower has its own reason each time,
        # but where a clock makes it: once at the same time of day may be chance.
        enough, slower = 1, sum(moves.values()) > 0
        if runs < ENOUGH and sum(abs(by) > unsure[stage] for stage, by in moves.items()) <= 1:
            alike = [each for each in alike if (sum(each.moves.values()) > 0) == slower]
            if slower:
                enough, alike = 2, [each for each in alike if _same_time(each.since, since)]
        if len(alike) < enough:
            return 0
        return round(_AS_LONG * max(NS_PER_DAY, *(each.until - each.since for each in alike)))


def are_alike(one: Mapping[str, float], other: Mapping[str, float], unsure: Mapping[str, float]) -> bool:
    """Whether the other is as the one, up to a factor: of either sign, since what has come also goes."""
    size = sum(by**2 for by in one.values())
    if not size:
        return False
    factor = sum(one.get(stage, 0.0) * by for stage, by in other.items()) / size
    as_one = {stage: factor * one.get(stage, 0.0) for stage in other}
    return 0 < abs(factor) <= _AS_LARGE and all(
        # Either of the two is unsure.
        abs(by - as_one[stage]) <= max(math.hypot(unsure[stage], unsure[stage]), ALIKE * abs(as_one[stage]))
        for stage, by in other.items()
    )


def _same_time(one: int, other: int) -> bool:
    """Whether two moments are at about the same time of day."""
    apart = (one - other + NS_PER_DAY // 2) % NS_PER_DAY - NS_PER_DAY // 2
    return abs(apart) <= _SAME_TIME_NS
