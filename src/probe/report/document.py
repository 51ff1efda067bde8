"""The run as one JSON document, `probe run --json`, and the parts that lists and log lines of runs share with it.

Timestamps are seconds since the epoch, measures milliseconds.
"""

from dataclasses import asdict
from typing import Any

from probe import whole_wait
from probe.audio import decibels
from probe.heard import Heard, Interruption
from probe.measures import ChunkMeasures, Summary, TurnMeasures, measure_run, outcome, summarise
from probe.outside import outside_ms, server_ttft_ms
from probe.record import Chunk, Failure, RunRecord, Turn
from probe.report import intelligibility
from probe.timestamps import epoch_seconds, milliseconds, utc
from probe.typed_json import plain

TIMESTAMPS = (
    "inference_start",
    "llm_first_token",
    "llm_first_answer_token",
    "llm_last_token",
    "llm_done",
    "tts_text_sent",
    "tts_first_audio",
    "tts_last_audio",
    "tts_segment_done",
)

OF_SPEECH = ("speech_start", "speech_end", "speech_stopped", "transcript_done")


def document(record: RunRecord) -> dict[str, Any]:
    """Return the public form of a record: what happened, every timestamp, every measure."""
    plan = record.plan
    return {
        **identity(record),
        "prompt_cache": plan.scenario.prompt_cache,
        "outcome": outcome(record),
        "objective_ms": plan.target.objective_ms,
        "objective_measure": plan.target.objective_measure,
        "failure": None if record.failure is None else _failure(record.failure),
        "skipped": record.skipped,
        "doubts": list(record.doubts),
        "unstamped": record.unstamped,
        "said": list(record.said),
        **started(record),
        "ended_ts": epoch_seconds(record.ended),
        "llm_model": record.served.model,
        "llm_build": record.served.build,
        "cold": record.cold,
        "machine": None if record.machine is None else rounded(plain(record.machine)),
        "reported": {role: rounded(plain(found)) for role, found in record.reported.items()},
        "voice": plan.target.option("tts", "voice"),
        "sample_rate": plan.target.option("tts", "sample_rate"),
        "connects": [
            {"server": each.server, "start_ts": epoch_seconds(each.start), "end_ts": _ts(each.end)}
            for each in record.connects
        ],
        "turns": [_turn(turn, measured) for turn, measured in zip(record.turns, measure_run(record), strict=True)],
        "summary": rounded(asdict(summarise(record))),
        "intelligibility": intelligibility.document(record),
    }


def explained(record: RunRecord, message: str) -> str:
    """A message of ours, and what the servers said, in their own words: for the run's owner alone."""
    return "; ".join(each for each in (message, *record.said) if each)


def blamed(failure: Failure) -> str:
    """The stage of a failure, and the server where the stage does not say which."""
    return failure.stage if failure.server in (None, failure.stage) else f"{failure.stage} at {failure.server}"


def identity(record: RunRecord) -> dict[str, str]:
    """Which run it is, and of what."""
    plan = record.plan
    return {
        "run_id": plan.run_id,
        "trace_id": plan.trace_id,
        "target": plan.target.name,
        "scenario": plan.scenario.name,
    }


def started(record: RunRecord) -> dict[str, Any]:
    """When the run began."""
    return {"started_at": utc(record.started).isoformat(), "started_ts": epoch_seconds(record.started)}


def key_figures(summary: Summary) -> dict[str, float | None]:
    """The figures of a run among others: what a person waited for, its stages in the first chunk, and the silences."""
    first = summary.first or ChunkMeasures()
    spoken = ("voice_to_voice_ms", "endpointing_ms", "transcription_ms", "interrupted_ms")
    whole = {name: value for name in spoken if (value := getattr(summary, name)) is not None}
    return {
        **whole,
        "response_ttfb_ms": summary.response_ttfb_ms,
        "response_ttfa_ms": summary.response_ttfa_ms,
        "llm_ttft_ms": first.llm_ttft_ms,
        "llm_ttfat_ms": first.llm_ttfat_ms,
        "llm_gen_time_ms": first.llm_gen_time_ms,
        "llm_tokens_per_second": summary.llm_tokens_per_second,
        "llm_longest_stall_ms": summary.llm_longest_stall_ms,
        "tts_wait_longest_ms": summary.tts_wait_longest_ms,
        "tts_ttfb_ms": first.tts_ttfb_ms,
        "tts_gen_time_ms": first.tts_gen_time_ms,
        "playout_gap_total_ms": summary.playout_gap_total_ms,
    }


