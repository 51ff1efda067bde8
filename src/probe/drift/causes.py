"""Which figures changed at the same time as a latency, and how certain that is; not why. Pure functions.

The input is two stretches of runs, one before and one after the change.

A figure is named in one of two cases.

It moved when the latency did, and by more than it moves at other times. Let `d(t)` be the difference of its medians in
some runs after and before the run t: at the change it must be larger, by a margin, than at every other place of the
stretch before. That assumes nothing about how the figure is distributed, nor about how alike neighbours are. Places
where the latency moved with it then, too, are no evidence against it and are left out. The moment must fit: if the
latency had changed when the figure did, its runs in between would not be less likely. If the figure varies so much
within the stretches that the latency would be seen to follow it, and does not, it is left out.

Or the latency follows it run by run within the stretches (its dose), and at the change it moved by what explains a
good part of the change.
"""

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import mul
from statistics import median

# Runs on either side of a place that are compared, by the medians of both, which a few outliers do not move. Many show
# a change of a figure that is noisy, few that of one that wanders.
_SIDES = (20, 5)
# A latency must be known of so many runs since the change, and a figure of so many.
_FEWEST, _FEWEST_KNOWN = 5, 3
# So many runs before a change are needed: with fewer the usual movement is not known.
_ELSEWHERE = 60
# By how much more it must have moved than ever before; and so many times the root mean square of how it moves at other
# places, more where these are few.
_MARGIN, _USUAL, _FEW = 1.25, 3.0, 5.0
# The latency moved with it at another place, too, if it did by such a share of what it does now, and by so many times
# its own usual movement.
_FOLLOWED, _NOTABLE = 0.5, 4.5
# So many runs on either side are looked at for the moment of a figure's change, and so many are left on each. What a
# run read of the machine may be of the run before or after.
_AROUND, _LEAST_SIDE, _SLACK = 40, 3, 2
# The logarithm of how much less likely the latencies may be if they had changed at that moment.
_UNLIKELY = 8.0
# For a dose so many of the last runs before the change are enough.
_DOSED = 1000
# Standard errors: a dose that is certain, and one that would have been seen.
_CERTAIN, _SEEN = 4.0, 5.0
# Of the dose that the change itself implies, so much at least must be seen within the stretches; and so much of the
# change must be what the dose explains.
_LEAST_DOSE, _LEAST_EXPLAINED = 0.25, 0.33
# A figure that varies by less than this share of its movement may vary because it is read at other moments.
_VARIES = 0.5
# The highest score: a figure that never moved before has no usual movement to compare with.
_MOST = 100.0
MOST_NAMED = 3
# How far apart runs are that still depend on each other, in square roots of their number.
_REACH = 2.0

Values = Sequence[float | None]
# Of runs: a figure, and the logarithm of the latency.
_Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Cause:
    """A figure that moved at the same time: its medians before and after. The larger its `score`, the surer."""

    name: str
    before: float
    after: float
    score: float


@dataclass(frozen=True, slots=True)
class Expected:
    """Of a figure: which change of it matters, and whether more (1) or less (-1) of it slows, 0 if either may."""

    least: float = 0.0
    slows: int = 0


def causes(
    before: Sequence[float],
    after: Sequence[float],
    figures: Mapping[str, tuple[Values, Values]],
    expected: Mapping[str, Expected] | None = None,
) -> list[Cause]:
    """The figures that moved with a latency, the surest first; three at most.

    `before` and `after` are its logarithms in the runs on either side of the change, in their order, and `figures`
    those of the same runs, None where one is not known.
    """
    if len(after) < _FEWEST or len(before) < _ELSEWHERE:
        return []
    found = [
        cause
        for name, (xs_before, xs_after) in figures.items()
        if (cause := _cause(name, before, after, xs_before, xs_after, (expected or {}).get(name, Expected())))
    ]
    return sorted(found, key=lambda cause: -cause.score)[:MOST_NAMED]


