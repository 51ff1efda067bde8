"""The last run of a series in a few words: how it ended, what of it took the time, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

from probe.measures import TRUSTED, is_slow, judged_ms, longest_silence_ms, measure_run, outcome, stages_ms, summarise
from probe.record import Outcome, RunRecord
from probe.report.advice import advice
from probe.report.document import blamed
from probe.report.objective import WHAT

# A silence in the speech that a listener notices: that of the alert on playout gaps.
SILENCE_MS = 200
_NAMES = {
    "endpointing": "STT to the end of the speech",
    "transcription": "STT to its transcript",
    "llm_ttft": "LLM to its first token",
    "llm_decode": "LLM to the first chunk's end",
    "tts_ttfb": "TTS to its first byte",
}


@dataclass(frozen=True, slots=True)
class LastRun:
    """The run that ended last. `text` says how it ended, and of what; `why` what is known of the reason."""

    run_id: str
    started: int
    ended: int
    outcome: Outcome
    # What the objective judges, in the turn that began last; None where there was nothing.
    waited_ms: float | None
    objective_ms: float
    objective_of: str
    text: str
    stage: str | None
    why: tuple[str, ...]
    # A listener's longest silence after the speech began.
    silence_ms: float | None


def last_run(record: RunRecord) -> LastRun:
    how, target, summary = outcome(record), record.plan.target, summarise(record)
    silence = longest_silence_ms(summary)
    waited = _waited_ms(record)
    return LastRun(
        record.plan.run_id, record.started, record.ended, how, waited, target.objective_ms,
        WHAT[target.objective_measure], _text(record, how, waited), _stage(record), tuple(_why(record)),
        silence if silence > SILENCE_MS else None,
    )  # fmt: skip


def _waited_ms(record: RunRecord) -> float | None:
    """What the objective judges, of the turn that it judges worst."""
    turns = measure_run(record)
    late = [turn for turn in turns if is_slow(turn, record.plan.target)]
    known = [each for turn in late or turns[:1] if (each := judged_ms(turn, record.plan.target)) is not None]
    return max(known, default=None)


def _text(record: RunRecord, how: Outcome, waited: float | None) -> str:
    target = record.plan.target
    of = WHAT[target.objective_measure]
    if record.failure is not None:
        return f"failed: {blamed(record.failure)}, {record.failure.reason}"
    if how not in TRUSTED:
        return f"last run {how}"
    took = f"{of} {waited:.0f} ms" if waited is not None else f"no {of}"
    return f"{took}, {'within' if how == 'ok' else 'not within'} {target.objective_ms:.0f} ms"


def _why(record: RunRecord) -> Iterator[str]:
    """What is known of a failure, a doubt, or why there was no attempt; in our words, no server's."""
    if record.failure is not None:
        yield record.failure.detail
        if (what_to_do := advice(record.failure)) is not None:
            yield f"Try: {what_to_do}"
    if record.skipped is not None:
        yield record.skipped
    yield from record.doubts


def _stage(record: RunRecord) -> str | None:
    """Which stage made up most of the wait for the first byte, or of the whole wait where the objective judges that."""
    turns = measure_run(record)
    late = next((turn for turn in turns if is_slow(turn, record.plan.target)), None)
    if not turns or (record.failure is not None and late is None):
        return None
    turn = late or turns[0]
    stages = stages_ms(turn)
    whole = stages.pop("combined_ttfb")
    if record.plan.target.objective_measure == "voice_to_voice":
        whole = turn.voice_to_voice_ms
        stages |= {"endpointing": turn.endpointing_ms, "transcription": turn.transcription_ms}
    known = {name: each for name, each in stages.items() if each is not None}
    if not whole or not known:
        return None
    most = max(known, key=lambda name: known[name])
    return f"{_NAMES[most]} takes {known[most] / whole:.0%} of it: {known[most]:.0f} ms"
