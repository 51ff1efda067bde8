"""The present level of each stage, with the level that would be expected without a change since the baseline."""

import math
from collections.abc import Iterator, Mapping

from probe.drift.baseline import hour_of, midmean
from probe.drift.change import Moved
from probe.drift.episode import Episode
from probe.drift.evidence import Evidence
from probe.drift.figures import CERTAIN, ENOUGH, SETTLED


def compared(stages: Mapping[str, Evidence], episode: Episode | None) -> Iterator[Moved]:
    """Each stage that is known. Now is the level since the last change while `episode` lasts, else the last runs."""
    for stage, evidence in stages.items():
        if not evidence.noise:
            continue
        level, runs = evidence.baseline.level, min(ENOUGH, max(1, evidence.since_change))
        base = episode.before.get(stage, level) if episode else level
        is_known = episode is not None and evidence.since_change >= SETTLED
        away = 0.0 if is_known else midmean(evidence.last_residuals(runs))
        by = level - base + away
        is_reported = episode is not None and stage in episode.stages
        is_certain = is_reported or abs(by) >= CERTAIN * evidence.noise.error(SETTLED if is_known else runs)
        usual = evidence.baseline.expected(hour_of(evidence.seen.last_at)) - level + base
        yield Moved(stage, math.exp(usual), math.exp(usual + by), is_certain)