def _cause(
    name: str, ys_before: Sequence[float], ys_after: Sequence[float], xs_before: Values, xs_after: Values,
    expected: Expected,
) -> Cause | None:  # fmt: skip
    left, right = _known(xs_before, ys_before), _known(xs_after, ys_after)
    if len(right) < _FEWEST_KNOWN or len(left) < _ELSEWHERE:
        return None
    side = min(_SIDES[0], len(right))
    low, high = median(x for x, _ in left[-side:]), median(x for x, _ in right[:side])
    moved, slower = high - low, median(ys_after) - median(ys_before)
    if (
        not moved
        or not slower
        or abs(moved) <= expected.least
        or (expected.slows and moved * slower * expected.slows <= 0)
    ):
        return None
    score = max(_score(left, right, moved, slower, side) for side in _SIDES)
    dose = _dose(left[-_DOSED:], right)
    if dose is not None and dose.follows(moved, slower):
        return Cause(name, low, high, max(score, dose.errors))
    if score <= 1 or (dose is not None and dose.contradicts(moved, slower)):
        return None
    if not _fits(xs_before, xs_after, ys_before, ys_after):
        return None
    return Cause(name, low, high, score)


def _known(xs: Values, ys: Sequence[float]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(xs, ys, strict=True) if x is not None]


def _score(left: _Pairs, right: _Pairs, way: float, slower: float, most: int) -> float:
    """How far it moved that way, relative to the movement that is required: more than at any place before.

    By the medians of `most` runs on either side, fewer where there are not as many.
    """
    side = min(most, len(right))
    moved = median(x for x, _ in right[:side]) - median(x for x, _ in left[-side:])
    if moved * way <= 0:
        return 0.0
    of_it, of_latency = (_differences([pair[part] for pair in left], side) for part in (0, 1))
    least = max(_FOLLOWED**2 * abs(slower), _NOTABLE * median(map(abs, of_latency)))
    others = [
        abs(x)
        for x, y in zip(of_it, of_latency, strict=True)
        if not (abs(x) > _FOLLOWED * abs(moved) and abs(y) > least and y * moved / (x * slower) > _FOLLOWED)
    ]
    if not others:
        return _MOST
    apart = 1 + len(others) / side
    usual = max(_MARGIN * max(others), _USUAL * (1 + _FEW / apart) * _spread(others))
    return min(_MOST, abs(moved) / usual) if usual > 0 else _MOST


def _differences(values: Sequence[float], side: int) -> list[float]:
    """At each place: the median of so many values after it, minus that of as many before."""
    medians = [*_medians(values, side)]
    return [after - before for before, after in zip(medians, medians[side:], strict=False)]


def _medians(values: Sequence[float], side: int) -> Iterator[float]:
    """Of each so many values in a row."""
    window = sorted(values[:side])
    low, high = (side - 1) // 2, side // 2
    yield (window[low] + window[high]) / 2
    for old, new in zip(values, values[side:], strict=False):
        del window[bisect_left(window, old)]
        insort(window, new)
        yield (window[low] + window[high]) / 2


def _fits(xs_before: Values, xs_after: Values, ys_before: Sequence[float], ys_after: Sequence[float]) -> bool:
    """Whether the latency may have changed at the moment when the figure did."""
    apart = _moment((*xs_before[-_AROUND:], *xs_after[:_AROUND]), min(_AROUND, len(xs_before)))
    between = ys_after[:apart] if apart > 0 else ys_before[apart:]
    if abs(apart) <= _SLACK:
        return True
    early, late = ys_before[-_AROUND:], ys_after[:_AROUND]
    old, new = median(early), median(late)
    own, other = (new, old) if apart > 0 else (old, new)
    scatter = sum(abs(y - level) for ys, level in ((early, old), (late, new)) for y in ys) / (len(early) + len(late))
    return sum(abs(y - other) - abs(y - own) for y in between) <= _UNLIKELY * scatter


