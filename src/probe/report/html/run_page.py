"""The page of one run: a record becomes a view of texts and figures, and that a fragment of HTML.

The fragment has no script and no style of its own: it is the same in a page that is served and in a file.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup, escape

from probe.blame import NAMES
from probe.measures import ChunkMeasures, TurnMeasures, measure_run, outcome, reasoned, summarise
from probe.outside import outside_of_run
from probe.record import Outcome, RunRecord, Turn
from probe.report import document, intelligibility, stages
from probe.report.advice import advice
from probe.report.audio_peaks import Sound
from probe.report.format import counted
from probe.report.html.callouts import sentences
from probe.report.html.environment import rendered
from probe.report.html.figures import MISSING, ago, bare, milliseconds, moment, percent
from probe.report.html.waterfall_svg import AXIS, ROW, SILENCES, Picture, picture
from probe.report.server_line import server_lines
from probe.report.stages import MEANING
from probe.report.terminal import verdict
from probe.text import cut, escaped, one_line
from probe.urls import without_secrets

# Of a chunk (turn, chunk): what of its audio is kept.
Sounds = Mapping[tuple[int, int], Sound]
NO_SOUNDS: Sounds = {}
# What is longer is cut: a page is for reading, and `probe show` has all of it. Characters of a text, of all texts of
# the answers, and of the JSON document as HTML; rows of pictures, of tables.
_MOST_TEXT, _MOST_SHORT, _MOST_ANSWERS, _MOST_JSON = 2000, 300, 8_000, 80_000
_MOST_DRAWN, _MOST_LISTED, _MOST_TURNS = 80, 60, 10
_MOST_TEXTS, _MOST_VERDICT = 16, 500
_WAITS = (("response_ttfb_ms", "First byte"), ("response_ttfa_ms", "First sound"))
# Of a target that hears, before the others.
_WHOLE_WAIT = (("voice_to_voice_ms", "Whole wait"),)
_LEFT_OUT = "may be wrong by more than the published error, and is left out"
# Of each chunk: a heading, and what stands under it.
_FIGURES: Mapping[str, str] = {
    "llm_ttft_ms": "LLM TTFT",
    "llm_ttfat_ms": "LLM TTFAT",
    "llm_gen_time_ms": "LLM gen time",
    "tts_wait_ms": "TTS wait",
    "tts_ttfb_ms": "TTS TTFB",
    "tts_gen_time_ms": "TTS gen time",
    "audio_duration_ms": "Audio",
    "combined_ttfb_ms": "Combined TTFB",
    "combined_ttfa_ms": "Combined TTFA",
    "leading_silence_ms": "Silence first",
    "playout_gap_ms": "Gap before",
    "underrun_ms": "Dry within",
    "probe_delay_ms": "Probe's delay",
}


@dataclass(frozen=True, slots=True)
class ChunkView:
    name: str
    text: str
    figures: Sequence[str]
    sound: Sound | None


@dataclass(frozen=True, slots=True)
class TurnView:
    """`name` is empty where the run has only this turn.

    `understood` is the transcript of what the user said, None without one, and `errors` what is wrong in it; `heard`
    and `heard_errors` are the same of the answer.
    """

    name: str
    user: str
    understood: str | None
    errors: str
    picture: Picture | None
    headings: Sequence[str]
    chunks: Sequence[ChunkView]
    left_out: int
    heard: str | None = None
    heard_errors: str = ""


@dataclass(frozen=True, slots=True)
class RunView:
    """Everything that the page shows. Texts are as the record has them: the template escapes them."""

    run_id: str
    target: str
    scenario: str
    started: str
    outcome: str
    verdict: str
    advice: str
    callouts: Sequence[str]
    figures: Sequence[tuple[str, str, str]]
    facts: Sequence[tuple[str, str]]
    prompts: Sequence[tuple[str, str]]
    doubts: Sequence[str]
    said: Sequence[str]
    left_out: Sequence[str]
    turns: Sequence[TurnView]
    json: Markup


def fragment(record: RunRecord, now: int, sounds: Sounds = NO_SOUNDS) -> Markup:
    """The run as it is shown within a page. `now` is epoch nanoseconds."""
    return rendered("run.html", {"run": view(record, now, sounds), "row": ROW, "axis": AXIS})


def title(record: RunRecord) -> str:
    """Of the page, in one line."""
    plan = record.plan
    return one_line(f"{outcome(record)}: {plan.target.name}, {plan.scenario.name}, {moment(record.started)}")


def view(record: RunRecord, now: int, sounds: Sounds = NO_SOUNDS) -> RunView:
    if record.failure is not None:
        # An address in a message of ours may have been written with a password.
        record = replace(record, failure=replace(record.failure, detail=without_secrets(record.failure.detail)))
    measured = measure_run(record)
    of_turns = stages.of_run(record, measured)
    how, scenario = outcome(record), record.plan.scenario
    return RunView(
        run_id=record.plan.run_id,
        target=record.plan.target.name,
        scenario=scenario.name,
        started=f"{moment(record.started)}, {ago(record.started, now)}",
        outcome=how,
        verdict=_verdict(record, how),
        advice=(advice(record.failure) or "") if record.failure is not None and how == "failed" else "",
        callouts=sentences(record, of_turns),
        figures=[*_figures(record, of_turns)],
        facts=[*_facts(record, measured)],
        prompts=[
            ("System prompt", cut(scenario.system_prompt, _MOST_TEXT)),
            *(("User", cut(text, _MOST_SHORT)) for text in scenario.user_turns[:_MOST_TURNS]),
        ],
        doubts=_few(record.doubts),
        said=_few(record.said),
        left_out=_few([*_left_out(record)]),
        turns=_with_one_legend([_turn(each, record, sounds) for each in of_turns[:_MOST_TURNS]]),
        json=_json(record),
    )


def _verdict(record: RunRecord, how: Outcome) -> str:
    """In words, without the outcome, which stands beside it in a colour of its own."""
    if how == "suspect":
        return cut(f"A figure of it may be wrong: {_more(record.doubts)}", _MOST_VERDICT)
    text = cut(verdict(record, how, milliseconds), _MOST_VERDICT)
    if how == "failed":
        return f"Failed{text.removeprefix('FAILED')}"
    why = text.partition(": ")[2]
    return f"{why[:1].upper()}{why[1:]}"


def _more(texts: Sequence[str]) -> str:
    return f"{texts[0]}, and {counted(len(texts) - 1, 'more doubt')}" if len(texts) > 1 else texts[0]


def _few(texts: Sequence[str]) -> list[str]:
    """The first of them, and how many more there are."""
    more = len(texts) - _MOST_TEXTS
    rest = [f"and {more} more, which `probe show` lists"] if more > 0 else []
    return [*(cut(text, _MOST_SHORT) for text in texts[:_MOST_TEXTS]), *rest]


def _figures(record: RunRecord, of_turns: Sequence[stages.TurnStages]) -> Iterator[tuple[str, str, str]]:
    """The few that a person waited for: a name, a figure, and what to compare it with."""
    summary, target = summarise(record), record.plan.target
    hears = "stt" in target.servers or any(turn.heard for turn in record.turns)
    for measure, name in (*(_WHOLE_WAIT if hears else ()), *_WAITS):
        values = [getattr(each.measured, measure) for each in of_turns]
        notes = [f"objective {milliseconds(target.objective_ms)}"] if measure[:-3] == target.objective_measure else []
        known = [value for value in values if value is not None]
        if len(values) > 1 and known and max(known) != values[0]:
            notes.append(f"longest {milliseconds(max(known))}, turn {1 + values.index(max(known))}")
        yield name, milliseconds(values[0] if values else None), ", ".join(notes)
    silences = [each.ms for turn in of_turns for each in turn.heard if each.kind in SILENCES]
    heard = any(chunk.frames for turn in record.turns for chunk in turn.chunks)
    shown = (milliseconds(sum(silences)) if silences else "none") if heard else MISSING
    interrupted = [each.measured.interrupted_ms for each in of_turns if each.measured.interrupted_ms is not None]
    if interrupted:
        yield "Spoken on when interrupted", milliseconds(max(interrupted)), ""
    yield "Silences after that", shown, f"{len(silences)} of them" if len(silences) > 1 else ""
    yield "Speech", milliseconds(summary.audio_ms or None), ""


def _facts(record: RunRecord, measured: Sequence[TurnMeasures]) -> Iterator[tuple[str, str]]:
    target = record.plan.target
    for role, server in target.servers.items():
        yield NAMES[role].replace("agent", "Agent"), f"{server.protocol}, {without_secrets(server.url)}"
    yield "Model", ", ".join(_models(record)) or MISSING
    yield "Build", record.served.build or MISSING
    yield "Voice", str(target.option("tts", "voice") or MISSING)
    yield "Cold start", {True: "yes, a model was loaded for this run", False: "no", None: MISSING}[record.cold]
    if record.transcription is not None:
        yield "Understood", "; ".join(f"{a}: {b}" for a, b in intelligibility.figures(record.transcription).items())
    yield from server_lines(record)
    if (outside := outside_of_run(record, measured)) is not None:
        yield "Network and queue", f"{milliseconds(outside)} of LLM TTFT"
    yield "Run", record.plan.run_id
    yield "Trace", record.plan.trace_id


def _models(record: RunRecord) -> list[str]:
    """Those that answered, and what the server calls the one that it runs; of a file its name alone."""
    answered = dict.fromkeys(turn.model for turn in record.turns if turn.model)
    asked = record.plan.target.option("llm", "model")
    names = [record.served.model, *answered, None if answered else asked]
    return [*dict.fromkeys(name.rpartition("/")[2] if name.startswith("/") else name for name in names if name)]


def _left_out(record: RunRecord) -> Iterator[str]:
    """The figures that are missing because they may be wrong, by name."""
    for turn in record.turns:
        of_turn = f"turn {turn.turn_num}" if len(record.turns) > 1 else "the response"
        for name in turn.unknown:
            yield f"{_named(name)} of {of_turn} {_LEFT_OUT}"
        for chunk in turn.chunks:
            for name in chunk.unknown:
                where = f"turn {turn.turn_num}, chunk" if len(record.turns) > 1 else "chunk"
                yield f"{_named(name)} of {where} {chunk.chunk_num} {_LEFT_OUT}"
    if record.unstamped:
        yield (
            f"Reads without the kernel's time of arrival: {record.unstamped}. Figures may be too long by as much as"
            " self_check.max_lag_ms"
        )


def _named(measure: str) -> str:
    return _FIGURES.get(measure, measure.removesuffix("_ms"))


def _turn(of_turn: stages.TurnStages, record: RunRecord, sounds: Sounds) -> TurnView:
    turn, turns = of_turn.turn, max(1, min(len(record.turns), _MOST_TURNS))
    pairs = [*zip(turn.chunks, of_turn.measured.chunks, strict=True)][: _MOST_LISTED // turns]
    shown = [name for name in _FIGURES if any(_value(each, name) is not None for _, each in pairs)]
    if not any(reasoned(each) for _, each in pairs):
        shown = [name for name in shown if name != "llm_ttfat_ms"]
    longest = min(_MOST_TEXT, _MOST_ANSWERS // max(1, turns * len(pairs)))
    heard = intelligibility.of_turn(record, turn.turn_num)
    return TurnView(
        name=f"Turn {turn.turn_num}" if len(record.turns) > 1 else "",
        user=cut(turn.user, _MOST_SHORT),
        understood=_understood(turn),
        errors=_rate(of_turn.measured.word_error_rate),
        picture=picture(of_turn, record.plan.target, _MOST_DRAWN // turns),
        headings=["Tokens", *(_FIGURES[name] for name in shown)],
        chunks=[
            ChunkView(
                f"Chunk {chunk.chunk_num}",
                cut(chunk.text.strip(), longest),
                [str(chunk.token_count), *(bare(_value(each, name)) for name in shown)],
                sounds.get((turn.turn_num, chunk.chunk_num)),
            )
            for chunk, each in pairs
        ],
        left_out=len(turn.chunks) - len(pairs),
        heard=None if heard is None else cut(heard.transcript, longest),
        heard_errors=_rate(None if heard is None else heard.word_error_ratio),
    )


def _understood(turn: Turn) -> str | None:
    heard = turn.heard
    return None if heard is None or heard.transcript_done is None else cut(heard.transcript, _MOST_SHORT)


def _rate(errors: float | None) -> str:
    return "" if errors is None else f"word error rate {percent(errors)}"


def _with_one_legend(turns: Sequence[TurnView]) -> list[TurnView]:
    """The first picture explains the colours of all."""
    drawn = [turn.picture for turn in turns if turn.picture is not None]
    used = {entry for each in drawn for entry in each.legend}
    legend = [(kind, text) for kind, text in MEANING.items() if (kind, text) in used]
    return [
        replace(turn, picture=turn.picture and replace(turn.picture, legend=legend if turn.picture is drawn[0] else []))
        for turn in turns
    ]


def _value(measured: ChunkMeasures, name: str) -> float | None:
    value: float | None = getattr(measured, name)
    return value


def _json(record: RunRecord) -> Markup:
    """The document of `probe show --json`; empty where it is too long for a page."""
    chunks = [chunk for turn in record.turns for chunk in turn.chunks]
    texts = sum(len(chunk.text) for chunk in chunks) + sum(len(turn.user) for turn in record.turns)
    if texts > _MOST_JSON or len(chunks) > _MOST_LISTED:
        # It would only be made to be thrown away.
        return Markup()
    text = escape(escaped(json.dumps(document.document(record), ensure_ascii=False, indent=1)))
    return text if len(text) <= _MOST_JSON else Markup()
