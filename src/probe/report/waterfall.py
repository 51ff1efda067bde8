"""The waterfall of a turn: a line for each stage of each chunk on one axis of time, and what a listener hears of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from probe import whole_wait
from probe.audio import playout
from probe.heard import Heard
from probe.measures import elapsed_ms
from probe.record import Chunk, RunRecord, Turn
from probe.report.chunk_tables import at_once
from probe.report.format import counted, number, round_step, wrapped
from probe.timestamps import milliseconds

_WAITING, _QUEUED, _COMING, _HEARD, _SPOKEN = "░", "·", "█", "━", "▒"
_MEANING: Mapping[str, str] = {
    _SPOKEN: "speech",
    _WAITING: "waiting",
    _COMING: "tokens, audio",
    _QUEUED: "the TTS server is not free",
    _HEARD: "a listener hears it",
}
# What stands behind each bar, and where nothing came at all.
_VALUES, _NOTHING = "wait+rest", "nothing"
# So much longer is the axis where something never came.
_OPEN_END = 0.1
# So much of the axis, at most, shows the speech that the answer is waited for.
_TAIL = 0.1
_COLOURS: Mapping[str, str] = {"person": "yellow", "STT": "blue", "LLM": "cyan", "TTS": "magenta", "heard": "green"}
_LABEL = 9
_MOST_CHUNKS = 12
# How far apart the marks of the axis are at least, in columns.
_APART = 12
_LEAST_COLUMNS = 20
_MS_PER_S = 1000


@dataclass(frozen=True, slots=True)
class _Row:
    """One line: `parts` are (start, end, how it is drawn) in nanoseconds since the turn's first request."""

    label: str
    parts: Sequence[tuple[float, float, str]]
    value: str = ""


def waterfall(record: RunRecord, width: int) -> Iterator[str]:
    """Each turn with something to draw, after an empty line."""
    for turn in record.turns:
        known = [*_of_speech(turn), *(at for chunk in turn.chunks for at in _moments(chunk))]
        if known and max(known) > min(known):
            yield ""
            of_turn = f", TURN {turn.turn_num}" if len(record.turns) > 1 else ""
            yield f"WATERFALL{of_turn}:"
            zero, end = min(known), _end(turn, min(known), max(known))
            transcribed = whole_wait.is_transcribed(record.plan.target)
            yield from _drawn(turn, zero, end, _tail(turn, end - zero), width, transcribed=transcribed)


def _end(turn: Turn, zero: int, last: int) -> int:
    # Of an agent that shows no text nobody waits for one.
    waits = ((each.began, each.llm_first_token or each.tts_first_audio) for each in turn.chunks)
    speaking = ((each.tts_text_sent, each.tts_first_audio) for each in turn.chunks if each.segment_end != "merged")
    never = any(asked is not None and first is None for asked, first in (*waits, *speaking))
    return last + round((last - zero) * _OPEN_END) if never else last


def _tail(turn: Turn, span: int) -> int:
    """How much of the speech is drawn before the wait, in nanoseconds; 0 where nobody spoke."""
    heard = turn.heard
    if heard is None or heard.speech_start is None or heard.speech_end is None:
        return 0
    return min(max(0, heard.speech_end - heard.speech_start), round(span * _TAIL))


def _of_speech(turn: Turn) -> list[int]:
    """From the end of the speech on: a person waits since then."""
    heard = turn.heard
    if heard is None or heard.speech_end is None:
        return []
    stamps = (heard.speech_end, heard.speech_stopped, heard.transcript_done)
    return [at for at in stamps if at is not None]


def _hearing(turn: Turn, zero: int, end: int, tail: int, *, transcribed: bool) -> Iterator[_Row]:
    heard = turn.heard
    if heard is None or heard.speech_end is None:
        return
    if tail:
        yield _Row("person", _spoken(heard, zero, tail))
    stopped, understood = heard.speech_stopped, heard.transcript_done
    first = understood if stopped is None else stopped
    if heard.stopped_late is not None or (not transcribed and first is None and turn.answered):
        # Nobody waited for anything, or nobody knows since when.
        return
    if not transcribed and understood is None and stopped is not None:
        yield _Row(
            "STT",
            [(heard.speech_end - zero, stopped - zero, _WAITING)],
            _value(elapsed_ms(heard.speech_end, stopped), None),
        )
        return
    value = _value(elapsed_ms(heard.speech_end, first), elapsed_ms(stopped, understood))
    yield _Row("STT", _stage(heard.speech_end, first, understood, zero, end), value)


def _spoken(heard: Heard, zero: int, tail: int) -> list[tuple[float, float, str]]:
    """The end of the speech, without the pauses in it."""
    edges: list[float] = [-tail]
    for pause in heard.pauses:
        edges += [max(-tail, pause.start - zero), max(-tail, pause.end - zero)]
    edges.append((heard.speech_end or zero) - zero)
    return [(start, end, _SPOKEN) for start, end in zip(edges[::2], edges[1::2], strict=True) if end > start]