def _moment(xs: Values, dated: int) -> int:
    """How many runs after the change is dated (before, if negative) the figure changed: the nearest that it may be."""
    known = [(place - dated, x) for place, x in enumerate(xs) if x is not None]
    at = parted([x for _, x in known], _LEAST_SIDE, len(known) - _LEAST_SIDE)
    if at is None:
        return 0
    first, last = known[at - 1][0] + 1, known[at][0]
    return max(first, min(0, last))


def parted(values: Sequence[float], first: int, last: int) -> int | None:
    """The place where two levels explain these values best: with the least sum of distances from them.

    At `first` at the earliest, and `last` at the latest; None if there is no such place.
    """

    def unexplained(place: int) -> float:
        sides = (values[:place], values[place:])
        return sum(abs(value - level) for side in sides for level in (median(side),) for value in side)

    return min(range(first, last + 1), key=unexplained, default=None)


@dataclass(frozen=True)
class _Dose:
    """The latency per unit of a figure within the stretches, how far both vary, and by what they were found."""

    slope: float
    spread: float
    spread_of_latency: float
    xs: Sequence[float]
    ys: Sequence[float]

    @cached_property
    def error(self) -> float:
        """The standard error of the slope."""
        return self.spread_of_latency / self.spread / math.sqrt(_independent(self.xs, self.ys))

    @property
    def errors(self) -> float:
        return min(_MOST, abs(self.slope) / self.error / _CERTAIN)

    def follows(self, moved: float, slower: float) -> bool:
        """Whether it certainly does, and explains a good part of the change."""
        return self._explains(moved, slower) > _LEAST_EXPLAINED and self._may_be_certain and self.errors > 1

    def contradicts(self, moved: float, slower: float) -> bool:
        """Whether it does not, although it would be seen."""
        seen = self.spread > _VARIES * abs(moved) and abs(slower / moved) > _SEEN * self.error
        return seen and self._explains(moved, slower) < _LEAST_DOSE

    @property
    def _may_be_certain(self) -> bool:
        """Where it would not be if all runs were independent, there is no need to see how far they are."""
        return abs(self.slope) * self.spread * math.sqrt(len(self.xs)) > _CERTAIN * self.spread_of_latency

    def _explains(self, moved: float, slower: float) -> float:
        return self.slope * moved / slower


def _dose(left: _Pairs, right: _Pairs) -> _Dose | None:
    """None if one of the two does not vary."""
    pairs = [pair for stretch in (left, right) for pair in _residuals(stretch)]
    xs, ys = _clipped([x for x, _ in pairs]), _clipped([y for _, y in pairs])
    spread_x, spread_y = _spread(xs), _spread(ys)
    if not spread_x or not spread_y:
        return None
    return _Dose(sum(map(mul, xs, ys)) / len(xs) / spread_x**2, spread_x, spread_y, xs, ys)


def _residuals(stretch: _Pairs) -> list[tuple[float, float]]:
    x_middle, y_middle = median(x for x, _ in stretch), median(y for _, y in stretch)
    return [(x - x_middle, y - y_middle) for x, y in stretch]


def _clipped(values: Sequence[float]) -> list[float]:
    """Without tails: one run that took ten times as long is no dose."""
    limit = 5 * median(map(abs, values))
    return [max(-limit, min(limit, value)) for value in values] if limit else list(values)


def _spread(values: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))


def _independent(xs: Sequence[float], ys: Sequence[float]) -> float:
    """How many independent runs these are worth: neighbours that are alike in both count as fewer (Bartlett)."""
    count = len(xs)
    factor = 1.0
    for lag in range(1, min(count - 1, int(_REACH * math.sqrt(count))) + 1):
        factor += 2 * _alike(xs, lag) * _alike(ys, lag)
    return count / max(1.0, factor)


def _alike(values: Sequence[float], lag: int) -> float:
    total = sum(map(mul, values, values))
    return sum(map(mul, values[lag:], values)) / total if total else 0.0
