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


def change_levels(stages: Mapping[str, Evidence], since: int, alarmed: str) -> None:
    """Have each stage that moved with that run a new level, or the one before if what `alarmed` shows went as it came.

    Were that decided for each stage by itself, the level of some would keep the mistake of few runs.
    """
    moves = dict(_moves(stages, since))
    gone = stages[alarmed].gone(since, moves[alarmed]) if alarmed in moves else None
    for stage, by in moves.items():
        evidence = stages[stage]
        if gone is not None and evidence.undo(gone, by):
            continue
        if abs(by) >= evidence.error_since(since):
            evidence.change(since, by)
        else:
            evidence.clear()


def _moves(stages: Mapping[str, Evidence], since: int) -> Iterator[tuple[str, float]]:
    for stage, evidence in stages.items():
        residuals, _ = evidence.since(since)
        if evidence.noise and residuals:
            yield stage, midmean(residuals)
