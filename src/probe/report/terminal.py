"""The report of a finished run: header, summary, chunk tables. The caller strips the colours that it can't show."""

from collections.abc import Iterator, Sequence

import click

from probe.audio import decibels, duration_ns
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
from probe.record import INTERRUPTED, Chunk, ObjectiveMeasure, Outcome, Plan, RunRecord, Target, Turn
from probe.report.document import TIMESTAMPS, blamed, explained
from probe.report.format import MISSING, ms, number, shortened, table, wrapped
from probe.report.timeline import describe_pause, stamp
from probe.text import one_line
from probe.timestamps import epoch_seconds, local, milliseconds

_COLOURS: dict[Outcome, str] = {"ok": "green", "slow": "red", "failed": "red", "suspect": "yellow", "skipped": "yellow"}
# In words, what the objective judges.
_WHAT: dict[ObjectiveMeasure, str] = {"response_ttfb": "first byte", "response_ttfa": "first sound"}
_LABEL_WIDTH = 22
_PROMPT_WIDTH = 200

# Text that is handed on at once waits for less than this.
_AT_ONCE_MS = 5.0

# Latencies of each chunk, as the starting document has them, and what a listener makes of them.
_STAGES = ("#", "Tokens", "LLM TTFT", "LLM Gen", "Wait", "TTS TTFB", "TTS Gen", "Audio", "Combined", "Text")
_LISTENER = ("#", "Silence", "Audible", "Gap", "Dry", "Stream", "RTF", "Level", "Peak", "End", "Late")


def header(plan: Plan, width: int) -> Iterator[str]:
    """What is about to be run."""
    scenario, target = plan.scenario, plan.target
    first, further = describe_pause(scenario.first_pause), describe_pause(scenario.next_pause)
    yield from _title(f"VOICE PROBE  {plan.run_id}", width, "=")
    yield ""
    asked = _asked_for(target)
    yield f"Target:   {target.name} ({asked})" if asked else f"Target:   {target.name}"
    yield f"Scenario: {scenario.name} (prompt cache {scenario.prompt_cache})"
    yield from wrapped(shortened(scenario.system_prompt, _PROMPT_WIDTH), width, "System:   ")
    for text in scenario.user_turns:
        yield from wrapped(shortened(text, _PROMPT_WIDTH), width, "User:     ")
    yield f"Strategy: {first} (first), {further} (subsequent)"
    yield ""
    yield from _title("TIMELINE", width, "-")


def report(record: RunRecord, width: int) -> Iterator[str]:
    """What came of it."""
    summary = summarise(record)
    if summary.chunks and record.skipped is None:
        yield ""
        yield from _title("SUMMARY", width, "=")
        yield from _summary(record, summary, width)
        for turn, measured in zip(record.turns, measure_run(record), strict=True):
            if turn.chunks:
                yield ""
                yield from _tables(record, turn, measured, width)
    yield ""
    yield from _verdict(record, width)


def timestamps(record: RunRecord) -> Iterator[str]:
    """Every timestamp of every chunk, for `--verbose`."""
    yield ""
    yield "TIMESTAMPS:"
    for turn in record.turns:
        for chunk in turn.chunks:
            for name in TIMESTAMPS:
                at = getattr(chunk, name)
                shown = MISSING if at is None else f"{epoch_seconds(at):.6f}  {stamp(at)}"
                yield f"  turn {turn.turn_num} chunk {chunk.chunk_num}  {name:<22} {shown}"


def _summary(record: RunRecord, summary: Summary, width: int) -> Iterator[str]:
    yield _figure("Total chunks", str(summary.chunks))
    yield _figure("Total LLM tokens", str(summary.tokens))
    yield _figure("Total audio", f"{summary.audio_ms / 1000:.1f} seconds")
    wall = summary.wall_time_ms
    factor = "" if summary.realtime_factor is None else f" ({summary.realtime_factor:.1f}x real time)"
    yield _figure("Total wall time", MISSING if wall is None else f"{wall / 1000:.1f} seconds{factor}")
    if (models := _models(record)) is not None:
        yield from wrapped(models, width, _figure("Model", ""))
    if record.cold:
        yield _figure("Cold start", "a model was loaded for this run")
    stray = sum(turn.stray_audio_bytes for turn in record.turns)
    if stray:
        yield _figure("Audio of no chunk", ms(_playing_ms(stray, _rate(record))))
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        name = f"Turn {turn.turn_num}" if len(record.turns) > 1 else "Response"
        yield ""
        yield f"  {name}:"
        yield _figure("First byte (TTFB)", _judged(measured, "response_ttfb", record.plan.target), 4)
        yield _figure("First sound (TTFA)", _judged(measured, "response_ttfa", record.plan.target), 4)
        yield from _writing(turn, measured, width)
    yield ""
    yield "  Silences, as a listener hears them:"
    yield _figure("Between chunks", _gaps(summary), 4)
    within = f"{summary.underruns} ({ms(summary.underrun_total_ms)})" if summary.underruns else "none"
    yield _figure("Within chunks", within, 4)
    if summary.first is not None:
        yield from _stage_figures("First chunk", "", summary.first)
        yield from _stage_figures("Averages (all chunks)", "Avg ", summary.average)


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