def answer(turn: Turn) -> str:
    """The text of a turn's response."""
    return "".join(chunk.text for chunk in turn.chunks)


def rounded(value: Any, digits: int = 3) -> Any:
    """Figures to the microsecond, wherever they are: what is below that is noise of the arithmetic."""
    if isinstance(value, dict):
        return {key: rounded(each, digits) for key, each in value.items()}
    return round(value, digits) if isinstance(value, float) else value


def _ts(at: int | None) -> float | None:
    return None if at is None else epoch_seconds(at)


def _failure(failure: Failure) -> dict[str, Any]:
    fields = asdict(failure)
    return {"at_ts": epoch_seconds(fields.pop("at")), **fields}


def _turn(turn: Turn, measured: TurnMeasures) -> dict[str, Any]:
    return {
        "turn_num": turn.turn_num,
        "user": turn.user,
        "text": answer(turn),
        "response_ttfb_ms": rounded(measured.response_ttfb_ms),
        "response_ttfa_ms": rounded(measured.response_ttfa_ms),
        "llm_tokens_per_second": rounded(measured.llm_tokens_per_second),
        "llm_longest_stall_ms": rounded(measured.llm_longest_stall_ms),
        **{name: rounded(getattr(measured, name)) for name in whole_wait.NAMES if turn.heard is not None},
        "heard": None if turn.heard is None else _heard(turn.heard),
        **({} if turn.interruption is None else {"interruption": _interruption(turn.interruption)}),
        "llm_model": turn.model,
        "usage_tokens": turn.usage_tokens,
        "prompt_tokens": turn.prompt_tokens,
        "cached_tokens": turn.cached_tokens,
        "server_times_ms": rounded(dict(turn.server_times)),
        "server_ttft_ms": rounded(server_ttft_ms(turn)),
        "outside_ms": rounded(outside_ms(turn, measured)),
        "unknown": list(turn.unknown),
        "done_ts": _ts(turn.done),
        "stray_audio_bytes": turn.stray_audio_bytes,
        "chunks": [_chunk(chunk, each) for chunk, each in zip(turn.chunks, measured.chunks, strict=True)],
    }


def _heard(heard: Heard) -> dict[str, Any]:
    late = {"end_late_ms": heard.end_late_ns, "longest_late_ms": heard.longest_late_ns}
    cut_off = whole_wait.cut_off(heard)
    return {
        **{f"{name}_ts": _ts(getattr(heard, name)) for name in OF_SPEECH},
        "transcript": heard.transcript,
        "cut_off": None if cut_off is None else rounded(_cut_off(cut_off)),
        **{name: None if ns is None else rounded(milliseconds(ns)) for name, ns in late.items()},
    }


def _interruption(spoken: Interruption) -> dict[str, Any]:
    return {"start_ts": _ts(spoken.start), "last_audio_ts": _ts(spoken.last_audio), "stopped": spoken.stopped}


def _cut_off(where: whole_wait.CutOff) -> dict[str, float | None]:
    return {"after_ms": where.after_ms, "pause_ms": where.pause_ms, "into_pause_ms": where.into_ms}


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
        "server_ttft_ms": rounded(chunk.server_ttft_ms),
        **{f"{name}_ts": _ts(getattr(chunk, name)) for name in TIMESTAMPS},
        **rounded(asdict(measured)),
        "unknown": list(chunk.unknown),
        "rms_dbfs": None if sound is None else rounded(decibels(sound.rms)),
        "peak_dbfs": None if sound is None else rounded(decibels(sound.peak)),
    }
