"""The page of one run: a record becomes a view of texts and figures, and that a fragment of HTML.

The fragment has no script and no style of its own: it is the same in a page that is served and in a file.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from probe.blame import NAMES
from probe.measures import ChunkMeasures, measure_run, outcome, summarise
from probe.record import RunRecord
from probe.report import document, stages
from probe.report.advice import advice
from probe.report.audio_peaks import Sound
from probe.report.html.callouts import sentences
from probe.report.html.environment import rendered
from probe.report.html.figures import ago, bare, milliseconds, moment
from probe.report.html.waterfall_svg import AXIS, ROW, Picture, picture
from probe.report.objective import ok_means
from probe.report.terminal import verdict
from probe.text import cut, escaped
from probe.urls import without_secrets

# Of a chunk (turn, chunk): what of its audio is kept.
Sounds = Mapping[tuple[int, int], Sound]
NO_SOUNDS: Sounds = {}
# What is longer is cut: a page is for reading, and `probe show` has all of it.
_MOST_TEXT = 2000
_MOST_CHUNKS = 60
_MOST_JSON = 80_000
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
    """`name` is empty where the run has only this turn."""

    name: str
    user: str
    picture: Picture | None
    headings: Sequence[str]
    chunks: Sequence[ChunkView]
    left_out: int


@dataclass(frozen=True, slots=True)
class RunView:
    """Everything that the page shows. Texts are as the record has them: the template escapes them."""

    run_id: str
    target: str
    scenario: str
    outcome: str
    verdict: str
    advice: str
    callouts: Sequence[str]
    facts: Sequence[tuple[str, str]]
    prompts: Sequence[tuple[str, str]]
    doubts: Sequence[str]
    left_out: Sequence[str]
    turns: Sequence[TurnView]
    json: str


def fragment(record: RunRecord, now: int, sounds: Sounds = NO_SOUNDS) -> Markup:
    """The run as it is shown within a page. `now` is epoch nanoseconds."""
    return rendered("run.html", {"run": view(record, now, sounds), "row": ROW, "axis": AXIS})


def title(record: RunRecord) -> str:
    """Of the page, in one line."""
    plan = record.plan
    return f"{outcome(record)}: {plan.target.name}, {plan.scenario.name}, {moment(record.started)}"


def view(record: RunRecord, now: int, sounds: Sounds = NO_SOUNDS) -> RunView:
    measured = measure_run(record)
    of_turns = stages.of_run(record, measured)
    how, scenario = outcome(record), record.plan.scenario
    return RunView(
        run_id=record.plan.run_id,
        target=record.plan.target.name,
        scenario=scenario.name,
        outcome=how,
        verdict=verdict(record, how),
        advice=(advice(record.failure) or "") if record.failure is not None and how == "failed" else "",
        callouts=sentences(record, of_turns),
        facts=[*_facts(record, now)],
        prompts=[
            ("System prompt", _shortened(scenario.system_prompt)),
            *(("User", _shortened(text)) for text in scenario.user_turns),
        ],
        doubts=record.doubts,
        left_out=[*_left_out(record)],
        turns=[_turn(each, record, sounds) for each in of_turns],
        json=_json(record),
    )


def _facts(record: RunRecord, now: int) -> Iterator[tuple[str, str]]:
    summary, target = summarise(record), record.plan.target
    yield "First byte", milliseconds(summary.response_ttfb_ms)
    yield "First sound", milliseconds(summary.response_ttfa_ms)
    yield "Objective", ok_means(target)
    yield "Started", f"{moment(record.started)}, {ago(record.started, now)}"
    yield "Took", milliseconds((record.ended - record.started) / 1e6)
    for role, server in target.servers.items():
        yield NAMES[role], f"{server.protocol}, {without_secrets(server.url)}"
    asked, voice = target.option("llm", "model"), target.option("tts", "voice")
    answered = dict.fromkeys(turn.model for turn in record.turns if turn.model)
    models = dict.fromkeys(map(str, filter(None, (record.served.model, *answered, None if answered else asked))))
    yield "Model", ", ".join(models) or milliseconds(None)
    if record.served.build:
        yield "Build", record.served.build
    if voice:
        yield "Voice", str(voice)
    if record.cold is not None:
        yield "Cold start", "yes, a model was loaded for this run" if record.cold else "no"
    yield "Audio", milliseconds(summary.audio_ms or None)
    yield "Run id", record.plan.run_id
    yield "Trace id", record.plan.trace_id


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
    turn = of_turn.turn
    shown = [name for name in _FIGURES if any(_value(each, name) is not None for each in of_turn.measured.chunks)]
    pairs = [*zip(turn.chunks, of_turn.measured.chunks, strict=True)][:_MOST_CHUNKS]
    return TurnView(
        name=f"Turn {turn.turn_num}" if len(record.turns) > 1 else "",
        user=_shortened(turn.user),
        picture=picture(of_turn, record.plan.target),
        headings=["Tokens", *(_FIGURES[name] for name in shown)],
        chunks=[
            ChunkView(
                f"Chunk {chunk.chunk_num}",
                _shortened(chunk.text),
                [str(chunk.token_count), *(bare(_value(each, name)) for name in shown)],
                sounds.get((turn.turn_num, chunk.chunk_num)),
            )
            for chunk, each in pairs
        ],
        left_out=len(turn.chunks) - len(pairs),
    )


def _value(measured: ChunkMeasures, name: str) -> float | None:
    value: float | None = getattr(measured, name)
    return value


def _shortened(text: str) -> str:
    return cut(text, _MOST_TEXT)


def _json(record: RunRecord) -> str:
    """The document of `probe show --json`; empty where it is too long for a page."""
    text = escaped(json.dumps(document.document(record), ensure_ascii=False, indent=1))
    return text if len(text) <= _MOST_JSON else ""
