"""Records made by hand. At `RATE` two bytes last a millisecond, so that every figure can be worked out in the head."""

from collections.abc import Sequence
from typing import Any

from probe.config import ScenarioConfig, TargetConfig
from probe.plan import Plan
from probe.record import AudioAnalysis, Chunk, Failure, RunRecord, Turn

RATE = 8000
BYTES_PER_MS = 16
EPOCH = 1_700_000_000_000_000_000


def at(ms: float) -> int:
    """The timestamp so many milliseconds after the run's start."""
    return EPOCH + round(ms * 1_000_000)


def chunk(num: int = 1, asked: float | None = 0, *, frames: Sequence[tuple[float, float]] = (), **times: Any) -> Chunk:
    """A chunk asked for at `asked` ms whose frames are (arrival, duration) in ms, as are other timestamps by name."""
    arrived = tuple((at(when), round(ms * BYTES_PER_MS)) for when, ms in frames)
    plain = {name: times.pop(name) for name in tuple(times) if name in _NOT_TIMES}
    audio = {"tts_first_audio": arrived[0][0], "tts_last_audio": arrived[-1][0]} if arrived else {}
    stamps = {name: None if ms is None else at(ms) for name, ms in times.items()}
    size = sum(size for _, size in arrived)
    fields = {"frames": arrived, "audio_bytes": size, "sample_rate": RATE, **audio, **stamps, **plain}
    return Chunk(num, None if asked is None else at(asked), **fields)


def heard(silence_ms: float | None = 0) -> AudioAnalysis:
    """What was heard of a segment that starts with so much silence, or (None) is nothing else."""
    return AudioAnalysis(RATE, None if silence_ms is None else round(silence_ms * RATE / 1000), 0.1, 0.5, 0.9)


def turn(*chunks: Chunk, num: int = 1, done: float | None = None) -> Turn:
    return Turn(num, "Hello?", chunks, None if done is None else at(done))


def plan(objective_ms: float = 1000) -> Plan:
    target = TargetConfig.of(sample_rate=RATE, objective_ms=objective_ms).record("test")
    return Plan("r1", "0123456789abcdef0123456789abcdef", "0123456789abcdef", target, ScenarioConfig().record("test"))


def record(*turns: Turn, ended: float = 10_000, objective_ms: float = 1000, **fields: Any) -> RunRecord:
    return RunRecord(plan(objective_ms), at(0), at(ended), turns=turns, **fields)


def failure(stage: Any = "tts", reason: str = "timeout") -> Failure:
    return Failure(stage, reason, "nothing from the TTS server for 10 s", at(9000), 1, 1)


_NOT_TIMES = (
    "text", "token_count", "llm_longest_stall", "stop_reason", "final", "segment_end", "audio_bytes",
    "late_audio_bytes", "sound",
)  # fmt: skip
