"""A run as a tree of spans. Pure: the same record always makes the same spans, ids included, so they can be made again.

    probe.run > connect, probe.turn > probe.chunk > chat {name}, text_to_speech {name}

Times are the recorded ones. A span that was cut off ends where the run failed; a turn that failed before it asked for
anything has no time of its own, and so no span: its failure is the run's.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from probe.drift import Change
from probe.drift.wording import plain
from probe.measures import ChunkMeasures, TurnMeasures, measure_run, outcome
from probe.privacy import without_texts
from probe.record import Chunk, Connect, Failure, Pause, RunRecord, Stage, Turn
from probe.timestamps import NS_PER_MS
from probe.tracing import genai
from probe.urls import without_secrets

Value = str | bool | int | float | tuple[str, ...]
_PORTS = {"ws": 80, "wss": 443}
# The convention's word where nothing better is known.
_OTHER = "_OTHER"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    name: str
    at: int
    attributes: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanError:
    type: str
    detail: str


@dataclass(frozen=True, slots=True)
class Span:
    """One span; ids are lower-case hexadecimal, times nanoseconds since the epoch."""

    name: str
    span_id: str
    parent_id: str | None
    kind: Literal["internal", "client"]
    start: int
    end: int
    attributes: Mapping[str, Value] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    error: SpanError | None = None


def spans(record: RunRecord, found: Change | None = None) -> list[Span]:
    """All spans of a run, parents before children. Their trace id is `record.plan.trace_id`.

    `found` is the change of latencies that the run gave away, told as an event at its end.
    """
    return [_run(record, found), *_connects(record), *_turns(record)]


def count(record: RunRecord) -> int:
    return len(spans(record))


def _run(record: RunRecord, found: Change | None) -> Span:
    plan, failure = record.plan, record.failure
    attributes: dict[str, Value | None] = {
        "probe.run_id": plan.run_id,
        "probe.target": plan.target.name,
        "probe.scenario": plan.scenario.name,
        "probe.prompt_cache": plan.scenario.prompt_cache,
        "probe.objective_ms": plan.target.objective_ms,
        "probe.outcome": outcome(record),
        "probe.skipped": None if record.skipped is None else without_secrets(record.skipped),
        "probe.doubts": record.doubts or None,
        "probe.failure.stage": None if failure is None else failure.stage,
    }
    error = None if failure is None else _error(record, failure)
    return Span(
        "probe.run",
        plan.span_id,
        None,
        "internal",
        record.started,
        record.ended,
        _present(attributes),
        () if found is None else (_drift(found, record.ended),),
        error,
    )


def _drift(found: Change, at: int) -> SpanEvent:
    return SpanEvent("drift", at, {f"probe.drift.{name}": value for name, value in plain(found).items()})


def _connects(record: RunRecord) -> Iterator[Span]:
    failure = record.failure
    for number, connect in enumerate(record.connects, 1):
        url = record.plan.target.llm_url if connect.server == "llm" else record.plan.target.tts_url
        error = None
        if connect.end is None:
            blamed = failure is not None and failure.stage == "connect"
            error = _error(record, failure) if failure is not None and blamed else SpanError(_OTHER, "did not open")
        yield Span(
            "connect",
            _span_id(record, f"connect/{number}"),
            record.plan.span_id,
            "client",
            connect.start,
            _connect_end(connect, record),
            {"probe.server": connect.server, **_address(url)},
            error=error,
        )


def _connect_end(connect: Connect, record: RunRecord) -> int:
    """One that did not open ended with the run, unless it was made to tidy up after that."""
    return connect.end if connect.end is not None else max(connect.start, record.ended)


def _turns(record: RunRecord) -> Iterator[Span]:
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        if turn.chunks:
            yield _turn(record, turn, measured)
            for chunk, each in zip(turn.chunks, measured.chunks, strict=True):
                yield from _Chunk(record, turn, chunk, each).spans()


def _turn(record: RunRecord, turn: Turn, measured: TurnMeasures) -> Span:
    attributes = {
        "probe.turn_num": turn.turn_num,
        "probe.response_ttfb_ms": measured.response_ttfb_ms,
        "probe.response_ttfa_ms": measured.response_ttfa_ms,
        "probe.stray_audio_bytes": turn.stray_audio_bytes or None,
    }
    failure = _failure_at(record, turn.turn_num)
    ends = [_latest(chunk) for chunk in turn.chunks]
    if turn.done is not None:
        ends.append(turn.done)
    if failure is not None:
        ends.append(failure.at)
    return Span(
        "probe.turn",
        _span_id(record, f"turn/{turn.turn_num}"),
        record.plan.span_id,
        "internal",
        turn.chunks[0].inference_start,
        max(ends),
        _present(attributes),
        error=None if failure is None else _error(record, failure),
    )


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
        if self.chunk.tts_text_sent is not None:
            yield self._speech(self.chunk.tts_text_sent)

    def _whole(self) -> Span:
        chunk = self.chunk
        attributes = {
            "probe.chunk_num": chunk.chunk_num,
            "probe.token_count": chunk.token_count,
            "probe.audio_bytes": chunk.audio_bytes,
            "probe.late_audio_bytes": chunk.late_audio_bytes or None,
            "probe.stop_reason": chunk.stop_reason,
            "probe.segment_end": chunk.segment_end,
            **{f"probe.{name}": value for name, value in asdict(self.measured).items()},
        }
        failure = self._failure()
        end = _latest(chunk) if failure is None else max(_latest(chunk), failure.at)
        return Span(
            "probe.chunk",
            self._id(),
            _span_id(self.record, f"turn/{self.turn.turn_num}"),
            "internal",
            chunk.inference_start,
            end,
            _present(attributes),
            error=self._error(),
        )

    def _chat(self) -> Span:
        chunk, target, scenario = self.chunk, self.record.plan.target, self.record.plan.scenario
        model = self.record.served.model
        pause: Pause = scenario.first_pause if chunk.chunk_num == 1 else scenario.next_pause
        attributes = {
            genai.OPERATION_NAME: genai.CHAT,
            genai.PROVIDER_NAME: target.llm_protocol,
            genai.REQUEST_MODEL: model,
            genai.OUTPUT_TYPE: "text",
            genai.REQUEST_STREAM: True,
            genai.REQUEST_TEMPERATURE: scenario.temperature,
            genai.REQUEST_MAX_TOKENS: pause.max_tokens,
            genai.RESPONSE_TIME_TO_FIRST_CHUNK: _seconds(self.measured.llm_ttft_ms),
            genai.RESPONSE_FINISH_REASONS: None if chunk.stop_reason is None else (chunk.stop_reason,),
            genai.USAGE_OUTPUT_TOKENS: chunk.token_count,
            "probe.server_ttft_ms": chunk.server_ttft_ms,
            **_address(target.llm_url),
        }
        return Span(
            f"{genai.CHAT} {model or target.name}",
            self._id("llm"),
            self._id(),
            "client",
            chunk.inference_start,
            self._end(chunk.llm_done, chunk.llm_first_token, chunk.inference_start),
            _present(attributes),
            _events(first_token=chunk.llm_first_token),
            self._error("llm"),
        )

    def _speech(self, sent: int) -> Span:
        chunk, target = self.chunk, self.record.plan.target
        attributes = {
            genai.OPERATION_NAME: genai.TEXT_TO_SPEECH,
            genai.PROVIDER_NAME: target.tts_protocol,
            genai.OUTPUT_TYPE: "speech",
            genai.REQUEST_STREAM: True,
            genai.RESPONSE_TIME_TO_FIRST_CHUNK: _seconds(self.measured.tts_ttfb_ms),
            "probe.voice": target.voice,
            "probe.segment_end": chunk.segment_end,
            **_address(target.tts_url),
        }
        audible = None
        if chunk.tts_first_audio is not None and self.measured.leading_silence_ms is not None:
            audible = chunk.tts_first_audio + round(self.measured.leading_silence_ms * NS_PER_MS)
        return Span(
            f"{genai.TEXT_TO_SPEECH} {target.name}",
            self._id("tts"),
            self._id(),
            "client",
            sent,
            self._end(chunk.tts_segment_done, chunk.tts_last_audio, sent),
            _present(attributes),
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
        return _error(self.record, failure)

    def _id(self, part: str = "") -> str:
        return _span_id(self.record, f"turn/{self.turn.turn_num}/chunk/{self.chunk.chunk_num}/{part}")


def _failure_at(record: RunRecord, turn_num: int) -> Failure | None:
    failure = record.failure
    return failure if failure is not None and failure.turn_num == turn_num else None


def _error(record: RunRecord, failure: Failure) -> SpanError:
    return SpanError(failure.reason, without_texts(without_secrets(failure.detail), record))


def _latest(chunk: Chunk) -> int:
    known = (
        chunk.inference_start, chunk.llm_first_token, chunk.llm_done, chunk.tts_text_sent, chunk.tts_last_audio,
        chunk.tts_segment_done,
    )  # fmt: skip
    return max(at for at in known if at is not None)


def _span_id(record: RunRecord, path: str) -> str:
    return hashlib.sha256(f"{record.plan.trace_id}/{record.plan.span_id}/{path}".encode()).hexdigest()[:16]


def _events(**at: int | None) -> tuple[SpanEvent, ...]:
    events = (SpanEvent(name, moment) for name, moment in at.items() if moment is not None)
    return tuple(sorted(events, key=lambda event: event.at))


def _address(url: str) -> dict[str, Value]:
    parts = urlsplit(url)
    return {genai.SERVER_ADDRESS: parts.hostname or "", genai.SERVER_PORT: parts.port or _PORTS.get(parts.scheme, 0)}


def _present(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    """What is missing is no attribute."""
    return {name: value for name, value in attributes.items() if value is not None}


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000
