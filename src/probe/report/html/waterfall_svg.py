"""The waterfall of a turn as a picture: what stands where on the axis, in percent of its length. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from probe.blame import NAMES
from probe.plan import Target
from probe.record import Turn
from probe.report.format import round_step
from probe.report.html.figures import bare, milliseconds
from probe.report.objective import WHAT
from probe.report.stages import MEANING, Kind, Stage, TurnStages
from probe.timestamps import milliseconds as in_ms

# Of a picture, in pixels: a row, the axis above them.
ROW, AXIS = 24, 20
# How wide the axis is at least on a wide screen, a small one and a phone; a label is shown where there is room for it.
WIDTHS: Mapping[str, int] = {"narrow": 220, "mid": 430, "wide": 760}
_LETTER, _PADDING = 6.4, 8
# What stands before the figure in a bar that is long enough.
_SHORT: Mapping[Kind, str] = {
    "speaking": "speaks", "endpointing": "end of speech", "transcribing": "transcript",
    "connect": "connect", "llm_first": "LLM first token", "reasoning": "reasoning", "llm_rest": "LLM rest",
    "queue": "waits for TTS", "tts_first": "TTS first audio", "audio": "audio arrives", "own": "probe",
    "waiting": "waits", "silence": "silence", "heard": "speech", "gap": "silence", "underrun": "silence",
}  # fmt: skip
_NEVER: Mapping[Kind, str] = {"llm_rest": "no end", "audio": "no end"}
_NOTHING = "nothing came"
# Silences that a listener notices.
SILENCES: tuple[Kind, ...] = ("gap", "underrun")
# Of the axis, what comes before the end of the speech has so much at most: the wait begins there.
_SPEECH = 0.25
# The axis is so much longer than the last stage.
_ROOM = 0.03
_MOST_MARKS = 7
_MS_PER_S = 1000
# Stages may touch in a row, and arrive so much out of order.
_TOUCH_NS = 1000
# What is described of a picture for who can't see it: the table under it has every figure.
_MOST_DESCRIBED = 14


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a row. `x`, `width` are percent of the axis; `room` is the smallest screen that shows `label`."""

    kind: str
    x: float
    width: float
    title: str
    label: str = ""
    room: str = ""
    over: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the picture: its name, its bars, and its figures in short."""

    name: str
    short: str
    bars: Sequence[Bar]
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A turn's waterfall. `bands` are the silences, which go through all rows; `objective` is a place on the axis."""

    rows: Sequence[Row]
    marks: Sequence[Mark]
    bands: Sequence[Bar]
    objective: Mark | None
    legend: Sequence[tuple[str, str]]
    # What it shows, for who can't see it.
    described: Sequence[str]
    left_out: int = 0
    height: int = field(default=0)


@dataclass(frozen=True, slots=True)
class _Axis:
    """From `start`, for `length` nanoseconds; 0 is the turn's request or the end of the speech, at `zero`."""

    start: int
    zero: int
    length: int

    def place(self, at: int) -> float:
        return min(100.0, max(0.0, 100 * (at - self.start) / self.length))


def picture(stages: TurnStages, target: Target, most_chunks: int) -> Picture | None:
    """The turn's, with so many chunks at most; None where it has nothing to draw."""
    drawn = [*stages.hearing, *stages.connects, *(each for chunk in stages.chunks for each in chunk)]
    ends = [each.end for each in drawn] + [each.end for each in stages.heard if each.kind not in {"heard", "silence"}]
    starts = [stages.zero, *(each.start for each in (*drawn, *stages.heard))]
    if not ends or max(ends) <= min(starts):
        return None
    start, end = _start(stages, min(starts), max(ends)), max(ends)
    axis = _Axis(start, stages.zero, round((end - start) * (1 + _ROOM)))
    chosen = _chosen(stages, most_chunks)
    rows = [*_rows(stages, chosen, axis)]
    kinds = dict.fromkeys(each.kind for each in stages.every())
    return Picture(
        rows,
        [*_marks(axis)],
        [_bar(each, axis) for each in stages.heard if each.kind in SILENCES],
        _objective(axis, stages.turn, target),
        [(kind, text) for kind, text in MEANING.items() if kind in kinds and kind != "underrun"],
        [f"{row.name}: {row.summary}" for row in rows if row.summary][:_MOST_DESCRIBED],
        len(stages.chunks) - len(chosen),
        AXIS + ROW * len(rows),
    )


def _start(stages: TurnStages, first: int, last: int) -> int:
    """Where the axis begins: of a long speech only its end is drawn."""
    if not stages.hearing or last <= stages.zero:
        return first
    return max(first, stages.zero - round((last - stages.zero) * _SPEECH / (1 - _SPEECH)))


def _chosen(stages: TurnStages, most: int) -> list[int]:
    """The places of the chunks that are drawn: the first ones, and in place of the last of these the longest."""
    places = range(len(stages.chunks))
    if len(places) <= most:
        return [*places]
    by_length = sorted(places, key=lambda place: -max((each.ms for each in stages.chunks[place]), default=0.0))
    few = most // 5
    return sorted({*places[: most - few], *[place for place in by_length if place >= most - few][:few]})


