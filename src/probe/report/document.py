"""The run as one JSON document: `probe run --json`. Timestamps are seconds since the epoch, measures milliseconds."""

from dataclasses import asdict
from typing import Any

from probe.audio import decibels
from probe.measures import ChunkMeasures, TurnMeasures, measure_run, outcome, summarise
from probe.record import Chunk, Failure, RunRecord, Turn
from probe.timestamps import epoch_seconds, utc

TIMESTAMPS = (
    "inference_start",
    "llm_first_token",
    "llm_done",
    "tts_text_sent",
    "tts_first_audio",
    "tts_last_audio",
    "tts_segment_done",
)


def document(record: RunRecord) -> dict[str, Any]:
    """Return the public form of a record: what happened, every timestamp, every measure."""
    plan = record.plan
    return {
        "run_id": plan.run_id,
        "trace_id": plan.trace_id,
        "target": plan.target.name,
        "scenario": plan.scenario.name,
        "prompt_cache": plan.scenario.prompt_cache,
        "outcome": outcome(record),
        "objective_ms": plan.target.objective_ms,
        "failure": None if record.failure is None else _failure(record.failure),
        "skipped": record.skipped,
        "doubts": list(record.doubts),
        "started_at": utc(record.started).isoformat(),
        "started_ts": epoch_seconds(record.started),
        "ended_ts": epoch_seconds(record.ended),
        "llm_model": record.served.model,
        "llm_build": record.served.build,
        "voice": plan.target.voice,
        "sample_rate": plan.target.sample_rate,
        "connects": [
            {"server": each.server, "start_ts": epoch_seconds(each.start), "end_ts": _ts(each.end)}
            for each in record.connects
        ],
        "turns": [_turn(turn, measured) for turn, measured in zip(record.turns, measure_run(record), strict=True)],
        "summary": _rounded(asdict(summarise(record))),
    }


def _ts(at: int | None) -> float | None:
    return None if at is None else epoch_seconds(at)


def _failure(failure: Failure) -> dict[str, Any]:
    fields = asdict(failure)
    return {"at_ts": epoch_seconds(fields.pop("at")), **fields}


def _turn(turn: Turn, measured: TurnMeasures) -> dict[str, Any]:
    return {
        "turn_num": turn.turn_num,
        "user": turn.user,
        "text": "".join(chunk.text for chunk in turn.chunks),
        "response_ttfb_ms": _rounded(measured.response_ttfb_ms),
        "response_ttfa_ms": _rounded(measured.response_ttfa_ms),
        "done_ts": _ts(turn.done),
        "stray_audio_bytes": turn.stray_audio_bytes,
        "chunks": [_chunk(chunk, each) for chunk, each in zip(turn.chunks, measured.chunks, strict=True)],
    }


def _chunk(chunk: Chunk, measured: ChunkMeasures) -> dict[str, Any]:
    sound = chunk.sound
    return {
        "chunk_num": chunk.chunk_num,
        "text": chunk.text,
        "token_count": chunk.token_count,
        "audio_bytes": chunk.audio_bytes,
        "late_audio_bytes": chunk.late_audio_bytes,
        "stop_reason": chunk.stop_reason,
        "segment_end": chunk.segment_end,
        "server_ttft_ms": _rounded(chunk.server_ttft_ms),
        **{f"{name}_ts": _ts(getattr(chunk, name)) for name in TIMESTAMPS},
        **_rounded(asdict(measured)),
        "rms_dbfs": None if sound is None else _rounded(decibels(sound.rms)),
        "peak_dbfs": None if sound is None else _rounded(decibels(sound.peak)),
    }


def _rounded(value: Any) -> Any:
    """Figures to the microsecond, wherever they are: what is below that is noise of the arithmetic."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return round(value, 3) if isinstance(value, float) else value