def _gaps(summary: Summary) -> str:
    if not summary.playout_gaps:
        return "none"
    longest = f" in all, longest {ms(summary.playout_gap_longest_ms)}" if summary.playout_gaps > 1 else ""
    return f"{summary.playout_gaps} ({ms(summary.playout_gap_total_ms)}{longest})"


def _stage_figures(title: str, prefix: str, measured: ChunkMeasures) -> Iterator[str]:
    yield ""
    yield f"  {title}:"
    yield _figure(f"{prefix}LLM TTFT", ms(measured.llm_ttft_ms), 4)
    if reasoned(measured):
        yield _figure(f"{prefix}LLM TTFAT", ms(measured.llm_ttfat_ms), 4)
    yield _figure(f"{prefix}LLM gen time", ms(measured.llm_gen_time_ms), 4)
    if _waited(measured):
        yield _figure(f"{prefix}TTS wait", ms(measured.tts_wait_ms), 4)
    yield _figure(f"{prefix}TTS TTFB", ms(measured.tts_ttfb_ms), 4)
    yield _figure(f"{prefix}TTS gen time", ms(measured.tts_gen_time_ms), 4)
    yield _figure(f"{prefix}Combined TTFB", ms(measured.combined_ttfb_ms), 4)
    yield _figure(f"{prefix}Combined TTFA", ms(measured.combined_ttfa_ms), 4)
    yield _figure(f"{prefix}Audio duration", ms(measured.audio_duration_ms), 4)


def _tables(record: RunRecord, turn: Turn, measured: TurnMeasures, width: int) -> Iterator[str]:
    of_turn = f", TURN {turn.turn_num}" if len(record.turns) > 1 else ""
    pairs = list(zip(turn.chunks, measured.chunks, strict=True))
    yield f"CHUNK BREAKDOWN{of_turn} (ms):"
    yield from _stage_table(pairs, width)
    yield ""
    yield f"WHAT A LISTENER HEARS{of_turn} (ms, dB of full scale):"
    yield from table(_LISTENER, [_listener_row(chunk, each) for chunk, each in pairs])


def _stage_table(pairs: Sequence[tuple[Chunk, ChunkMeasures]], width: int) -> Iterator[str]:
    """Without waits where no text had to wait; with them, what only the first chunk can have makes room."""
    hidden = {"Wait"}
    if any(_waited(measured) for _, measured in pairs):
        hidden = {"Combined"} if all(measured.combined_ttfb_ms is None for _, measured in pairs[1:]) else set()
    shown = [place for place, name in enumerate(_STAGES) if name not in hidden]
    rows = [_stage_row(chunk, measured) for chunk, measured in pairs]
    yield from table([_STAGES[place] for place in shown], [[row[place] for place in shown] for row in rows], width)


def _waited(measured: ChunkMeasures) -> bool:
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
        number(_playing_ms(chunk.late_audio_bytes, chunk.sample_rate)) if chunk.late_audio_bytes else MISSING,
    ]


def _verdict(record: RunRecord, width: int) -> Iterator[str]:
    how = outcome(record)
    for line in wrapped(_verdict_text(record, how), width):
        yield click.style(line, fg=_COLOURS[how], bold=True)
    started = local(record.started)
    yield f"run   {record.plan.run_id}  started {started:%Y-%m-%d %H:%M:%S%z}"
    yield f"trace {record.plan.trace_id}"


def _verdict_text(record: RunRecord, how: Outcome) -> str:
    target = record.plan.target
    objective, what = f"the objective of {ms(target.objective_ms)}", _WHAT[target.objective_measure]
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
        return f"SLOW: the {what} of a response came after {ms(max(filter(None, waits)))}, over {objective}"
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


def _playing_ms(size: int, sample_rate: int | None) -> float | None:
    return milliseconds(duration_ns(size, sample_rate)) if sample_rate else None


def _asked_for(target: Target) -> str:
    model = target.option("llm", "model")
    voice, language, rate = (target.option("tts", name) for name in ("voice", "language", "sample_rate"))
    parts = (model and f"LLM {model}", voice and f"voice {voice}", language, rate and f"{rate} Hz")
    return ", ".join(part for part in parts if part)


def _judged(turn: TurnMeasures, measure: ObjectiveMeasure, target: Target) -> str:
    """With a colour where it is this that the objective judges."""
    value = turn.response_ttfb_ms if measure == "response_ttfb" else turn.response_ttfa_ms
    if value is None or measure != target.objective_measure:
        return ms(value)
    return click.style(ms(value), fg="green" if value <= target.objective_ms else "red", bold=True)


def _figure(label: str, value: str, indent: int = 2) -> str:
    return f"{' ' * indent}{label + ':':<{_LABEL_WIDTH - indent + 1}} {value}"


def _title(text: str, width: int, rule: str) -> Iterator[str]:
    yield rule * width
    yield click.style(text, bold=True)
    yield rule * width
