"""Which figures changed at the same time as a latency, and how certain that is; not why. Pure functions.

The input is two stretches of runs, one before and one after the change.

A figure is named in one of two cases.

It moved when the latency did, and by more than it moves at other times. Let `d(t)` be the difference of its medians in
some runs after and before the run t: at the change it must be larger, by a margin, than at every other place of the
stretch before. That assumes nothing about how the figure is distributed, nor about how alike neighbours are. If the
figure varies so much within the stretches that the latency would be seen to follow it, and does not, it is left out.

Or the latency follows it run by run within the stretches (its dose), and at the change it moved by what explains a
good part of the change.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

# Runs on either side of a place that are compared. Their medians are not moved by a few outliers.
_SIDE = 20
_FEWEST = 5
# So many runs before a change are needed: with fewer the usual movement is not known.
_ELSEWHERE = 60
# By how much more it must have moved than ever before; and so many times the root mean square of how it moves at other
# places, more where these are few.
_MARGIN, _USUAL, _FEW = 1.25, 3.0, 5.0
# Standard errors: a dose that is certain, and one that would have been seen.
_CERTAIN, _SEEN = 4.0, 5.0
# Of the dose that the change itself implies, so much at least must be seen within the stretches; and so much of the
# change must be what the dose explains.
_LEAST_DOSE, _LEAST_EXPLAINED = 0.25, 0.33
# A figure that varies by less than this share of its movement may vary because it is read at other moments.
_VARIES = 0.5
# The highest score: a figure that never moved before has no usual movement to compare with.
_MOST = 100.0
_MOST_NAMED = 3
# How far apart runs are that still depend on each other, in square roots of their number.
_REACH = 2.0

Values = Sequence[float | None]


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
    return sorted(found, key=lambda cause: -cause.score)[:_MOST_NAMED]


def _cause(
    name: str, ys_before: Sequence[float], ys_after: Sequence[float], xs_before: Values, xs_after: Values,
    expected: Expected,
) -> Cause | None:  # fmt: skip
    left, right = _known(xs_before, ys_before), _known(xs_after, ys_after)
    if len(right) < _FEWEST or len(left) < _ELSEWHERE:
        return None
    side = min(_SIDE, len(right))
    low, high = median(x for x, _ in left[-side:]), median(x for x, _ in right[:side])
    moved, slower = high - low, median(ys_after) - median(ys_before)
    if (
        not moved
        or not slower
        or abs(moved) <= expected.least
        or (expected.slows and moved * slower * expected.slows <= 0)
    ):
        return None
    score = _score([x for x, _ in left], abs(moved), side)
    dose = _dose(left, right)
    if dose is not None and dose.follows(moved, slower):
        return Cause(name, low, high, max(score, dose.errors))
    if score <= 1 or (dose is not None and dose.contradicts(moved, slower)):
        return None
    return Cause(name, low, high, score)


def _known(xs: Values, ys: Sequence[float]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(xs, ys, strict=True) if x is not None]


def _score(xs: Sequence[float], moved: float, side: int) -> float:
    """How far it moved, relative to the movement that is required: more than at any place before."""
    places = range(side, len(xs) - side + 1)
    differences = [abs(median(xs[at : at + side]) - median(xs[at - side : at])) for at in places]
    apart = 1 + len(places) / side
    usual = max(_MARGIN * max(differences), _USUAL * (1 + _FEW / apart) * _spread(differences))
    return min(_MOST, moved / usual) if usual > 0 else _MOST


@dataclass(frozen=True, slots=True)
class _Dose:
    """The latency per unit of a figure within the stretches, its standard error, and how far the figure varies."""

    slope: float
    error: float
    spread: float

    @property
    def errors(self) -> float:
        return min(_MOST, abs(self.slope) / self.error / _CERTAIN)

    def follows(self, moved: float, slower: float) -> bool:
        """Whether it certainly does, and explains a good part of the change."""
        return self.errors > 1 and self.slope * moved * slower > 0 and self._explains(moved, slower) > _LEAST_EXPLAINED

    def contradicts(self, moved: float, slower: float) -> bool:
        """Whether it does not, although it would be seen."""
        seen = self.spread > _VARIES * abs(moved) and abs(slower / moved) > _SEEN * self.error
        return seen and self._explains(moved, slower) < _LEAST_DOSE

    def _explains(self, moved: float, slower: float) -> float:
        return self.slope * moved / slower


def _dose(left: Sequence[tuple[float, float]], right: Sequence[tuple[float, float]]) -> _Dose | None:
    """None if one of the two does not vary."""
    pairs = [pair for stretch in (left, right) for pair in _residuals(stretch)]
    xs, ys = _clipped([x for x, _ in pairs]), _clipped([y for _, y in pairs])
    spread_x, spread_y = _spread(xs), _spread(ys)
    if not spread_x or not spread_y:
        return None
    slope = sum(x * y for x, y in zip(xs, ys, strict=True)) / len(xs) / spread_x**2
    return _Dose(slope, spread_y / spread_x / math.sqrt(_independent(xs, ys)), spread_x)


def _residuals(stretch: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
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
    total = sum(value * value for value in values)
    return sum(a * b for a, b in zip(values[lag:], values, strict=False)) / total if total else 0.0
