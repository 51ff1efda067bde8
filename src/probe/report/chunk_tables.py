"""The tables of a report: the stages of each chunk, and what a listener hears."""

from collections.abc import Iterator, Sequence

from probe.audio import decibels, duration_ns
from probe.measures import ChunkMeasures, TurnMeasures, elapsed_ms
from probe.record import Chunk, RunRecord, Turn
from probe.report.format import MISSING, number, table, without_empty
from probe.timestamps import milliseconds

# Text that is passed on at once waits for less than this.
_AT_ONCE_MS = 5.0

# Latencies of each chunk, as the starting document has them, and what a listener makes of them.
_STAGES = ("#", "Tokens", "LLM TTFT", "LLM Gen", "Wait", "TTS TTFB", "TTS Gen", "Audio", "Combined", "Text")
_LISTENER = ("#", "Silence", "Audible", "Gap", "Dry", "Stream", "RTF", "Level", "Peak", "End", "Late")
# Left out, the first ones first, where there is no room for all.
_SPARE = ("TTS Gen", "Tokens", "Audio", "Peak", "Stream", "Silence", "Level")


def tables(record: RunRecord, turn: Turn, measured: TurnMeasures, width: int) -> Iterator[str]:
    """Those of a turn, each after an empty line; one without figures is left out."""
    of_turn = f", TURN {turn.turn_num}" if len(record.turns) > 1 else ""
    pairs = list(zip(turn.chunks, measured.chunks, strict=True))
    if any(figure != MISSING for chunk, each in pairs for figure in _stage_row(chunk, each)[2:-1]):
        yield ""
        yield f"CHUNK BREAKDOWN{of_turn} (ms):"
        yield from _stage_table(pairs, width)
    if any(chunk.frames for chunk in turn.chunks):
        yield ""
        yield f"WHAT A LISTENER HEARS{of_turn} (ms, dB of full scale):"
        columns, rows = without_empty(_LISTENER, [_listener_row(chunk, each) for chunk, each in pairs])
        yield from table(columns, rows, width, _SPARE)


def _stage_table(pairs: Sequence[tuple[Chunk, ChunkMeasures]], width: int) -> Iterator[str]:
    """Without waits where no text had to wait; with them, what only the first chunk can have makes room."""
    hidden = {"Wait"}
    if any(waited(measured) for _, measured in pairs):
        hidden = {"Combined"} if all(measured.combined_ttfb_ms is None for _, measured in pairs[1:]) else set()
    shown = [place for place, name in enumerate(_STAGES) if name not in hidden]
    rows = [_stage_row(chunk, measured) for chunk, measured in pairs]
    columns = [_STAGES[place] for place in shown]
    yield from table(columns, [[row[place] for place in shown] for row in rows], width, _SPARE)


def at_once(chunk: Chunk) -> bool:
    """Whether a chunk's text was passed on without a wait."""
    wait = elapsed_ms(chunk.llm_done, chunk.tts_text_sent)
    return wait is None or wait < _AT_ONCE_MS


def waited(measured: ChunkMeasures) -> bool:
    """Whether the TTS server was not free when the text was there."""
    return measured.tts_wait_ms is not None and measured.tts_wait_ms >= _AT_ONCE_MS


def _stage_row(chunk: Chunk, measured: ChunkMeasures) -> list[str]:
    return [
        str(chunk.chunk_num),
        str(chunk.token_count),
        number(measured.llm_ttft_ms),
        number(measured.llm_gen_time_ms),
        number(measured.tts_wait_ms),
        number(measured.tts_ttfb_ms),
        number(measured.tts_gen_time_ms),
        number(measured.audio_duration_ms),
        number(measured.combined_ttfb_ms),
        chunk.text,
    ]


def _listener_row(chunk: Chunk, measured: ChunkMeasures) -> list[str]:
    sound = chunk.sound
    return [
        str(chunk.chunk_num),
        number(measured.leading_silence_ms),
        number(measured.combined_ttfa_ms),
        number(measured.playout_gap_ms),
        number(measured.underrun_ms),
        number(measured.tts_stream_time_ms),
        number(measured.realtime_factor, 1),
        MISSING if sound is None else number(decibels(sound.rms), 1),
        MISSING if sound is None else number(decibels(sound.peak), 1),
        chunk.segment_end or MISSING,
        number(playing_ms(chunk.late_audio_bytes, chunk.sample_rate)) if chunk.late_audio_bytes else MISSING,
    ]


def playing_ms(size: int, sample_rate: int | None) -> float | None:
    """How long so many bytes of audio play."""
    return milliseconds(duration_ns(size, sample_rate)) if sample_rate else None
