"""Two samples of runs compared: the difference of their medians, stage by stage, with its 95 % interval.

Nothing is assumed about how the figures are distributed: the interval of a median lies between two of the sorted
figures (the binomial distribution says which), and that of a difference follows from both (MOVER: each end adds up the
squared distances from the medians). Neighbouring runs that are alike count as fewer runs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from probe.drift.series import Point
from probe.measures import STAGES, TRUSTED
from probe.waits import WAITS, WHOLES

# `unknown`: the interval holds both a change that matters and none.
State = Literal["slower", "faster", "same", "unknown"]
_TAIL, _Z = 0.025, 1.96
# From so many runs on, the binomial distribution is as good as a normal one.
_NORMAL = 200
# How far apart runs are that may still depend on each other, in square roots of their number.
_REACH = 2.0
# A stage is named where it makes up so much of the difference.
_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Interval:
    """A median, and the ends of its interval; None where there are too few figures for one."""

    median: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One stage: what it takes on either side, in milliseconds; `low` and `high` end the interval of the difference."""

    stage: str
    a: Interval
    b: Interval
    low: float | None
    high: float | None

    @property
    def added_ms(self) -> float:
        return self.b.median - self.a.median

    @property
    def ratio(self) -> float | None:
        return self.b.median / self.a.median if self.a.median else None

    @property
    def certain(self) -> bool:
        """Whether there is a difference, of whatever size."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def state(self, least_change: float) -> State:
        """What can be said of b: a change by less than this share of a is none."""
        if self.low is None or self.high is None:
            return "unknown"
        least = least_change * self.a.median
        if -least <= self.low and self.high <= least:
            return "same"
        if self.certain and abs(self.added_ms) >= least:
            return "slower" if self.added_ms > 0 else "faster"
        return "unknown"


def compared(a: Sequence[Point], b: Sequence[Point]) -> tuple[Difference, ...]:
    """Each stage that both sides have, the whole first; none where one side has no figure of a warm server."""
    found = []
    for stage in _stages(a, b):
        sides = [[each.ms(stage) for each in usable(side)] for side in (a, b)]
        known = [[value for value in side if value is not None] for side in sides]
        if all(known):
            found.append(difference(stage, *(interval(side) for side in known)))
    return tuple(found)


def _stages(a: Sequence[Point], b: Sequence[Point]) -> tuple[str, ...]:
    """What is compared, the whole first: from the end of the speech if all runs have one, else from the question."""
    asked = {each.asked for side in (a, b) for each in usable(side)}
    if not asked or "text" in asked:
        return STAGES
    return tuple(stage for stage in WAITS["speech"] if all(stage in WAITS[each] for each in asked))


def whole_of(differences: Sequence[Difference]) -> Difference | None:
    """The whole wait among its stages; None where it is not known."""
    return next((each for each in differences if each.stage in WHOLES), None)


def usable(points: Sequence[Point]) -> list[Point]:
    """Those whose figures are latencies of a warm server."""
    return [each for each in points if each.outcome in TRUSTED and not each.cold]


def blamed(differences: Sequence[Difference]) -> Difference | None:
    """The stage that makes up most of what the whole changed by, where there is one that certainly changed."""
    whole = whole_of(differences)
    if whole is None:
        return None
    same_way = [
        each for each in differences
        if each is not whole and each.certain and each.added_ms * whole.added_ms > 0
    ]  # fmt: skip
    most = max(same_way, key=lambda each: abs(each.added_ms), default=None)
    return most if most is not None and abs(most.added_ms) >= _SHARE * abs(whole.added_ms) else None


def moved(differences: Sequence[Difference], least_change: float) -> list[Difference]:
    """The stages that certainly changed, by so much that the whole would have, had nothing else; the largest first.

    That is this share of A's whole. The whole itself may be as before (another stage went the other way), or scatter
    too much for anything to be said of it.
    """
    whole = whole_of(differences)
    least = 0.0 if whole is None else least_change * whole.a.median
    found = [
        each for each in differences
        if each is not whole and each.certain and abs(each.added_ms) >= max(least, least_change * each.a.median)
    ]  # fmt: skip
    return sorted(found, key=lambda each: -abs(each.added_ms))


def difference(stage: str, a: Interval, b: Interval) -> Difference:
    """That of two medians of one stage."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Difference(stage, a, b, None, None)
    middle = b.median - a.median
    low = middle - math.hypot(b.median - b.low, a.high - a.median)
    high = middle + math.hypot(b.high - b.median, a.median - a.low)
    return Difference(stage, a, b, low, high)


def interval(values: Sequence[float]) -> Interval:
    """The median of figures in the order of time, one at least, and its interval."""
    ordered, count = sorted(values), len(values)
    middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
    factor = _alike(values, middle)
    rank = _rank(count) if factor == 1 else min(_rank(count), _normal_rank(count, factor))
    if rank < 1:
        return Interval(middle, None, None)
    return Interval(middle, ordered[rank - 1], ordered[count - rank])


def _rank(count: int) -> int:
    """Which of the sorted figures is the low end, from 1; 0 where even the lowest is not low enough."""
    if count > _NORMAL:
        return _normal_rank(count, 1.0)
    below, probability, rank = 0.0, 0.5**count, 0
    while below + probability <= _TAIL:
        below += probability
        rank += 1
        probability *= (count - rank + 1) / rank
    return rank


def _normal_rank(count: int, factor: float) -> int:
    """As `_rank`, by a normal distribution of `factor` times the variance."""
    return math.floor(count / 2 - _Z / 2 * math.sqrt(count * factor))


def _alike(values: Sequence[float], middle: float) -> float:
    """By how much the variance of the median is larger because neighbours are alike; 1 at least.

    Counted are the sides of the median on which they lie, with less weight the farther apart they are (Bartlett).
    """
    sides = [(value > middle) - (value < middle) for value in values]
    total = sum(map(abs, sides))
    if not total:
        return 1.0
    reach = min(len(sides) - 1, int(_REACH * math.sqrt(len(sides))))
    factor = 1.0
    for lag in range(1, reach + 1):
        agreement = sum(map(int.__mul__, sides[lag:], sides)) / total
        factor += 2 * (1 - lag / (reach + 1)) * agreement
    return max(1.0, factor)
