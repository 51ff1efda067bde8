"""A run as a tree of spans. Pure: the same record always makes the same spans, ids included, so they can be made again.

    probe.run > connect, probe.turn > speech_to_text {name}, probe.chunk > chat {name}, text_to_speech {name}

Times are the recorded ones. A span that was cut off ends where the run failed; a turn that failed before it asked for
anything has no time of its own, and so no span: its failure is the run's.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from probe.drift import Change
from probe.drift.wording import plain
from probe.heard import Heard
from probe.measures import ChunkMeasures, TurnMeasures, measure_run, reasoned
from probe.record import INTERRUPTED, Chunk, Connect, Failure, RunRecord, Stage, Turn
from probe.timestamps import NS_PER_MS
from probe.tracing import attributes, genai
from probe.tracing.span import Span, SpanError, SpanEvent
from probe.urls import without_secrets

# The convention's word where nothing better is known.
_OTHER = "_OTHER"


def spans(record: RunRecord, found: Change | None = None, beside: Sequence[str] = ()) -> list[Span]:
    """All spans of a run, parents before children. Their trace id is `record.plan.trace_id`.

    `found` is the change of latencies that was found with the run, an event at its end; `beside` what changed with it.
    """
    return [_run(record, found, beside), *_connects(record), *_turns(record)]


def count(record: RunRecord) -> int:
    return len(spans(record))


def _run(record: RunRecord, found: Change | None, beside: Sequence[str]) -> Span:
    failure = record.failure
    error = None if failure is None else _error(failure)
    return Span(
        "probe.run",
        record.plan.span_id,
        None,
        "internal",
        record.started,
        record.ended,
        attributes.of_run(record),
        () if found is None else (_drift(found, beside, record.ended),),
        error,
    )


def _drift(found: Change, beside: Sequence[str], at: int) -> SpanEvent:
    return SpanEvent("drift", at, {f"probe.drift.{name}": value for name, value in plain(found, beside).items()})


def _connects(record: RunRecord) -> Iterator[Span]:
    failure = record.failure
    for number, connect in enumerate(record.connects, 1):
        error = None
        if connect.end is None and record.skipped != INTERRUPTED:
            blamed = failure is not None and failure.stage == "connect"
            error = _error(failure) if failure is not None and blamed else SpanError(_OTHER, "did not open")
        yield Span(
            "connect",
            span_id(record, f"connect/{number}"),
            record.plan.span_id,
            "client",
            connect.start,
            _connect_end(connect, record),
            attributes.of_connect(connect, record.plan.target),
            error=error,
        )


def _connect_end(connect: Connect, record: RunRecord) -> int:
    """One that did not open ended with the run, unless it was made to tidy up after that."""
    return connect.end if connect.end is not None else max(connect.start, record.ended)


def _turns(record: RunRecord) -> Iterator[Span]:
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        if turn.chunks or (turn.heard is not None and turn.heard.speech_start is not None):
            yield _turn(record, turn, measured)
            yield from _hearing(record, turn)
            for chunk, each in zip(turn.chunks, measured.chunks, strict=True):
                yield from _Chunk(record, turn, chunk, each).spans()


def _turn(record: RunRecord, turn: Turn, measured: TurnMeasures) -> Span:
    failure = _failure_at(record, turn.turn_num)
    spoken = [] if turn.heard is None else _moments(turn.heard)
    ends = [*spoken, *(_latest(chunk) for chunk in turn.chunks)]
    if turn.done is not None:
        ends.append(turn.done)
    if failure is not None:
        ends.append(failure.at)
    return Span(
        "probe.turn",
        span_id(record, f"turn/{turn.turn_num}"),
        record.plan.span_id,
        "internal",
        spoken[0] if spoken else turn.chunks[0].began,
        max(ends),
        attributes.of_turn(turn, measured),
        _events(interrupted=None if turn.interruption is None else turn.interruption.start),
        None if failure is None else _error(failure),
    )


def _hearing(record: RunRecord, turn: Turn) -> Iterator[Span]:
    """Speech as it was played, until it was understood."""
    heard = turn.heard
    if heard is None or not (moments := _moments(heard)):
        return
    failure = _failure_at(record, turn.turn_num)
    failed = failure is not None and failure.stage == "stt"
    yield Span(
        f"{genai.SPEECH_TO_TEXT} {record.plan.target.option('stt', 'model') or record.plan.target.name}",
        span_id(record, f"turn/{turn.turn_num}/stt"),
        span_id(record, f"turn/{turn.turn_num}"),
        "client",
        moments[0],
        max(*moments, failure.at) if failure is not None and failed else max(moments),
        attributes.of_hearing(record, heard),
        _events(
            speech_end=heard.speech_end, speech_stopped=heard.speech_stopped, transcript_done=heard.transcript_done
        ),
        _error(failure) if failure is not None and failed else None,
    )


def _moments(heard: Heard) -> list[int]:
    """Of what is known, in order; empty where nothing was played."""
    order = (heard.speech_start, heard.speech_end, heard.speech_stopped, heard.transcript_done)
    return [at for at in order if at is not None]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """One chunk, and what its three spans have in common."""

    record: RunRecord
    turn: Turn
    chunk: Chunk
    measured: ChunkMeasures

    def spans(self) -> Iterator[Span]:
        yield self._whole()
        yield self._chat()
        # Of an agent that shows no text, the speech is all that there is to see.
        began = self.chunk.tts_began or (self.chunk.tts_first_audio and self.chunk.began)
        if began is not None:
            yield self._speech(began)

    def _whole(self) -> Span:
        chunk = self.chunk
        failure = self._failure()
        end = _latest(chunk) if failure is None else max(_latest(chunk), failure.at)
        return Span(
            "probe.chunk",
            self._id(),
            span_id(self.record, f"turn/{self.turn.turn_num}"),
            "internal",
            chunk.began,
            end,
            attributes.of_chunk(chunk, self.measured),
            error=self._error(),
        )

    def _chat(self) -> Span:
        chunk, record = self.chunk, self.record
        answer = chunk.llm_first_answer_token if reasoned(self.measured) else None
        return Span(
            f"{genai.CHAT} {attributes.llm_model(record) or record.plan.target.name}",
            self._id("llm"),
            self._id(),
            "client",
            chunk.began,
            self._end(chunk.llm_done, chunk.llm_first_token, chunk.began),
            attributes.of_chat(record, self.turn, chunk, self.measured),
            _events(first_token=chunk.llm_first_token, first_answer_token=answer),
            self._error("llm"),
        )

    def _speech(self, sent: int) -> Span:
        chunk, record = self.chunk, self.record
        audible = None
        if chunk.tts_first_audio is not None and self.measured.leading_silence_ms is not None:
            audible = chunk.tts_first_audio + round(self.measured.leading_silence_ms * NS_PER_MS)
        return Span(
            f"{genai.TEXT_TO_SPEECH} {record.plan.target.option('tts', 'model') or record.plan.target.name}",
            self._id("tts"),
            self._id(),
            "client",
            sent,
            self._end(chunk.tts_segment_done, chunk.tts_last_audio, sent),
            attributes.of_speech(record, chunk, self.measured),
            _events(first_audio=chunk.tts_first_audio, first_audible=audible, last_audio=chunk.tts_last_audio),
            self._error("tts", "audio"),
        )

    def _end(self, done: int | None, *known: int | None) -> int:
        """When it was over; without a word of that, the last thing known, or the failure that cut it off."""
        latest = max(at for at in (done, *known) if at is not None)
        failure = self._failure()
        if done is not None or failure is None or failure.stage == "audio":
            return latest
        return max(latest, failure.at)

    def _failure(self) -> Failure | None:
        failure = _failure_at(self.record, self.turn.turn_num)
        return failure if failure is not None and failure.chunk_num == self.chunk.chunk_num else None

    def _error(self, *stages: Stage) -> SpanError | None:
        failure = self._failure()
        if failure is None or (stages and failure.stage not in stages):
            return None
        return _error(failure)

    def _id(self, part: str = "") -> str:
        return span_id(self.record, f"turn/{self.turn.turn_num}/chunk/{self.chunk.chunk_num}/{part}")


def _failure_at(record: RunRecord, turn_num: int) -> Failure | None:
    failure = record.failure
    return failure if failure is not None and failure.turn_num == turn_num else None


def _error(failure: Failure) -> SpanError:
    return SpanError(failure.reason, without_secrets(failure.detail))


def _latest(chunk: Chunk) -> int:
    known = (
        chunk.inference_start, chunk.llm_first_token, chunk.llm_done, chunk.tts_text_sent, chunk.tts_last_audio,
        chunk.tts_segment_done,
    )  # fmt: skip
    return max(at for at in known if at is not None)


def span_id(record: RunRecord, path: str) -> str:
    """The id of a part of a run, the same each time."""
    return hashlib.sha256(f"{record.plan.trace_id}/{record.plan.span_id}/{path}".encode()).hexdigest()[:16]


def _events(**at: int | None) -> tuple[SpanEvent, ...]:
    events = (SpanEvent(name, moment) for name, moment in at.items() if moment is not None)
    return tuple(sorted(events, key=lambda event: event.at))
