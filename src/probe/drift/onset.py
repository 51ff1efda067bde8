"""When a change began: the run from which on a shift explains the runs best."""

import math

from probe.drift.baseline import midmean
from probe.drift.evidence import Evidence
from probe.drift.figures import ENOUGH

# The density of outliers, which carry no information about when.
_OUTLIERS = 0.005


def first_different(evidence: Evidence) -> int:
    """The number of that run, by maximum likelihood among those at and before the onset of the strongest evidence."""
    noise, onset = evidence.noise, evidence.onset()
    residuals, _ = evidence.since(onset)
    if noise is None or not residuals:
        return onset
    shift = midmean(residuals) / noise.sigma
    first = evidence.seen.first(onset - ENOUGH)
    best, total, number = -math.inf, 0.0, onset
    for each, residual in zip(evidence.seen.numbers(first)[::-1], evidence.seen.residuals(first)[::-1], strict=True):
        unit = residual / noise.sigma
        total += math.log(_density(unit - shift) / _density(unit))
        if total >= best:
            best, number = total, each
    return number


def _density(unit: float) -> float:
    return math.exp(-unit * unit / 2) + _OUTLIERS