def _rows(stages: TurnStages, chosen: Iterable[int], axis: _Axis) -> Iterator[Row]:
    yield Row("Listener", "heard", [_bar(each, axis) for each in stages.heard], _heard(stages))
    if stages.hearing:
        yield Row("Speech", "STT", [_bar(each, axis) for each in stages.hearing], _hearing(stages.hearing))
    for connects in _lanes(stages.connects):
        shown = [_bar(each, axis) for each in connects if each.end > axis.start]
        yield Row("Connect", "conn.", shown, _longest(connects))
    for place in chosen:
        number, of_chunk = stages.turn.chunks[place].chunk_num, stages.chunks[place]
        for lane, its in enumerate(_lanes(of_chunk)):
            names = ("", "") if lane else (f"Chunk {number}", f"#{number}")
            yield Row(*names, [_bar(each, axis) for each in its], "" if lane else _summary(of_chunk))


def _longest(connects: Iterable[Stage]) -> str:
    """Each server's longest connect."""
    longest: dict[str, Stage] = {}
    for each in connects:
        server = _server(each)
        longest[server] = max(longest.get(server, each), each, key=lambda stage: stage.ms)
    return " + ".join(f"{server} {_took(each)}" for server, each in longest.items())


def _lanes(stages: Iterable[Stage]) -> list[list[Stage]]:
    """As few rows as show them side by side."""
    lanes: list[list[Stage]] = []
    for each in sorted(stages, key=lambda stage: stage.start):
        free = next((lane for lane in lanes if lane[-1].end <= each.start + _TOUCH_NS), None)
        if free is None:
            lanes.append([each])
        else:
            free.append(each)
    return lanes


def _bar(stage: Stage, axis: _Axis) -> Bar:
    x, end = axis.place(stage.start), axis.place(stage.end)
    label, room = _label(stage, end - x)
    return Bar(stage.kind, round(x, 3), round(max(0.0, end - x), 3), _title(stage), label, room, stage.over)


def _title(stage: Stage) -> str:
    of = f"Chunk {stage.chunk_num}, " if stage.chunk_num is not None else ""
    what = f"connecting to the {_server(stage)} server" if stage.kind == "connect" else MEANING[stage.kind]
    return f"{of}{what}: {_took(stage)}"


def _server(stage: Stage) -> str:
    return next((name for role, name in NAMES.items() if role == stage.text), "")


def _took(stage: Stage) -> str:
    return milliseconds(stage.ms) if stage.over else f"{_NEVER.get(stage.kind, _NOTHING)} for {milliseconds(stage.ms)}"


def _label(stage: Stage, share: float) -> tuple[str, str]:
    """The longest text that has room in the bar, and on which screens; none where there is none."""
    took = _took(stage)
    texts = (f"{_SHORT[stage.kind]} {took}", took, bare(stage.ms)) if stage.over else (took, milliseconds(stage.ms))
    for text in texts:
        for screen, width in WIDTHS.items():
            if len(text) * _LETTER + _PADDING <= share / 100 * width:
                return text, screen
    return "", ""


def _summary(stages: Sequence[Stage]) -> str:
    """What a chunk's work took, side by side: the LLM's, the wait for the TTS server, and that to the first audio."""
    writing = [each for each in stages if each.kind in {"llm_first", "reasoning", "llm_rest"}]
    speaking = [each for each in stages if each.kind == "tts_first"]
    waited = [each for each in stages if each.kind == "queue"]
    parts = []
    if writing:
        parts.append(f"LLM {_sum(writing)}")
    if waited:
        parts.append(f"wait {_sum(waited)}")
    if speaking:
        parts.append(f"TTS {_sum(speaking)}")
    end = "" if all(each.over for each in (*writing, *speaking)) else f", {_NOTHING}"
    return f"{' + '.join(parts)} ms{end}" if parts else ""


def _hearing(stages: Sequence[Stage]) -> str:
    """What the STT server took, part by part."""
    known = [each for each in stages if each.kind in {"endpointing", "transcribing"}]
    parts = " + ".join(bare(each.ms) for each in known)
    return f"STT {parts} ms{'' if all(each.over for each in known) else f', {_NOTHING}'}" if parts else ""


def _sum(stages: Sequence[Stage]) -> str:
    return bare(sum(each.ms for each in stages))


def _heard(stages: TurnStages) -> str:
    silences = [each for each in stages.heard if each.kind in SILENCES]
    first = stages.measured.response_ttfb_ms
    if stages.turn.heard is not None:
        # Since the speech ended, and until there is something to hear.
        first = stages.measured.voice_to_voice_ms
    text = "hears nothing" if first is None else f"waits {bare(first)}"
    if silences:
        text += f" + silence {bare(sum(each.ms for each in silences))}"
    return text if first is None and not silences else f"{text} ms"


def _objective(axis: _Axis, turn: Turn, target: Target) -> Mark | None:
    """Where the wait that it judges is over; one for the whole wait is judged since the end of the speech."""
    asked = turn.chunks[0].began if turn.chunks else axis.zero
    since = axis.zero if target.objective_measure == "voice_to_voice" else asked
    at = since + round(target.objective_ms * 1e6)
    if at > axis.start + axis.length:
        return None
    what = WHAT[target.objective_measure]
    return Mark(round(axis.place(at), 3), f"objective: {what} within {milliseconds(target.objective_ms)}")


def _marks(axis: _Axis) -> Iterator[Mark]:
    """Round numbers of milliseconds since the request."""
    step = round_step(in_ms(axis.length) / _MOST_MARKS)
    first = -int(in_ms(axis.zero - axis.start) // step) * step
    for mark in range(first, int(in_ms(axis.start + axis.length - axis.zero)) + 1, step):
        text = f"{mark} ms" if step < _MS_PER_S else f"{mark // _MS_PER_S} s"
        yield Mark(round(axis.place(axis.zero + mark * 1_000_000), 3), "0" if mark == 0 else text)
