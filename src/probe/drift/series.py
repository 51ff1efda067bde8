"""A run as one point of the series of its target and scenario: what is compared over days."""

from dataclasses import dataclass

from probe.drift.fingerprint import Fingerprint, fingerprint
from probe.measures import STAGES, measure_run, measure_turn, outcome, stages_ms
from probe.record import Outcome, RunRecord
from probe.waits import EVERY_STAGE, HEARING, WAITS, Asked, asked, hearing_ms

_PLACES = {stage: place for place, stage in enumerate(EVERY_STAGE)}
_WATCHED = {how: [(stage, _PLACES[stage]) for stage in stages] for how, stages in WAITS.items()}


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
    asked: Asked = "text"
    # HEARING of the first turn.
    hearing_ms: tuple[float | None, ...] = (None,) * len(HEARING)

    def ms(self, stage: str) -> float | None:
        """How long one of EVERY_STAGE took."""
        return (*self.stages_ms, *self.hearing_ms)[_PLACES[stage]]

    def wait_ms(self) -> dict[str, float | None]:
        """What a person waited for: the stages of WAITS, the whole first."""
        known = (*self.stages_ms, *self.hearing_ms)
        return {stage: known[place] for stage, place in _WATCHED[self.asked]}


def of_hearing_ms(record: RunRecord) -> tuple[float | None, ...]:
    """HEARING of the first turn."""
    return hearing_ms(measure_turn(record.turns[0])) if record.turns else (None,) * len(HEARING)


def point(record: RunRecord) -> Point:
    """What a run adds to its series."""
    turns = measure_run(record)
    stages = tuple(stages_ms(turns[0]).values()) if turns else (None,) * len(STAGES)
    hearing = hearing_ms(turns[0]) if turns else (None,) * len(HEARING)
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
        asked=asked(record.plan.target),
        hearing_ms=hearing,
    )