def _moments(chunk: Chunk) -> Iterator[int]:
    stamps = (
        chunk.inference_start, chunk.llm_first_token, chunk.llm_done, chunk.tts_text_sent, chunk.tts_first_audio,
        chunk.tts_last_audio, chunk.tts_segment_done,
    )  # fmt: skip
    return (at for at in stamps if at is not None)


def _drawn(turn: Turn, zero: int, end: int, tail: int, width: int, *, transcribed: bool) -> Iterator[str]:
    rows = [
        *_hearing(turn, zero, end - zero, tail, transcribed=transcribed),
        *_rows(turn, zero, end - zero),
        _listener(turn.chunks, zero),
    ]
    columns = max(_LEAST_COLUMNS, width - _LABEL - 1 - max(len(_VALUES), *(len(row.value) for row in rows)))
    before = round(tail / (end - zero + tail) * columns)
    scale = (end - zero) / (columns - before)
    bars = [_bar(row.parts, scale, columns, before) for row in rows]
    yield f"{'':{_LABEL + before}}{_axis(milliseconds(end - zero), columns - before):{columns - before}} {_VALUES}"
    for row, bar in zip(rows, bars, strict=True):
        colour = _COLOURS[row.label.rpartition(" ")[2]]
        yield f"{row.label:{_LABEL}}{click.style(bar if row.value else bar.rstrip(), fg=colour)} {row.value}".rstrip()
    left_out = len(turn.chunks) - _MOST_CHUNKS
    if left_out > 0:
        yield f"and {counted(left_out, 'more chunk')}"
    used = {how for bar in bars for how in bar}
    yield from wrapped("  ".join(f"{how} {text}" for how, text in _MEANING.items() if how in used), width, " " * _LABEL)


def _rows(turn: Turn, zero: int, end: int) -> Iterator[_Row]:
    for chunk in turn.chunks[:_MOST_CHUNKS]:
        since = whole_wait.asked(turn) if chunk is turn.chunks[0] else chunk.inference_start
        asked = chunk.llm_first_token if since is None else since
        if asked is not None and (chunk.llm_first_token is not None or chunk.tts_first_audio is None):
            parts = _stage(asked, chunk.llm_first_token, chunk.llm_done, zero, end)
            wait = elapsed_ms(since, chunk.llm_first_token)
            rest = elapsed_ms(chunk.llm_first_token, chunk.llm_done)
            yield _Row(f"#{chunk.chunk_num} LLM", parts, _value(wait, rest))
        sent, first = chunk.tts_began, chunk.tts_first_audio
        if sent is None and first is not None:
            sent = since
        if sent is not None and chunk.segment_end != "merged":
            queued = [] if chunk.llm_done is None or at_once(chunk) else [(chunk.llm_done - zero, sent - zero, _QUEUED)]
            parts = [*queued, *_stage(sent, first, chunk.tts_last_audio, zero, end)]
            value = _value(elapsed_ms(sent, first), elapsed_ms(first, chunk.tts_last_audio))
            yield _Row(f"#{chunk.chunk_num} TTS", parts, value)


def _stage(asked: int, first: int | None, last: int | None, zero: int, end: int) -> list[tuple[float, float, str]]:
    """Waiting, then what comes; what never came is waited for until the end of the axis."""
    if first is None:
        return [(asked - zero, end, _WAITING)]
    until = end if last is None else last - zero
    return [(asked - zero, first - zero, _WAITING), (first - zero, until, _COMING)]


def _value(waited: float | None, took: float | None) -> str:
    """How long it was waited for, if it was, and how long it came."""
    if waited is None and took is None:
        return _NOTHING
    return "+".join(number(each) for each in (waited, took) if each is not None) + "ms"


def _listener(chunks: Iterable[Chunk], zero: int) -> _Row:
    played_until: float | None = None
    parts = []
    for chunk in chunks:
        if chunk.frames and chunk.sample_rate:
            frames = [(at - zero, size) for at, size in chunk.frames]
            heard = list(playout(frames, chunk.sample_rate, played_until))
            parts += [(start, until, _HEARD) for start, until in heard]
            played_until = heard[-1][1]
    return _Row("heard", parts)


def _bar(parts: Iterable[tuple[float, float, str]], scale: float, columns: int, before: int) -> str:
    """The wait begins `before` columns from the left. Each part has the columns in which it is for the most part.

    What comes or is heard has one at least.
    """
    cells = [" "] * columns
    for start, end, how in parts:
        first, behind = before + round(start / scale), before + round(end / scale)
        if how in (_COMING, _HEARD):
            first = min(first, columns - 1)
            behind = max(behind, first + 1)
        cells[max(0, first) : behind] = [how] * (min(behind, columns) - max(0, min(first, columns)))
    return "".join(cells[:columns])


def _axis(span_ms: float, columns: int) -> str:
    """Marks at round numbers, each where its text begins."""
    step = round_step(span_ms * _APART / columns)
    line = ""
    for mark in range(0, int(span_ms) + 1, step):
        text = "|0" if mark == 0 else f"|{mark}ms" if step < _MS_PER_S else f"|{mark // _MS_PER_S}s"
        place = round(mark / span_ms * columns)
        if place + len(text) <= columns:
            line = f"{line:{place}}{text}"
    return line
