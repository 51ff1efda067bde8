"""How runs scatter around their level, and what a run therefore says about a change of it.

The scatter is not assumed to be of any shape: its density f is counted from past runs. What a run at distance u from the
level says for a shift by d is the logarithm of the likelihood ratio, log f(u - d) / f(u). Where f is flat, as it is
among outliers, that is nothing: a spike is no evidence, however high. Where runs come in two kinds, neither is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

# A step in the noise's own unit (its robust standard deviation), and the fewest runs that may announce it: a burst of
# contention that is shorter announces nothing. 6 and more is FAR: told by a run of ten, and then some, above the level.
SHIFTS = {1.0: 8, 2.0: 7, 4.0: 5}
FAR = 3.0
FAR_RUNS = 14
# What a log-likelihood ratio is capped to is a share of this; see `Limits` in `detect.py` for the threshold itself.
UNIT = 10.0

_WIDTH = 0.25
_LOW = -12.0
BINS = 96
# With this weight the density is that of a normal distribution with outliers, until runs have shown what it is.
_PRIOR_RUNS = 150
_KERNEL_WIDTH = 0.35
# No noise is taken for lower than this share of the level: timers, and figures that come rounded.
LEAST_SIGMA = 0.01
# Before enough runs show how far they depend on each other.
_INFLATION_UNKNOWN = 1.5
_INFLATION_RUNS = 256
_BLOCKS = (16,)
# Few blocks give a poor figure, and the worst of several is taken.
_BLOCK_TRUST = 0.8
_MOST_INFLATION = 40.0
_NORMAL_QUARTILES = 1.349
_NORMAL_DECILES = 2.563

Table = Sequence[float]


@dataclass(frozen=True, slots=True)
class Noise:
    """`sigma` is the scatter of the logarithms; `inflation` by how much a mean of runs scatters more (as a variance)
    than if they were independent; `tables` what a run is evidence for, by `cell`: each shift up, then down.
    """

    sigma: float
    inflation: float
    tables: tuple[Table, ...]

    def cell(self, residual: float) -> int:
        """Which entry of a table is a run's, by its distance from the level (of logarithms)."""
        return min(max(int((residual / self.sigma - _LOW) / _WIDTH), 0), BINS - 1)


def estimate(residuals: Sequence[float]) -> Noise:
    """Learn from past runs' distances from their level, in order."""
    sigma = _sigma(sorted(residuals))
    units = [each / sigma for each in residuals]
    inflation = _inflation(units)
    density = _density(units)
    tables = [_shifted(density, sign * shift, runs, inflation) for shift, runs in SHIFTS.items() for sign in (1, -1)]
    tables += [_far(units, sign, inflation) for sign in (1, -1)]
    return Noise(sigma, inflation, tuple(tables))


def _sigma(ordered: Sequence[float]) -> float:
    """From the quartiles, which a quarter of outliers does not move."""
    if len(ordered) < 4:
        return max(LEAST_SIGMA, 0.05)
    quartiles = (quantile(ordered, 0.75) - quantile(ordered, 0.25)) / _NORMAL_QUARTILES
    return max(LEAST_SIGMA, quartiles)


def quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _density(units: Sequence[float]) -> list[float]:
    counts = [0] * BINS
    for unit in units:
        index = int((unit - _LOW) / _WIDTH)
        if 0 <= index < BINS:
            counts[index] += 1
    smooth = [0.0] * BINS
    reach = len(_KERNEL) // 2
    for index, count in enumerate(counts):
        if count:
            for offset, weight in enumerate(_KERNEL, index - reach):
                if 0 <= offset < BINS:
                    smooth[offset] += count * weight
    whole = len(units) + _PRIOR_RUNS
    return [(each / _WIDTH + _PRIOR_RUNS * prior) / whole for each, prior in zip(smooth, _PRIOR, strict=True)]


def _kernel() -> list[float]:
    weights = [math.exp(-((k * _WIDTH / _KERNEL_WIDTH) ** 2) / 2) for k in range(-4, 5)]
    return [each / sum(weights) for each in weights]


def _prior() -> list[float]:
    centres = [_centre(index) for index in range(BINS)]
    normal = [math.exp(-u * u / 2) / math.sqrt(2 * math.pi) for u in centres]
    return [0.92 * n + 0.05 * math.exp(-abs(u) / 3) / 6 + 0.03 / 24 for n, u in zip(normal, centres, strict=True)]


def _centre(index: int) -> float:
    return _LOW + (index + 0.5) * _WIDTH


_KERNEL = _kernel()
_PRIOR = _prior()


def _shifted(density: Sequence[float], shift: float, fewest: int, inflation: float) -> Table:
    """Evidence for a shift by so many sigmas: log f(u - shift) / f(u), of which dependent runs give less each."""
    offset = round(shift / _WIDTH)
    logs = [math.log(each) for each in density]
    edge = min(logs[0], logs[-1])
    cap = UNIT / fewest
    table = []
    for index, here in enumerate(logs):
        there = logs[index - offset] if 0 <= index - offset < BINS else edge
        table.append(min(cap, max(-3 * cap, (there - here) / inflation)))
    # Beyond the ends everything is in one cell, and says nothing.
    table[0] = table[-1] = 0.0
    return table


def _far(units: Sequence[float], sign: int, inflation: float) -> Table:
    """Evidence for a shift that is larger than all: runs that lie far out, and how rare they used to be."""
    beyond = sum(1 for unit in units if sign * unit >= FAR)
    usual = (beyond + 0.01 * _PRIOR_RUNS) / (len(units) + _PRIOR_RUNS)
    cap = UNIT / FAR_RUNS
    for_it = min(cap, math.log(max(0.9 / usual, 0.1)) / inflation)
    against = max(-2 * cap, math.log(0.1 / (1 - usual)) / inflation) if usual < 0.9 else -cap
    return [for_it if sign * _centre(index) >= FAR else against for index in range(BINS)]


def _inflation(units: Sequence[float]) -> float:
    """Variance of means of consecutive runs over what independence would give, from quartiles: bursts don't count."""
    if len(units) < _INFLATION_RUNS:
        return _INFLATION_UNKNOWN
    clipped = [max(-3.0, min(3.0, unit)) for unit in units]
    single = _spread(clipped)
    if not single:
        return _INFLATION_UNKNOWN
    blocks = (_BLOCK_TRUST * _block_ratio(clipped, size, single) for size in _BLOCKS)
    return min(_MOST_INFLATION, max(1.0, _neighbours(units), *blocks))


def _neighbours(units: Sequence[float]) -> float:
    """What a first-order dependence would make of it, from how often neighbours lie on the same side of the median."""
    middle = quantile(sorted(units), 0.5)
    sides = [(unit > middle) - (unit < middle) for unit in units]
    agreement = sum(map(mul, sides, sides[1:])) / max(1, sum(map(abs, sides)))
    correlation = math.sin(math.pi / 2 * min(0.98, agreement))
    return (1 + correlation) / (1 - correlation)


def _block_ratio(values: Sequence[float], size: int, single: float) -> float:
    means = [math.fsum(values[start : start + size]) / size for start in range(0, len(values) - size + 1, size)]
    return size * (_spread(means) / single) ** 2


def _spread(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return (quantile(ordered, 0.75) - quantile(ordered, 0.25)) / _NORMAL_QUARTILES
