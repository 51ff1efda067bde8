"""How runs scatter around their level, and what a run therefore says about a change of it.

The scatter is not assumed to be of any shape: its density f is counted from past runs. What a run at distance u from
the level says for a shift by d is the logarithm of the likelihood ratio, log f(u - d) / f(u). Where f is flat, as it is
among outliers, that is nothing: a spike is no evidence, however high. Where runs come in two kinds, neither is.
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat

from probe.drift.baseline import Stray
from probe.drift.dependence import dependence, spread
from probe.drift.figures import ENOUGH

# Shifts that are looked for, in robust standard deviations of the noise, and the fewest runs that may announce one. The
# last stands for all that are larger.
SHIFTS = {1.0: 14, 2.0: 9, 4.0: 5, 8.0: 4, 16.0: 4}
# Cells of the density, in standard deviations; what is farther out than the last is in it.
_WIDTH = 0.25
_BINS = 192
_LOW = -_WIDTH * _BINS / 2
# As much as so many runs, the density is that of a normal distribution with outliers: until runs show what it is.
_PRIOR_RUNS = ENOUGH
# How much runs scatter just now shows in how far each is from the one before it: over so many runs, and it counts where
# it is more than usual by so much.
_LATELY = 15
_MORE = 1.1
_FARTHEST = 4.0
# No noise is assumed to be lower than this share of the level: timers are coarse, and figures may come rounded.
_LEAST_SIGMA = 0.01

Table = Sequence[float]


@dataclass(frozen=True, slots=True)
class Noise:
    """The scatter of one stage.

    `sigma` is that of logarithms; `inflation` by how much the variance of a mean of an hour's runs is larger than if
    they were independent, and `nearby` what of that neighbours make, whatever the level does; `step` how far a run is
    from the one before it on average, in sigmas; `tables` hold what a run is evidence for, by `cell`: each shift, up
    and down.
    """

    sigma: float
    inflation: float
    nearby: float
    step: float
    tables: tuple[Table, ...]

    def cell(self, residual: float) -> int:
        """Which entry of the tables is a run's, by its distance from the level (of logarithms)."""
        index = int((residual / self.sigma - _LOW) / _WIDTH)
        return 0 if index < 0 else index if index < _BINS else _BINS - 1

    def error(self, runs: int) -> float:
        """Standard error of a level that so many runs have shown."""
        return self.sigma * math.sqrt(self.inflation / runs)


def estimate(residuals: Sequence[float], sure: Sequence[float], strays: Sequence[Stray], threshold: float) -> Noise:
    """Learn from past runs' distances from their level, in order, and what of them is sure: that is what is weighed.

    `strays` is how far hours were from their level, `threshold` the evidence that announces a shift.
    """
    sigma = max(_LEAST_SIGMA, spread(residuals))
    found = dependence([each / sigma for each in residuals], sigma, strays)
    # A shift is held against what the level does in the time that it takes to show.
    inflation = {1.0: found.hours, 2.0: found.hour}
    steps = [*map(Restless().step, residuals, repeat(sigma))]
    step = max(_WIDTH, math.fsum(steps) / len(steps)) if steps else 1.0
    restless = Restless()
    scales = (restless.scale(restless.step(each, sigma), step) for each in residuals)
    weighed = [by / sigma / scale for scale, by in zip(scales, sure, strict=True)]
    logs = [math.log(each) for each in _density(weighed)]
    tables = [
        _shifted(logs, sign * shift, threshold / fewest, inflation.get(shift, found.few))
        for shift, fewest in SHIFTS.items()
        for sign in (1, -1)
    ]
    return Noise(sigma, found.hour, found.nearby, step, tuple(tables))


class Restless:
    """By how much runs scatter more than usual just now. A level that changes is one step, and no more than that."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._lately = 0.0
        self._known = False

    def step(self, value: float, sigma: float) -> float:
        """How far a run is from the one before it: one of them is bounded, by how far they were recently."""
        last, self._last = self._last, value
        return 0.0 if last is None else min(_FARTHEST * max(1.0, self._lately), abs(value - last) / sigma)

    def scale(self, step: float, usual: float) -> float:
        """With a run that is so far from the one before it; `usual` is what steps are on average."""
        if not self._known:
            self._lately, self._known = 1.0, True
        self._lately += (step / usual - self._lately) / _LATELY
        return max(1.0, self._lately / _MORE)


def _centres() -> list[float]:
    return [_LOW + (index + 0.5) * _WIDTH for index in range(_BINS)]


def _kernel() -> list[float]:
    weights = [math.exp(-k * k / 2) for k in range(-4, 5)]
    return [each / sum(weights) for each in weights]


def _prior() -> list[float]:
    normal = [math.exp(-u * u / 2) / math.sqrt(2 * math.pi) for u in _CENTRES]
    return [0.92 * n + 0.05 * math.exp(-abs(u) / 3) / 6 + 0.03 / 24 for n, u in zip(normal, _CENTRES, strict=True)]


_CENTRES = _centres()
_KERNEL = _kernel()
_PRIOR = _prior()


def _density(units: Sequence[float]) -> list[float]:
    counts = [0] * _BINS
    for unit in units:
        index = int((unit - _LOW) / _WIDTH)
        if 0 <= index < _BINS:
            counts[index] += 1
    smooth = [0.0] * _BINS
    for index, count in enumerate(counts):
        if count:
            for neighbour, weight in enumerate(_KERNEL, index - len(_KERNEL) // 2):
                if 0 <= neighbour < _BINS:
                    smooth[neighbour] += count * weight
    whole = len(units) + _PRIOR_RUNS
    return [(each / _WIDTH + _PRIOR_RUNS * prior) / whole for each, prior in zip(smooth, _PRIOR, strict=True)]


def _shifted(logs: Sequence[float], shift: float, most: float, inflation: float) -> Table:
    """Evidence for a shift by so many sigmas, `most` at most; runs that depend on each other give less each.

    `logs` are the logarithms of the density.
    """
    offset = round(shift / _WIDTH)
    outside = [min(logs[0], logs[-1])] * abs(offset)
    there = [*outside, *logs[:-offset]] if offset > 0 else [*logs[-offset:], *outside]
    largest = abs(shift) == max(SHIFTS)
    if largest:
        # As likely as the level itself: it stands for all that are larger.
        there = [logs[_BINS // 2] if centre / shift > 1 else each for centre, each in zip(_CENTRES, there, strict=True)]
    least = -3 * most
    ratios = ((new - old) / inflation for new, old in zip(there, logs, strict=True))
    table = [each if least <= each <= most else most if each > most else least for each in ratios]
    if not largest:
        # Beyond the ends all runs share one cell, and say nothing.
        table[0] = table[-1] = 0.0
    return array("d", table)
