"""Which figures of a turn may be wrong because an arrival in them may have been earlier than its moment says. Pure.

A figure is as uncertain as it moves when what is uncertain is put to its earliest: every arrival by itself, and all.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from probe.measures import ChunkMeasures, TurnMeasures, measure_turn, shows_its_pace
from probe.record import Chunk, Role, Turn
from probe.timestamps import milliseconds

# So many reads are looked at, those first of which least is known; each costs as much as measuring the turn.
_MOST_READS = 16
# Frames of one read have moments that are a nanosecond apart.
_ONE_READ_NS = 1_000
# Of a server's frames, by their moments: the earliest that each may have come in.
Earliest = Mapping[Role, Mapping[int, int]]
_OF_LLM = ("llm_first_token", "llm_first_answer_token", "llm_last_token", "llm_done")
_OF_TTS = ("tts_first_audio", "tts_last_audio", "tts_segment_done")
_CHUNK_MS = tuple(each.name for each in fields(ChunkMeasures) if each.name.endswith("_ms"))
_TURN_MS = tuple(each.name for each in fields(TurnMeasures) if each.name.endswith("_ms"))


def of_arrivals(turn: Turn, earliest: Earliest, limit_ms: float) -> str | None:
    """The figure that is most uncertain, as a sentence; None where all are within the limit."""
    used = _used(turn)
    wide = {role: {at: since for at, since in each.items() if at in used} for role, each in earliest.items()}
    if not any(wide.values()):
        return None
    measured = measure_turn(turn)
    errors = (each for shifted in _variants(turn, wide) for each in _differences(measured, measure_turn(shifted)))
    error, name = max(errors, default=(0.0, ""))
    return _sentence(name, error, limit_ms) if error > limit_ms else None


def of_stall(turn: Turn, least: int, most: int, limit_ms: float) -> str | None:
    """The same of the longest wait between two tokens, which is between these, in nanoseconds."""
    longest = max((chunk.llm_longest_stall or 0 for chunk in turn.chunks), default=0)
    error = milliseconds(max(most - longest, longest - least))
    return _sentence("llm_longest_stall_ms", error, limit_ms) if shows_its_pace(turn) and error > limit_ms else None


def _sentence(name: str, error_ms: float, limit_ms: float) -> str:
    return f"{name} may be wrong by {error_ms:.0f} ms: what came together has one time (limit {limit_ms:g} ms)"


def _used(turn: Turn) -> set[int]:
    """The moments that figures are made of."""
    named = {getattr(chunk, name) for chunk in turn.chunks for name in (*_OF_LLM, *_OF_TTS)}
    return named | {at for chunk in turn.chunks for at, _ in chunk.frames}


def _variants(turn: Turn, wide: Earliest) -> Iterator[Turn]:
    reads: dict[tuple[Role, int], dict[int, int]] = {}
    for role, each in wide.items():
        for at, since in each.items():
            reads.setdefault((role, since), {})[at] = since
    widest = sorted(reads.items(), key=lambda item: max(item[1]) - item[0][1], reverse=True)
    for (role, _), frames in widest[:_MOST_READS]:
        yield _shifted(turn, {role: frames})
    if len(reads) > 1:
        yield _shifted(turn, wide)


def _shifted(turn: Turn, earliest: Earliest) -> Turn:
    """The turn as it would have been had these frames come in at their earliest: not before what they answer."""
    agent = earliest.get("agent", {})
    llm, tts = earliest.get("llm", agent), earliest.get("tts", agent)
    return replace(turn, chunks=tuple(_shifted_chunk(chunk, llm, tts) for chunk in turn.chunks))


def _shifted_chunk(chunk: Chunk, llm: Mapping[int, int], tts: Mapping[int, int]) -> Chunk:
    def moved(at: int | None, asked: int | None, earliest: Mapping[int, int]) -> int | None:
        return at if at is None or at not in earliest else max(earliest[at], asked or 0)

    sent = chunk.inference_start if chunk.tts_text_sent is None else chunk.tts_text_sent
    times: dict[str, Any] = {name: moved(getattr(chunk, name), chunk.inference_start, llm) for name in _OF_LLM}
    times |= {name: moved(getattr(chunk, name), sent, tts) for name in _OF_TTS}
    if _ends_together(chunk):
        times["tts_last_audio"] = chunk.tts_last_audio
    frames = tuple((moved(at, sent, tts) or at, size) for at, size in chunk.frames)
    return replace(chunk, **times, frames=frames)


def _ends_together(chunk: Chunk) -> bool:
    """Whether the last audio came in one read with what ends the segment, which servers write right behind it."""
    last, done = chunk.tts_last_audio, chunk.tts_segment_done
    return last is not None and done is not None and 0 < done - last < _ONE_READ_NS


def _differences(measured: TurnMeasures, shifted: TurnMeasures) -> Iterator[tuple[float, str]]:
    for name in _TURN_MS:
        yield _difference(getattr(measured, name), getattr(shifted, name)), name
    for number, (one, other) in enumerate(zip(measured.chunks, shifted.chunks, strict=True), 1):
        for name in _CHUNK_MS:
            yield _difference(getattr(one, name), getattr(other, name)), f"chunk {number}, {name}"


def _difference(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)
