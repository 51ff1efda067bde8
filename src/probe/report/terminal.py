"""The report of a finished run: header, summary, chunk tables. The caller strips the colours that it can't show."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple

import click

from probe.measures import (
    ChunkMeasures,
    Summary,
    TurnMeasures,
    is_slow,
    judged_ms,
    measure_run,
    outcome,
    reasoned,
    summarise,
)
from probe.outside import outside_ms
from probe.plan import ObjectiveMeasure, Plan, Target
from probe.record import INTERRUPTED, Outcome, RunRecord, Turn
from probe.report import intelligibility
from probe.report.advice import advice
from probe.report.chunk_tables import playing_ms, tables, waited
from probe.report.document import TIMESTAMPS, blamed, explained
from probe.report.format import MISSING, counted, ms, number, shortened, wrapped, wrapped_as_it_is
from probe.report.machine_line import machine_line
from probe.report.objective import WHAT
from probe.report.server_line import server_lines
from probe.report.timeline import describe_pause, stamp
from probe.report.waterfall import waterfall
from probe.text import one_line
from probe.timestamps import epoch_seconds, local

_COLOURS: dict[Outcome, str] = {"ok": "green", "slow": "red", "failed": "red", "suspect": "yellow", "skipped": "yellow"}
_LEFT_OUT = "they may be wrong by more than the published error"
_LABEL_WIDTH = 22
_UNSTAMPED = (
    "wider: {} without the kernel's time of arrival, which only Linux gives; figures may be too long by as much as"
    " self_check.max_lag_ms (20 ms, unless set)"
)
_PROMPT_WIDTH = 200


def header(plan: Plan, width: int) -> Iterator[str]:
    """The header: target, scenario and prompts."""
    scenario, target = plan.scenario, plan.target
    first, further = describe_pause(scenario.first_pause), describe_pause(scenario.next_pause)
    yield from _title(f"VOICE PROBE  {plan.run_id}", width, "=")
    yield ""
    asked = _asked_for(target)
    yield from wrapped(f"{target.name} ({asked})" if asked else target.name, width, "Target:   ")
    yield from wrapped(f"{scenario.name} (prompt cache {scenario.prompt_cache})", width, "Scenario: ")
    yield from wrapped(shortened(scenario.system_prompt, _PROMPT_WIDTH), width, "System:   ")
    for text in scenario.user_turns:
        yield from wrapped(shortened(text, _PROMPT_WIDTH), width, "User:     ")
    cuts = f"{first} (first), {further} (subsequent)"
    yield from wrapped("the agent's own" if "agent" in target.servers else cuts, width, "Strategy: ")
    yield ""
    yield from _title("TIMELINE", width, "-")


def report(record: RunRecord, width: int, hint: str | None = None) -> Iterator[str]:
    """The results; `hint` is what to try after a failure, if more is known than its reason."""
    how = outcome(record)
    if how == "failed":
        # Why comes first: what had been measured until then says less.
        yield ""
        yield from _verdict(record, how, width, hint)
    yield from _measured(record, width)
    yield ""
    if how != "failed":
        yield from _verdict(record, how, width, hint)
    started = f"started {local(record.started):%Y-%m-%d %H:%M:%S%z}"
    yield from wrapped_as_it_is(f"run   {record.plan.run_id}  {started}", width, " " * len("run   "))
    yield f"trace {record.plan.trace_id}"


def _measured(record: RunRecord, width: int) -> Iterator[str]:
    """Summary and tables, as far as there are figures."""
    summary = summarise(record)
    if record.skipped is not None or all(value is None for value in astuple(summary.average)):
        return
    yield from waterfall(record, width)
    yield ""
    yield from _title("SUMMARY", width, "=")
    yield from _summary(record, summary, width)
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        yield from tables(record, turn, measured, width)


def timestamps(record: RunRecord, width: int) -> Iterator[str]:
    """Every timestamp of every chunk, for `--verbose`; by the time of day alone where there is no room for more."""
    yield ""
    yield "TIMESTAMPS:"
    for turn in record.turns:
        for chunk in turn.chunks:
            for name in TIMESTAMPS:
                at = getattr(chunk, name)
                shown = MISSING if at is None else f"{epoch_seconds(at):.6f}  {stamp(at)}"
                line = f"  turn {turn.turn_num} chunk {chunk.chunk_num}  {name:<22} "
                yield line + shown if at is None or len(line + shown) <= width else line + stamp(at)


def _summary(record: RunRecord, summary: Summary, width: int) -> Iterator[str]:
    yield _figure("Total chunks", str(summary.chunks))
    yield _figure("Total LLM tokens", str(summary.tokens))
    if summary.audio_ms:
        yield _figure("Total audio", f"{summary.audio_ms / 1000:.1f} seconds")
    wall = summary.wall_time_ms
    factor = "" if summary.realtime_factor is None else f" ({summary.realtime_factor:.1f}x real time)"
    if wall is not None:
        yield _figure("Total wall time", f"{wall / 1000:.1f} seconds{factor}")
    if (models := _models(record)) is not None:
        yield from wrapped(models, width, _figure("Model", ""))
    if record.cold:
        yield _figure("Cold start", "a model was loaded for this run")
    yield from _surroundings(record, width)
    yield from _reservations(record, width)
    stray = sum(turn.stray_audio_bytes for turn in record.turns)
    if stray:
        yield _figure("Audio of no chunk", ms(playing_ms(stray, _rate(record))))
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        name = f"Turn {turn.turn_num}" if len(record.turns) > 1 else "Response"
        target = record.plan.target
        figures = {
            "First byte (TTFB)": _judged(measured, "response_ttfb", target),
            "First sound (TTFA)": _judged(measured, "response_ttfa", target),
        }
        yield from _speech(turn, measured, record.plan, width)
        yield from _section(name, figures, _writing(turn, measured, width))
    if any(chunk.frames for turn in record.turns for chunk in turn.chunks):
        within = f"{summary.underruns} ({ms(summary.underrun_total_ms)})" if summary.underruns else "none"
        silences = {"Between chunks": _gaps(summary), "Within chunks": within}
        yield from _section("Silences, as a listener hears them", silences)
    if summary.first is not None:
        yield from _section("First chunk", _stage_figures("", summary.first))
        yield from _section("Averages (all chunks)", _stage_figures("Avg ", summary.average))
    yield from _understood(record, width)


def _understood(record: RunRecord, width: int) -> Iterator[str]:
    """What a recogniser made of the answer."""
    if (found := record.transcription) is None:
        return
    texts = [*intelligibility.figures(found).items(), *intelligibility.transcripts(found)]
    yield from ("", "  What a recogniser understood of the answer:")
    for label, text in texts:
        yield from wrapped(shortened(text, _PROMPT_WIDTH) or MISSING, width, _figure(label, "", 4))


def _surroundings(record: RunRecord, width: int) -> Iterator[str]:
    """The machine, and what the servers reported of themselves."""
    machine = "" if record.machine is None else machine_line(record.machine)
    for name, line in (("Machine", machine), *server_lines(record)):
        if line:
            yield from wrapped(line, width, _figure(name, ""))


def _reservations(record: RunRecord, width: int) -> Iterator[str]:
    """What makes the figures less certain than the published error, and fewer."""
    if record.unstamped:
        yield from wrapped(_UNSTAMPED.format(counted(record.unstamped, "read")), width, _figure("Error bars", ""))
    of_chunks = sum(len(chunk.unknown) for turn in record.turns for chunk in turn.chunks)
    if unknown := of_chunks + sum(len(turn.unknown) for turn in record.turns):
        yield from wrapped(f"{unknown}: {_LEFT_OUT}", width, _figure("Figures left out", ""))


def _section(title: str, figures: Mapping[str, str], more: Iterable[str] = ()) -> Iterator[str]:
    """A part of the summary, without the figures that are missing; nothing where all are."""
    lines = [*(_figure(label, value, 4) for label, value in figures.items() if value != MISSING), *more]
    if lines:
        yield from ("", f"  {title}:", *lines)


def _speech(turn: Turn, measured: TurnMeasures, plan: Plan, width: int) -> Iterator[str]:
    """The wait of the person who spoke, and what was understood."""
    if turn.heard is None:
        return
    rate = measured.word_error_rate
    figures = {
        "Voice to voice": _judged(measured, "voice_to_voice", plan.target),
        "Endpointing": ms(measured.endpointing_ms),
        "Transcription": ms(measured.transcription_ms),
        "Interrupted": _interrupted(turn, measured, plan),
        "Word error rate": MISSING if rate is None else f"{number(100 * rate, 1)}%",
    }
    understood = wrapped(shortened(turn.heard.transcript, _PROMPT_WIDTH), width, _figure("Understood", "", 4))
    which = f", turn {turn.turn_num}" if len(plan.scenario.user_turns) > 1 else ""
    yield from _section(f"The whole wait{which}", figures, understood if turn.heard.transcript else ())


def _interrupted(turn: Turn, measured: TurnMeasures, plan: Plan) -> str:
    """How long the answer still came that was spoken into, or that there was nothing to be spoken into."""
    came = plan.scenario.interrupt_after_ms is not None and any(chunk.tts_segment_done for chunk in turn.chunks)
    return "not, the whole answer had come before" if came else ms(measured.interrupted_ms)


def _models(record: RunRecord) -> str | None:
    """Which model answered, where it has another name than the one that was asked for: an alias, or another model."""
    asked = record.plan.target.option("llm", "model")
    others = dict.fromkeys(turn.model for turn in record.turns if turn.model not in (None, asked, f"{asked}:latest"))
    return f"asked for {asked}, answered by {', '.join(map(str, others))}" if asked and others else None


def _writing(turn: Turn, measured: TurnMeasures, width: int) -> Iterator[str]:
    """How the LLM wrote, and how long its work took as its server measured it."""
    if measured.llm_tokens_per_second is not None:
        yield _figure("LLM tokens/s", number(measured.llm_tokens_per_second, 1), 4)
    if measured.llm_longest_stall_ms is not None:
        yield _figure("LLM longest stall", ms(measured.llm_longest_stall_ms), 4)
    if turn.server_times:
        times = ", ".join(f"{one_line(name)} {number(value)}" for name, value in turn.server_times.items())
        yield from wrapped(times, width, _figure("Server's own times", "", 4))
    if (outside := outside_ms(turn, measured)) is not None:
        yield from wrapped(f"{ms(outside)} of LLM TTFT", width, _figure("Network and queue", "", 4))
    if turn.prompt_tokens is not None:
        known = "" if turn.cached_tokens is None else f", {turn.cached_tokens} of them cached"
        yield from wrapped(f"{turn.prompt_tokens} tokens{known}", width, _figure("Prompt", "", 4))


def _gaps(summary: Summary) -> str:
    if not summary.playout_gaps:
        return "none"
    longest = f" in all, longest {ms(summary.playout_gap_longest_ms)}" if summary.playout_gaps > 1 else ""
    return f"{summary.playout_gaps} ({ms(summary.playout_gap_total_ms)}{longest})"


def _stage_figures(prefix: str, measured: ChunkMeasures) -> dict[str, str]:
    values = {
        "LLM TTFT": measured.llm_ttft_ms,
        "LLM TTFAT": measured.llm_ttfat_ms if reasoned(measured) else None,
        "LLM gen time": measured.llm_gen_time_ms,
        "TTS wait": measured.tts_wait_ms if waited(measured) else None,
        "TTS TTFB": measured.tts_ttfb_ms,
        "TTS gen time": measured.tts_gen_time_ms,
        "Combined TTFB": measured.combined_ttfb_ms,
        "Combined TTFA": measured.combined_ttfa_ms,
        "Audio duration": measured.audio_duration_ms,
    }
    return {f"{prefix}{label}": ms(value) for label, value in values.items()}


def _verdict(record: RunRecord, how: Outcome, width: int, hint: str | None) -> Iterator[str]:
    for line in wrapped(verdict(record, how), width):
        yield click.style(line, fg=_COLOURS[how], bold=True)
    todo = hint or (advice(record.failure) if record.failure is not None and how == "failed" else None)
    if todo:
        yield from wrapped(todo, width, "Try:    ")


def verdict(record: RunRecord, how: Outcome, shown: Callable[[float], str] = ms) -> str:
    """How the run ended, in words: the outcome in capital letters, a colon, and of what, or why.

    `shown` writes milliseconds.
    """
    target = record.plan.target
    objective, what = f"the objective of {shown(target.objective_ms)}", WHAT[target.objective_measure]
    failure = record.failure
    if failure is not None and how == "failed":
        turn = f"turn {failure.turn_num}, " if failure.turn_num and len(record.plan.scenario.user_turns) > 1 else ""
        where = f" in {turn}chunk {failure.chunk_num}" if failure.chunk_num else ""
        detail = explained(record, failure.detail)
        return f"FAILED{where}, stage {blamed(failure)}, {failure.reason}: {detail}"
    if how == "slow":
        waits = [judged_ms(each, target) for each in measure_run(record) if is_slow(each, target)]
        if None in waits:
            return f"SLOW: no {what} at all in a response, with {objective}"
        late = shown(max(filter(None, waits)))
        if target.objective_measure == "voice_to_voice":
            return f"SLOW: the first sound of a response came {late} after the speech, over {objective}"
        return f"SLOW: the {what} of a response came after {late}, over {objective}"
    if how == "suspect":
        return f"SUSPECT: {explained(record, '; '.join(record.doubts))}"
    if record.skipped == INTERRUPTED:
        return "INTERRUPTED: the run was stopped before its end"
    if record.skipped is not None:
        return f"SKIPPED: the server is busy ({explained(record, record.skipped)})"
    return f"OK: {what} within {objective}"


def _rate(record: RunRecord) -> int | None:
    """Of the run's audio, in Hz: a turn's stray audio belongs to no chunk that has a rate of its own."""
    heard = (chunk.sample_rate for turn in record.turns for chunk in turn.chunks)
    return next((rate for rate in heard if rate), record.plan.target.option("tts", "sample_rate"))


def _asked_for(target: Target) -> str:
    model = target.option("llm", "model")
    voice, language, rate = (target.option("tts", name) for name in ("voice", "language", "sample_rate"))
    parts = (model and f"LLM {model}", voice and f"voice {voice}", language, rate and f"{rate} Hz")
    return ", ".join(part for part in parts if part)


def _judged(turn: TurnMeasures, measure: ObjectiveMeasure, target: Target) -> str:
    """With a colour where it is this that the objective judges."""
    value: float | None = getattr(turn, f"{measure}_ms")
    if value is None or measure != target.objective_measure:
        return ms(value)
    return click.style(ms(value), fg="green" if value <= target.objective_ms else "red", bold=True)


def _figure(label: str, value: str, indent: int = 2) -> str:
    return f"{' ' * indent}{label + ':':<{_LABEL_WIDTH - indent + 1}} {value}"


def _title(text: str, width: int, rule: str) -> Iterator[str]:
    yield rule * width
    yield click.style(text, bold=True)
    yield rule * width
