"""Which figures of a turn may be wrong because an arrival may have been earlier than its recorded time. Pure.

A figure is as uncertain as it moves when what is uncertain is put to its earliest: every arrival by itself, and all.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from probe.heard import Heard, Interruption
from probe.measures import ChunkMeasures, TurnMeasures, measure_turn, shows_its_pace
from probe.plan import Role
from probe.record import Chunk, Turn
from probe.timestamps import milliseconds
from probe.transport.share import Slices

# So many reads are examined, the most uncertain ones first; each costs as much as measuring the turn.
_MOST_READS = 16
# So many frames are looked at without letting others have their turn.
_AT_ONCE = 4096
# Of a server's frames, by their moments: the earliest that each may have come in.
Earliest = Mapping[Role, Mapping[int, int]]
_OF_LLM = ("llm_first_token", "llm_first_answer_token", "llm_last_token", "llm_done")
_OF_TTS = ("tts_first_audio", "tts_last_audio", "tts_segment_done")
_OF_STT = ("speech_stopped", "transcript_done")
_CHUNK_MS = tuple(each.name for each in fields(ChunkMeasures) if each.name.endswith("_ms"))
_TURN_MS = tuple(each.name for each in fields(TurnMeasures) if each.name.endswith("_ms"))
# Without these a run is worth nothing.
JUDGED = ((0, "response_ttfb_ms"), (0, "response_ttfa_ms"), (0, "voice_to_voice_ms"))
_MADE_OF = {"tts_stream_time_ms": ("realtime_factor",)}


# A turn and its chunks by their numbers, 0 for the turn itself; and a measure's name.
Figure = tuple[int, str]
# A server, and the earliest that what it sent may have come in.
_Read = tuple[Role, int]


def errors_ms(turn: Turn, earliest: Earliest, limit_ms: float) -> Slices[dict[Figure, float]]:
    """The figures that may be wrong by more than the limit, and by how much."""
    used = _used(turn)
    yield
    wide = {role: {at: since for at, since in each.items() if at in used} for role, each in earliest.items()}
    found: dict[Figure, float] = {}
    if any(wide.values()):
        yield
        measured = measure_turn(turn)
        yield
        reads = _reads(wide)
        yield
        for variant in _variants(wide, reads):
            shifted = yield from _shifted(turn, variant)
            yield
            for figure, error in _differences(measured, measure_turn(shifted)):
                if error > max(limit_ms, found.get(figure, 0.0)):
                    found[figure] = error
    return found


def stall_error_ms(turn: Turn, least: int, most: int, limit_ms: float) -> dict[Figure, float]:
    """The same of the longest wait between two tokens, which is between these, in nanoseconds."""
    longest = max((chunk.llm_longest_stall or 0 for chunk in turn.chunks), default=0)
    error = milliseconds(max(most - longest, longest - least))
    return {(0, "llm_longest_stall_ms"): error} if shows_its_pace(turn) and error > limit_ms else {}


def doubt(errors: Mapping[Figure, float], limit_ms: float) -> str | None:
    """A sentence where one of the figures that a run is judged by may be wrong."""
    judged = {figure: error for figure, error in errors.items() if figure in JUDGED}
    if not judged:
        return None
    (_, name), error = max(judged.items(), key=lambda item: item[1])
    return f"{name} may be wrong by {error:.0f} ms: what came together has one time (limit {limit_ms:g} ms)"


def without_unknown(turn: Turn, errors: Mapping[Figure, float]) -> Turn:
    """The turn with these figures left out, but for those that it is judged by: of these there is a doubt."""
    names: dict[int, list[str]] = {}
    for number, name in errors:
        if (number, name) not in JUDGED:
            names.setdefault(number, []).extend((name, *_MADE_OF.get(name, ())))
    chunks = tuple(replace(chunk, unknown=tuple(names.get(n, ()))) for n, chunk in enumerate(turn.chunks, 1))
    return replace(turn, chunks=chunks, unknown=tuple(names.get(0, ())))


def _used(turn: Turn) -> set[int]:
    """The moments that figures are made of."""
    heard = {getattr(turn.heard, name) for name in _OF_STT if turn.heard is not None}
    named = heard | {getattr(chunk, name) for chunk in turn.chunks for name in (*_OF_LLM, *_OF_TTS)}
    return named | {at for chunk in turn.chunks for at, _ in chunk.frames}


def _reads(wide: Earliest) -> dict[_Read, dict[int, int]]:
    """What came together, by the earliest that it may have come in."""
    reads = defaultdict[_Read, dict[int, int]](dict)
    for role, each in wide.items():
        for at, since in each.items():
            reads[role, since][at] = since
    return reads


def _variants(wide: Earliest, reads: Mapping[_Read, dict[int, int]]) -> Iterator[Earliest]:
    widest = sorted(reads.items(), key=lambda item: max(item[1]) - item[0][1], reverse=True)
    for (role, _), frames in widest[:_MOST_READS]:
        yield {role: frames}
    if len(reads) > 1:
        yield wide


def _shifted(turn: Turn, earliest: Earliest) -> Slices[Turn]:
    """The turn as it would have been had these frames come in at their earliest: not before what they answer."""
    agent = earliest.get("agent", {})
    llm, tts = earliest.get("llm", agent), earliest.get("tts", agent)
    heard = turn.heard and _shifted_heard(turn.heard, earliest.get("stt", agent))
    spoken = turn.interruption and _shifted_interruption(turn.interruption, tts)
    chunks = []
    for chunk in turn.chunks:
        chunks.append((yield from _shifted_chunk(chunk, llm, tts)))  # noqa: PERF401 - a comprehension can not yield
    return replace(turn, heard=heard, interruption=spoken, chunks=tuple(chunks))


def _shifted_heard(heard: Heard, earliest: Mapping[int, int]) -> Heard:
    times = {name: at for name in _OF_STT if (at := getattr(heard, name)) is not None and at in earliest}
    moved: dict[str, Any] = {name: max(earliest[at], heard.speech_end or 0) for name, at in times.items()}
    return replace(heard, **moved)


def _shifted_interruption(spoken: Interruption, earliest: Mapping[int, int]) -> Interruption:
    last = spoken.last_audio
    return spoken if last is None else replace(spoken, last_audio=max(earliest.get(last, last), spoken.start))


def _shifted_chunk(chunk: Chunk, llm: Mapping[int, int], tts: Mapping[int, int]) -> Slices[Chunk]:
    def moved(at: int | None, asked: int | None, earliest: Mapping[int, int]) -> int | None:
        return at if at is None or at not in earliest else max(earliest[at], asked or 0)

    sent = chunk.inference_start if chunk.tts_text_sent is None else chunk.tts_text_sent
    times: dict[str, Any] = {name: moved(getattr(chunk, name), chunk.inference_start, llm) for name in _OF_LLM}
    times |= {name: moved(getattr(chunk, name), sent, tts) for name in _OF_TTS}
    frames = yield from _shifted_frames(chunk.frames, tts, sent or 0)
    return replace(chunk, **times, frames=frames)


def _shifted_frames(
    frames: tuple[tuple[int, int], ...], earliest: Mapping[int, int], asked: int
) -> Slices[tuple[tuple[int, int], ...]]:
    shifted = []
    for n in range(0, len(frames), _AT_ONCE):
        part = frames[n : n + _AT_ONCE]
        shifted += [each if each[0] not in earliest else (max(earliest[each[0]], asked), each[1]) for each in part]
        yield
    return tuple(shifted)


def _differences(measured: TurnMeasures, shifted: TurnMeasures) -> Iterator[tuple[Figure, float]]:
    for name in _TURN_MS:
        yield (0, name), _difference(getattr(measured, name), getattr(shifted, name))
    for number, (one, other) in enumerate(zip(measured.chunks, shifted.chunks, strict=True), 1):
        for name in _CHUNK_MS:
            yield (number, name), _difference(getattr(one, name), getattr(other, name))


def _difference(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)
