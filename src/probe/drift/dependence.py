"""How much runs depend on each other: by how much the variance of a mean of them is larger than if they did not.

Where the level wanders, that grows with the number of runs: so it is given for a few of them, for those of an hour, and
for those of four hours. A large shift shows in a few runs and is held against the first, a small one against the last.
"""

import math
from collections.abc import Sequence
from operator import mul
from statistics import median
from typing import NamedTuple

from probe.drift.baseline import DAY, MIDMEAN, Stray
from probe.drift.figures import CERTAIN, SETTLED, SPARSE

_QUARTILES = 1.349
# Before there are runs enough to show it.
_UNKNOWN = 1.5
# Trust in what blocks of so many runs show: there are few of them.
_BLOCKS = {16: 0.8, 64: 0.6}
_HOURS = 4


class Dependence(NamedTuple):
    """Factors of variance: of neighbours by themselves, of a few runs, of an hour's, and of four hours'."""

    nearby: float
    few: float
    hour: float
    hours: float


def dependence(units: Sequence[float], sigma: float, strays: Sequence[Stray]) -> Dependence:
    """From runs in order, in standard deviations, and from how far hours strayed; a burst now and then is nothing."""
    if len(units) < SETTLED:
        return Dependence(_UNKNOWN, _UNKNOWN, _UNKNOWN, _UNKNOWN)
    clipped = [unit if -CERTAIN < unit < CERTAIN else math.copysign(CERTAIN, unit) for unit in units]
    scatter = spread(clipped)
    # Where runs scatter less than we take them to, it is by our measure.
    nearby = max(1.0, min(1.0, scatter) ** 2 * _from_neighbours(units))
    few, hour = (max(nearby, trust * _from_blocks(clipped, size, scatter)) for size, trust in _BLOCKS.items())
    hours = hour = max(few, hour)
    if len(strays) >= DAY:
        in_an_hour = median(each.runs for each in strays)
        full = {each.hour: each.by / sigma for each in strays if each.runs >= SPARSE * in_an_hour}
        hour = max(few, _from_means(list(full.values()), in_an_hour))
        hours = max(hour, _from_means(_rows(full), _HOURS * in_an_hour))
    return Dependence(nearby, few, hour, hours)


def spread(values: Sequence[float]) -> float:
    """Standard deviation from the quartiles, which a quarter of outliers does not move."""
    ordered = sorted(values)
    return (ordered[3 * len(ordered) // 4] - ordered[len(ordered) // 4]) / _QUARTILES


def _from_neighbours(units: Sequence[float]) -> float:
    """What a first-order dependence would make of it, from how often neighbours lie on the same side of the median."""
    middle = sorted(units)[len(units) // 2]
    sides = [(unit > middle) - (unit < middle) for unit in units]
    agreement = sum(map(mul, sides, sides[1:])) / max(1, sum(map(abs, sides)))
    correlation = math.sin(math.pi / 2 * min(0.98, agreement))
    return (1 + correlation) / (1 - correlation)


def _from_blocks(values: Sequence[float], size: int, scatter: float) -> float:
    means = [math.fsum(values[at : at + size]) / size for at in range(0, len(values) - size + 1, size)]
    return size * (spread(means) / max(1.0, scatter)) ** 2


def _from_means(means: Sequence[float], runs: float) -> float:
    """From middle means of so many runs each."""
    return runs * spread(means) ** 2 / MIDMEAN if len(means) >= DAY else 1.0


def _rows(hours: dict[int, float]) -> list[float]:
    """Means of four hours in a row."""
    rows = ([hours.get(hour + each) for each in range(_HOURS)] for hour in hours)
    whole = ([each for each in row if each is not None] for row in rows)
    return [math.fsum(row) / _HOURS for row in whole if len(row) == _HOURS]
