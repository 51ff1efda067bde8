"""When a change began: the run from which on a shift explains the runs best."""

import math
from collections.abc import Sequence

from probe.drift.baseline import midmean
from probe.drift.evidence import Evidence
from probe.drift.ring import Seen

# How many runs before the evidence began to grow it may have begun.
_BEFORE = 60
# The density of outliers, which carry no information about when.
_OUTLIERS = 0.005


def first_different(evidence: Evidence) -> int:
    """The number of that run, by maximum likelihood among those at and before the onset of the strongest evidence."""
    noise, onset = evidence.noise, evidence.onset()
    since = evidence.since(onset)
    if noise is None or not since:
        return onset
    shift = midmean(each.residual for each in since) / noise.sigma
    return _most_likely(evidence.since(onset - _BEFORE), shift, noise.sigma)


def _most_likely(runs: Sequence[Seen], shift: float, sigma: float) -> int:
    best, total, number = -math.inf, 0.0, runs[-1].number
    for each in reversed(runs):
        unit = each.residual / sigma
        total += math.log(_density(unit - shift) / _density(unit))
        if total >= best:
            best, number = total, each.number
    return number


def _density(unit: float) -> float:
    return math.exp(-unit * unit / 2) + _OUTLIERS
