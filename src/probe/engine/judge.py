"""Judging what was heard: each segment measured, and the first one that is no speech."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from probe import audio
from probe.engine.turn import TurnInProgress, with_segment
from probe.record import AudioAnalysis, Chunk, Failure, Role, Turn

_AUDIO_FAULTS = {
    "missing": "no audio",
    "silent": "nothing but silence",
    "noise": "noise at full scale",
    "odd_bytes": "half a sample (an odd number of bytes of 16-bit audio)",
}


async def finished(turn: TurnInProgress) -> Turn:
    """A turn as the record has it, its audio measured."""
    heard = turn.tts.heard
    spoken = {segment.chunk_num: segment for segment in heard.all}
    chunks = []
    for each in turn.llm.chunks:
        chunk, segment = each.chunk(), spoken.get(each.chunk_num)
        if segment is not None:
            chunk = await _heard(with_segment(chunk, segment), bytes(segment.pcm), segment.sample_rate)
        chunks.append(chunk)
    return Turn(
        turn_num=turn.turn_num,
        user=turn.user,
        chunks=tuple(chunks),
        done=heard.done,
        stray_audio_bytes=heard.stray_bytes,
        model=turn.llm.model,
        usage_tokens=turn.llm.usage_tokens,
        server_times=turn.llm.server_times,
    )


def audio_failure(turns: Sequence[Turn], complaints: Sequence[str], server: Role | None) -> Failure | None:
    """The first segment that is not speech: complete, and still no answer.

    `complaints` is what went wrong in each turn while the server went on, `server` the one that speaks.
    """
    for turn, complaint in zip(turns, complaints, strict=True):
        for chunk in turn.chunks:
            reason = None if chunk.segment_end == "merged" else audio.fault(chunk.sound, chunk.audio_bytes, chunk.text)
            if reason is not None and chunk.tts_text_sent is not None:
                at = chunk.tts_last_audio or turn.done or chunk.tts_text_sent
                where = f"turn {turn.turn_num}, chunk {chunk.chunk_num}"
                size = len(chunk.text.strip())
                detail = f"{where}: the TTS server sent {_AUDIO_FAULTS[reason]} for a text of {size} characters"
                detail += complaint
                return Failure("audio", reason, detail, at, turn.turn_num, chunk.chunk_num, server)
    return None


def with_what_was_before(failure: Failure, unheard: Failure | None) -> Failure:
    """A record has one failure, the one that ended the run; its detail says which audio had been no speech by then."""
    if unheard is None or unheard.turn_num == failure.turn_num:
        return failure
    return replace(failure, detail=f"{failure.detail}; before that, {unheard.detail}")


async def _heard(chunk: Chunk, pcm: bytes, sample_rate: int) -> Chunk:
    return replace(chunk, pcm=pcm, sound=await _listen(pcm, sample_rate) if pcm else None)


async def _listen(pcm: bytes, sample_rate: int) -> AudioAnalysis:
    """Measure a segment, however long, without holding up the event loop, where other runs are measured."""
    analyser = audio.AudioAnalyser(pcm, sample_rate)
    for _ in analyser.blocks():
        await asyncio.sleep(0)
    return analyser.sound()
