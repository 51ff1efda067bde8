"""A run as one point of the series of its target and scenario: what is compared over days."""

from dataclasses import dataclass

from probe.drift.fingerprint import Fingerprint, fingerprint
from probe.measures import STAGES, measure_run, outcome, stages_ms
from probe.record import Outcome, RunRecord


@dataclass(frozen=True, slots=True)
class Point:
    """`started` is nanoseconds since the epoch; `stages_ms` are STAGES of the first turn, None where one is unknown.

    The figures of a run that is not `ok` or `slow` are no latencies to compare, nor are those of a `cold` one, for
    which a server had to load its model.
    """

    run_id: str
    started: int
    outcome: Outcome
    serving: Fingerprint
    stages_ms: tuple[float | None, ...]
    cold: bool = False
    # Of the first chunk, None where they are not known.
    chars: int | None = None
    tokens: int | None = None


def point(record: RunRecord) -> Point:
    """What a run adds to its series."""
    turns = measure_run(record)
    stages = tuple(stages_ms(turns[0]).values()) if turns else (None,) * len(STAGES)
    first = next((chunk for turn in record.turns[:1] for chunk in turn.chunks[:1]), None)
    return Point(
        record.plan.run_id,
        record.started,
        outcome(record),
        fingerprint(record),
        stages,
        cold=record.cold is True,
        chars=len(first.text) if first else None,
        tokens=first.token_count if first else None,
    )
