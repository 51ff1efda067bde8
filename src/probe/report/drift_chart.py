"""A chart of stages over time, on one scale: how many times its baseline each took."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from probe.drift import Change
from probe.drift.series import Point
from probe.drift.wording import NAMES, moment
from probe.measures import TRUSTED
from probe.report.format import wrapped
from probe.waits import WAITS

_LABEL = 15
_MOST_BARS = 100
# The third bar is the baseline: what is faster has two below it, what is slower five above.
_BARS = "▁▂▃▄▅▆▇█"
_BASELINE = 2
_NONE = " "
# The scale reaches at least so far, either way, and what differs by less is the baseline's.
_LEAST_SCALE = math.log(1.1)
_LEAST_BAND = math.log(1.03)
# Of the medians of neighbouring bars, from the median distance: so many standard deviations are the baseline's.
_BAND = 3 * 1.4826 / math.sqrt(2)


def chart(
    points: Sequence[Point], changes: Sequence[Change], baseline_ms: Mapping[str, float], width: int
) -> Iterator[str]:
    """A row of bars for each stage, over the same slots of time and on the same scale; below them the changes."""
    trusted = [each for each in points if each.outcome in TRUSTED]
    if not trusted:
        return
    first, last = trusted[0].started, trusted[-1].started
    count = max(1, min(width - _LABEL - 2, _MOST_BARS, len(trusted)))
    slots: list[list[Point]] = [[] for _ in range(count)]
    for each in trusted:
        slots[_slot(each.started, first, last, count)].append(each)
    rows = {stage: _ratios(slots, stage, baseline_ms.get(stage)) for stage in WAITS[trusted[-1].asked]}
    known = [each for row in rows.values() for each in row if each is not None]
    low, high = min([-_LEAST_SCALE, *known]), max([_LEAST_SCALE, *known])
    for stage, row in rows.items():
        yield f"  {NAMES[stage]:{_LABEL}}{bars(row, low, high)}".rstrip()
    marks = [" "] * count
    for found in changes:
        marks[_slot(found.since, first, last, count)] = "^"
    yield f"  {'changes':{_LABEL}}{''.join(marks)}".rstrip() if changes else ""
    scale = f"{_BARS[0]} {math.exp(low):.2f}, {_BARS[_BASELINE]} 1, {_BARS[-1]} {math.exp(high):.2f} times the baseline"
    yield from wrapped(f"{moment(first)} to {moment(last)}; {scale}", width, "  ")


def bars(row: Sequence[float | None], low: float, high: float) -> str:
    """A bar for each logarithm of a ratio; what scatters no more than neighbours do is the baseline."""
    known = [each for each in row if each is not None]
    band = max(_LEAST_BAND, _BAND * median(abs(a - b) for a, b in pairwise(known)) if len(known) > 1 else 0.0)
    return "".join(_NONE if each is None else _BARS[_bar(each, low, high, band)] for each in row)


def _bar(ratio: float, low: float, high: float, band: float) -> int:
    if abs(ratio) <= band:
        return _BASELINE
    if ratio < 0:
        return _BASELINE - math.ceil(_BASELINE * min(1.0, ratio / low))
    return _BASELINE + math.ceil((len(_BARS) - 1 - _BASELINE) * min(1.0, ratio / high))


def _ratios(slots: Sequence[Sequence[Point]], stage: str, baseline_ms: float | None) -> list[float | None]:
    """Each slot's median, as the logarithm of its ratio to the baseline, or to all slots where that is not known."""
    medians = [_median(slot, stage) for slot in slots]
    # What took no time has no ratio.
    known = [each for each in medians if each is not None and each > 0]
    usual = baseline_ms or (median(known) if known else 1.0)
    return [math.log(each / usual) if each is not None and each > 0 else None for each in medians]


def _slot(at: int, first: int, last: int, slots: int) -> int:
    return max(0, min(slots - 1, (at - first) * slots // max(1, last - first)))


def _median(points: Sequence[Point], stage: str) -> float | None:
    known = [value for each in points if (value := each.ms(stage)) is not None]
    return median(known) if known else None
