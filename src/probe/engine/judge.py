"""Judges the audio: measures each segment, and finds the first one that is not speech."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

from probe import audio, speechlike
from probe.audio import speakable
from probe.blame import NAMES, server_of
from probe.engine.turn import TurnInProgress, with_segment
from probe.plan import AUDIBLE_DBFS, Target
from probe.record import AudioAnalysis, Chunk, Failure, Turn

_AUDIO_FAULTS = {
    "missing": "no audio",
    "silent": "nothing but silence",
    "noise": "noise",
    "odd_bytes": "half a sample (an odd number of bytes of 16-bit audio)",
    "hum": "a steady hum",
    "clicks": "clicks, and nothing that lasts,",
    "text": "text, and no samples,",
    "too_short": "less audio than any word takes",
    "too_long": "far more audio than it takes to say it",
}


async def finished(turn: TurnInProgress, audible_dbfs: float) -> Turn:
    """The record of a turn, with its audio measured."""
    heard = turn.tts.heard
    spoken = {segment.chunk_num: segment for segment in heard.all}
    chunks = []
    for each in turn.llm.chunks:
        chunk, segment = each.chunk(), spoken.get(each.chunk_num)
        if segment is not None:
            chunk = await _heard(with_segment(chunk, segment), segment.pcm, segment.sample_rate, audible_dbfs)
        chunks.append(chunk)
    usage = turn.llm.usage
    return Turn(
        turn_num=turn.turn_num,
        user=turn.user,
        chunks=tuple(chunks),
        done=heard.done,
        stray_audio_bytes=heard.stray_bytes,
        model=turn.llm.model,
        usage_tokens=usage.tokens if usage else None,
        prompt_tokens=usage.prompt if usage else None,
        cached_tokens=usage.cached if usage else None,
        server_times=turn.llm.server_times.values,
        server_ttft_ms=turn.llm.server_times.first_token_ms,
        heard=None if turn.hearing is None else turn.hearing.heard(),
        interruption=turn.interruption,
    )


def audio_failure(turns: Sequence[Turn], complaints: Sequence[str], target: Target) -> Failure | None:
    """The first segment that is complete, but not speech.

    `complaints` is what went wrong in each turn while the server went on.
    """
    server = server_of("audio", target.servers)
    for turn, complaint in zip(turns, complaints, strict=True):
        for chunk, text in _spoken(turn):
            reason = _reason(chunk, text, target.audible_dbfs)
            # The end of an agent's answer is the end of its sound, too.
            due = chunk.tts_text_sent or chunk.tts_segment_done or chunk.tts_last_audio
            if server is not None and reason is not None and due is not None:
                at = chunk.tts_last_audio or turn.done or due
                where = f"turn {turn.turn_num}, chunk {chunk.chunk_num}"
                what = "a text that it does not show" if text is None else f"a text of {len(text.strip())} characters"
                detail = f"{where}: the {NAMES[server]} server sent {_AUDIO_FAULTS[reason]} for {what}{complaint}"
                return Failure("audio", reason, detail, at, turn.turn_num, chunk.chunk_num, server)
    return None


def audio_doubts(turns: Sequence[Turn], audible_dbfs: float) -> Iterator[str]:
    """What speaks against each segment that is over and may be speech, as a sentence."""
    for turn in turns:
        for chunk, text in _spoken(turn):
            if chunk.sound is None or chunk.tts_segment_done is None:
                continue
            if _reason(chunk, text, audible_dbfs) is None:
                for doubt in speechlike.doubts(chunk.sound, text):
                    yield f"turn {turn.turn_num}, chunk {chunk.chunk_num}: its audio {doubt}"


def with_what_was_before(failure: Failure, unheard: Failure | None) -> Failure:
    """A record has one failure, the one that ended the run; its detail says which audio had been no speech by then."""
    if unheard is None or unheard.turn_num == failure.turn_num:
        return failure
    return replace(failure, detail=f"{failure.detail}; before that, {unheard.detail}")


def _spoken(turn: Turn) -> Iterator[tuple[Chunk, str | None]]:
    """The chunks that should be audible, each with its text; None for one that nobody has seen.

    An agent may speak without showing its text.
    """
    for chunk, text in turn.spoken():
        unseen = chunk.frames and chunk.tts_text_sent is None and not speakable(text)
        yield chunk, None if unseen else text


def _reason(chunk: Chunk, text: str | None, audible_dbfs: float) -> str | None:
    rate = chunk.sample_rate or 0
    reason = speechlike.fault(chunk.sound, chunk.pcm, text, rate, audible_dbfs)
    # What was cut short is judged by what cut it.
    return None if reason == "too_short" and chunk.tts_segment_done is None else reason


async def _heard(chunk: Chunk, pcm: bytearray, sample_rate: int, audible_dbfs: float) -> Chunk:
    return replace(chunk, pcm=pcm, sound=await _listen(pcm, sample_rate, audible_dbfs) if pcm else None)


async def _listen(pcm: bytearray, sample_rate: int, audible_dbfs: float = AUDIBLE_DBFS) -> AudioAnalysis:
    """Measure a segment, however long, without holding up the event loop, where other runs are measured."""
    analyser = audio.AudioAnalyser(pcm, sample_rate, audible_dbfs)
    for _ in analyser.blocks():
        await asyncio.sleep(0)
    return analyser.sound()
