"""What each stage takes since a run, and having that as its level."""

import math
from collections.abc import Iterator, Mapping

from probe.drift.baseline import midmean
from probe.drift.change import Moved
from probe.drift.evidence import Evidence
from probe.drift.figures import CERTAIN


def moved_since(stages: Mapping[str, Evidence], since: int) -> Iterator[Moved]:
    """How each stage that is known has moved with the run of that number."""
    for stage, evidence in stages.items():
        residuals, values = evidence.since(since)
        if evidence.noise and residuals:
            by, after = midmean(residuals), math.exp(midmean(values))
            certain = abs(by) >= CERTAIN * evidence.noise.error(len(residuals))
            yield Moved(stage, after / math.exp(by), after, certain)


def change_levels(stages: Mapping[str, Evidence], since: int) -> None:
    """Have each stage that moved with that run a new level."""
    for evidence in stages.values():
        residuals, _ = evidence.since(since)
        if not evidence.noise or not residuals:
            continue
        by = midmean(residuals)
        if abs(by) >= evidence.noise.error(len(residuals)):
            evidence.change(since, by)
        else:
            evidence.clear()
