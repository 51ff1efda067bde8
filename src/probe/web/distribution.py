"""Two samples drawn on one axis: how often each latency came, A above the line and B below."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_BINS = 60
# What lies beyond is counted, not drawn: one outlier would squeeze all others into a line.
_SHOWN = 0.99
_TICKS = 6
_BESIDE, _EQUAL_MS = 0.05, 0.01
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Bar:
    """In percent of the width, and of half the height."""

    x: float
    height: float


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the axis, in percent, and what stands there."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """`width` is that of a bar; `beyond` is how many figures lie right of the axis."""

    width: float
    a: tuple[Bar, ...]
    b: tuple[Bar, ...]
    ticks: tuple[Mark, ...]
    median_a: float
    median_b: float
    beyond: int


def distribution(a: Sequence[float], b: Sequence[float], median_a: float, median_b: float) -> Distribution | None:
    """Of figures in milliseconds; None where one side has none."""
    if not a or not b:
        return None
    ordered = sorted((*a, *b))
    low = ordered[0]
    high = max(ordered[min(len(ordered) - 1, math.ceil(len(ordered) * _SHOWN))], median_a, median_b)
    # Figures that are all equal: in the middle of an axis, not at its edge.
    beside = max(abs(high) * _BESIDE, 1.0) if high - low < _EQUAL_MS else 0.0
    low, high = low - beside, high + beside
    step = _step(high - low)
    low, high = math.floor(low / step) * step, (math.floor(high / step) + 1) * step

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    counted = [_counts(each, low, high) for each in (a, b)]
    shares = [[count / len(values) for count in counts] for counts, values in zip(counted, (a, b), strict=True)]
    most = max(map(max, shares)) or 1.0
    width = 100 / _BINS
    bars = [
        tuple(Bar(round(number * width, 2), round(100 * share / most, 1)) for number, share in enumerate(each) if share)
        for each in shares
    ]
    ticks = (low + number * step for number in range(round((high - low) / step) + 1))
    return Distribution(
        width=round(width * 0.92, 2),
        a=bars[0],
        b=bars[1],
        ticks=tuple(Mark(place(each), f"{each:g}") for each in ticks),
        median_a=place(median_a),
        median_b=place(median_b),
        beyond=sum(each > high for each in ordered),
    )


def _step(length: float) -> float:
    """A round distance of the marks on an axis of this length."""
    raw = length / _TICKS
    unit = 10.0 ** math.floor(math.log10(raw))
    return next(factor * unit for factor in _STEPS if factor * unit >= raw)


def _counts(values: Sequence[float], low: float, high: float) -> list[int]:
    found = [0] * _BINS
    for value in values:
        if value <= high:
            found[min(_BINS - 1, int((value - low) / (high - low) * _BINS))] += 1
    return found
