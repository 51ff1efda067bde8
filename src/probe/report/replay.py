"""The events of a run, derived again from its record, so that its timeline can be shown at any time later.

What the record does not hold can't come back: each token, the servers' warnings, and what a segment looked like before
a later frame showed that its audio was another's.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

from probe.blame import NAMES
from probe.heard import Heard
from probe.progress import Event, EventKind
from probe.record import Chunk, RunRecord, Turn
from probe.timestamps import NS_PER_S
from probe.urls import without_secrets


def timeline_events(record: RunRecord) -> list[Event]:
    """What someone who had watched the run would have seen, in the order of time."""
    events = [*_connections(record), *(event for turn in record.turns for event in _turn(turn, record))]
    return sorted(events, key=lambda event: event.at)


def _connections(record: RunRecord) -> Iterator[Event]:
    target = record.plan.target
    for connect in record.connects:
        if connect.end is not None:
            yield Event(
                connect.end,
                "connected",
                _turn_at(record, connect.start),
                text=f"{NAMES[connect.server]} {without_secrets(target.servers[connect.server].url)}",
            )


def _turn_at(record: RunRecord, at: int) -> int:
    """The turn that had begun by then, 0 before the first. One that reconnects first has begun with that."""
    over = [turn.turn_num for turn in record.turns if turn.done is not None and turn.done <= at]
    began = [turn.turn_num for turn in record.turns if turn.chunks and turn.chunks[0].began <= at]
    return max([0, *began, *(number + 1 for number in over if number < len(record.turns))])


def _turn(turn: Turn, record: RunRecord) -> Iterator[Event]:
    if turn.heard is not None:
        yield from _speech(turn.turn_num, turn.heard)
    for chunk, following in zip_longest(turn.chunks, turn.chunks[1:]):
        yield from _llm(turn.turn_num, chunk, following)
        if chunk.tts_text_sent is not None:
            yield Event(chunk.tts_text_sent, "tts_text", turn.turn_num, _as_of(chunk, chunk.tts_text_sent))
            hold_s = record.plan.target.option("tts", "hold_s")
            held_at = chunk.tts_text_sent + round((hold_s or 0) * NS_PER_S)
            if following is not None and hold_s is not None and _was_held(chunk, following, held_at):
                yield Event(held_at, "tts_held", turn.turn_num, _as_of(chunk, held_at))
        yield from _audio(turn.turn_num, chunk)
    if turn.interruption is not None:
        yield Event(turn.interruption.start, "interruption", turn.turn_num)
    if turn.done is not None:
        yield Event(turn.done, "turn_done", turn.turn_num, text="".join(chunk.text for chunk in turn.chunks))


def _speech(turn_num: int, heard: Heard) -> Iterator[Event]:
    moments: tuple[tuple[EventKind, int | None, str], ...] = (
        ("speech_start", heard.speech_start, heard.said or ""),
        ("speech_end", heard.speech_end, ""),
        ("speech_stopped", heard.speech_stopped, ""),
        ("speech_stopped_late", heard.stopped_late, ""),
        ("transcript", heard.transcript_done, heard.transcript),
    )
    for kind, at, text in moments:
        if at is not None:
            yield Event(at, kind, turn_num, text=text)


def _llm(turn_num: int, chunk: Chunk, following: Chunk | None) -> Iterator[Event]:
    if chunk.inference_start is not None:
        yield Event(chunk.inference_start, "llm_start", turn_num, _as_of(chunk, chunk.inference_start))
    if chunk.llm_first_token is not None:
        yield Event(chunk.llm_first_token, "llm_first_token", turn_num, _as_of(chunk, chunk.llm_first_token))
    if chunk.llm_done is not None:
        # What comes behind it without a request says that the server did not stop there.
        cut = not chunk.final and following is not None and following.inference_start is None
        yield Event(chunk.llm_done, "llm_cut" if cut else "llm_chunk_end", turn_num, _as_of(chunk, chunk.llm_done))


def _audio(turn_num: int, chunk: Chunk) -> Iterator[Event]:
    done = chunk.tts_segment_done
    late = [(at, size) for at, size in chunk.frames if done is not None and at > done]
    for number, (at, size) in enumerate(chunk.frames):
        yield Event(at, "tts_audio", turn_num, text=f"audio {size} bytes")
        if number == 0:
            yield Event(at, "tts_first_audio", turn_num, _as_of(chunk, at))
        elif late and at == late[0][0]:
            yield Event(at, "tts_late_audio", turn_num, _as_of(chunk, at))
    if done is not None:
        yield Event(done, "tts_segment_end", turn_num, _as_of(chunk, done))


def _was_held(chunk: Chunk, following: Chunk, held_at: int) -> bool:
    """The dialogue goes on without a text's audio only when the server may be keeping that text."""
    unheard = chunk.tts_first_audio is None or chunk.tts_first_audio > following.began
    return unheard and following.began >= held_at


def _as_of(chunk: Chunk, at: int) -> Chunk:
    """A chunk as it stood then."""
    frames = tuple(frame for frame in chunk.frames if frame[0] <= at)
    over = chunk.tts_segment_done is not None and chunk.tts_segment_done <= at
    return replace(
        chunk,
        llm_first_token=_by(at, chunk.llm_first_token),
        llm_done=_by(at, chunk.llm_done),
        tts_text_sent=_by(at, chunk.tts_text_sent),
        tts_first_audio=frames[0][0] if frames else None,
        tts_last_audio=frames[-1][0] if frames else None,
        tts_segment_done=chunk.tts_segment_done if over else None,
        segment_end=chunk.segment_end if over else None,
        audio_bytes=sum(size for _, size in frames),
        frames=frames,
    )


def _by(at: int, moment: int | None) -> int | None:
    return moment if moment is not None and moment <= at else None
