"""A list of runs: a row for each, a sparkline for each target and scenario, and the same as JSON."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import click

from probe.measures import TRUSTED, ChunkMeasures, Summary, outcome, summarise
from probe.record import Outcome, RunRecord
from probe.report import intelligibility
from probe.report.document import answer, blamed, explained, identity, key_figures, started
from probe.report.format import MISSING, annotated, ms, wrapped, wrapped_as_it_is
from probe.report.objective import ok_means
from probe.text import one_line
from probe.timestamps import local

_COLUMNS = (
    "Started", "Run", "Target", "Scenario", "Outcome", "First byte", "First sound", "LLM TTFT", "LLM Gen", "TTS TTFB",
    "Gaps", "Text",
)  # fmt: skip
# Left out, the first ones first, where there is no room for all.
_SPARE = ("Gaps", "LLM Gen", "First sound", "TTS TTFB", "LLM TTFT", "Text", "Scenario", "Target")
_COLOURS: dict[Outcome, str | None] = {
    "ok": None, "slow": "red", "failed": "red", "suspect": "yellow", "skipped": "yellow",
}  # fmt: skip
# Under what stands behind when a run started, and its id.
_INDENT = " " * 24
_SHORT = 6
_BARS = "▁▂▃▄▅▆▇█"
_FAILED = "✗"
_NO_VALUE = "·"


@dataclass(frozen=True, slots=True)
class Entry:
    """A run among others: its record, and what is computed from it once."""

    record: RunRecord
    outcome: Outcome
    summary: Summary


def entry(record: RunRecord) -> Entry:
    return Entry(record, outcome(record), summarise(record))


def document(entries: Iterable[Entry]) -> dict[str, Any]:
    """One JSON document; `probe show` has the whole of each run."""
    return {"runs": [_plain(each) for each in entries]}


def overview(entries: Sequence[Entry], width: int) -> Iterator[str]:
    """The runs in the order in which they started, each with why where it was not well, and how long targets took."""
    ordered = sorted(entries, key=lambda each: each.record.started)
    notes = [why(each.record) or intelligibility.remark(each.record) for each in ordered]
    heading, *rows = annotated(_COLUMNS, [_row(each) for each in ordered], notes, width, _SPARE)
    yield from heading
    for each, row in zip(ordered, rows, strict=True):
        colour = _COLOURS[each.outcome]
        yield from (click.style(line, fg=colour) if colour else line for line in row)
    yield ""
    for (target, scenario), group in _grouped(ordered).items():
        yield from _series(f"{target}, {scenario}", group, width)


def arrival(each: Entry, width: int) -> Iterator[str]:
    """A run that has just ended, by itself: what its row would say, in words."""
    plan, at = each.record.plan, local(each.record.started)
    waited = f"first byte {ms(each.summary.response_ttfb_ms)}, first sound {ms(each.summary.response_ttfa_ms)}"
    what = why(each.record) or waited
    started = f"{at:%m-%d %H:%M:%S}  {short_id(each.record)}  "
    text = f"{plan.target.name}, {plan.scenario.name}  {each.outcome}  {one_line(what)}"
    for line in wrapped_as_it_is(f"{started}{text}", width, _INDENT):
        yield click.style(line, fg=_COLOURS[each.outcome]) if _COLOURS[each.outcome] else line


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value between the lowest and the highest; what has none is marked by the caller."""
    known = [value for value in values if value is not None]
    low, span = min(known, default=0.0), max(known, default=0.0) - min(known, default=0.0)
    top = len(_BARS) - 1
    return "".join(
        _NO_VALUE if value is None else _BARS[round((value - low) / span * top) if span else 0] for value in values
    )


def _series(name: str, group: Sequence[Entry], width: int) -> Iterator[str]:
    waits = [each.summary.response_ttfb_ms for each in group if each.outcome in TRUSTED]
    known = [wait for wait in waits if wait is not None]
    counts = ", ".join(
        f"{count} {how}" for how in _COLOURS if (count := sum(each.outcome == how for each in group)) > 0
    )
    for line in wrapped(f"{name}: {counts} (ok: {ok_means(group[-1].record.plan.target)})", width):
        yield click.style(line, bold=True)
    if known:
        shown = group[-(width - 2) :]
        bars = sparkline([each.summary.response_ttfb_ms if each.outcome in TRUSTED else None for each in shown])
        yield "  " + "".join(
            _FAILED if each.outcome == "failed" else bar for each, bar in zip(shown, bars, strict=True)
        )
        text = f"lowest {ms(min(known))}, median {ms(median(known))}, highest {ms(max(known))}"
        yield from wrapped(text, width, "  first byte: ")


def _grouped(entries: Iterable[Entry]) -> dict[tuple[str, str], list[Entry]]:
    groups: dict[tuple[str, str], list[Entry]] = {}
    for each in entries:
        groups.setdefault((each.record.plan.target.name, each.record.plan.scenario.name), []).append(each)
    return groups


def _row(each: Entry) -> list[str]:
    record, summary, at = each.record, each.summary, local(each.record.started)
    first = summary.first or ChunkMeasures()
    gaps = MISSING if not summary.chunks else ms(summary.playout_gap_total_ms)
    return [
        f"{at:%m-%d %H:%M:%S}", short_id(record), record.plan.target.name, record.plan.scenario.name,
        each.outcome, ms(summary.response_ttfb_ms), ms(summary.response_ttfa_ms), ms(first.llm_ttft_ms),
        ms(first.llm_gen_time_ms), ms(first.tts_ttfb_ms), gaps, "".join(answer(turn) for turn in record.turns),
    ]  # fmt: skip


def short_id(record: RunRecord) -> str:
    """The end of a run's id, which says which one it is among those of a history."""
    return record.plan.run_id[-_SHORT:]


def why(record: RunRecord) -> str:
    """Details of a run that was not good."""
    if record.failure is not None:
        return f"{blamed(record.failure)}, {record.failure.reason}: {explained(record, record.failure.detail)}"
    if record.skipped is not None:
        return explained(record, record.skipped)
    return "; ".join(record.doubts)


def _plain(each: Entry) -> dict[str, Any]:
    record, summary, failure = each.record, each.summary, each.record.failure
    return {
        **identity(record),
        "prompt_cache": record.plan.scenario.prompt_cache,
        "outcome": each.outcome,
        "objective_ms": record.plan.target.objective_ms,
        "objective_measure": record.plan.target.objective_measure,
        "failure": None
        if failure is None
        else {
            "server": failure.server,
            "stage": failure.stage,
            "reason": failure.reason,
            "detail": failure.detail,
        },
        "skipped": record.skipped,
        "said": list(record.said),
        "cold": record.cold,
        **started(record),
        **key_figures(summary),
        "turns": len(record.turns),
        "chunks": summary.chunks,
        "audio_ms": summary.audio_ms,
        "answer_word_error_rate": intelligibility.rate(record),
    }
