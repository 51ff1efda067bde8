"""The report of `probe drift`, also as JSON and CSV: the verdict, a chart, and the changes that were found."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import click

from probe.drift import Change, Moved, ServingChange, Shift, Verdict
from probe.drift.beside import Beside
from probe.drift.beside_wording import clause, of_event, plain
from probe.drift.events import OF_SERVING, Event
from probe.drift.series import Point
from probe.drift.wording import NAMES, grows, iso, moment, moved_by, sentence, text
from probe.measures import STAGES
from probe.report.drift_chart import chart
from probe.report.format import annotated, counted, ms, number, table, wrapped
from probe.text import one_line
from probe.timestamps import epoch_seconds
from probe.waits import HEARING

_COLOURS = {"slower": "red", "faster": "green", "stable": None, "learning": "yellow"}


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """One target and scenario: what is shown of it. `points` and `changes` are those of the time that was asked for."""

    target: str
    scenario: str
    verdict: Verdict
    points: Sequence[Point]
    changes: Sequence[Change]
    # What changed at the same time as the latencies, by the start of their change; and everything else that changed.
    beside: Mapping[int, Beside] = field(default_factory=dict)
    events: Sequence[Event] = ()

    def sentence(self) -> str:
        """How things stand, and what changed at the same time."""
        drift = self.verdict.drift
        return sentence(self.verdict) + ("" if drift is None else self.clause(drift.since))

    def clause(self, since: int) -> str:
        """What changed at the same time as the latency that changed then; empty where nothing is known."""
        return clause(self.beside.get(since, Beside()))


def report(series_report: SeriesReport, width: int) -> Iterator[str]:
    """The verdict, the chart, the stages and the changes."""
    verdict = series_report.verdict
    colour = _COLOURS[verdict.state]
    for line in wrapped(f"{series_report.target}, {series_report.scenario}: {series_report.sentence()}", width):
        yield click.style(line, fg=colour, bold=True)
    baseline_ms = {each.stage: each.before_ms for each in verdict.now}
    yield from chart(series_report.points, series_report.changes, baseline_ms, width)
    if verdict.now:
        yield from ("", *(f"  {line}" for line in table(_STAGE_COLUMNS, [_stage_row(each) for each in verdict.now])))
    for each in verdict.grows:
        yield from wrapped(f"{NAMES[each.stage]}: {grows(each)}", width, "  ")
    if verdict.cold_ms is not None:
        why = "after a pause or a failure, or a model was loaded"
        yield from wrapped(
            f"{counted(verdict.cold_runs, 'cold run')} ({why}), median {ms(verdict.cold_ms)}", width, "  "
        )
    yield ""
    if series_report.changes:
        rows = [_change_row(each) for each in series_report.changes]
        texts = [
            text(_as_it_is_now(each, verdict)) + series_report.clause(each.since) for each in series_report.changes
        ]
        for lines in annotated(_CHANGE_COLUMNS, rows, texts, width - 2):
            yield from (f"  {line}" for line in lines)
    else:
        yield "  no change was found"
    # Those of the servers and settings are in the table.
    if others := [event for event in series_report.events if event.kind not in OF_SERVING]:
        yield from ("", "  What else changed:")
        for event in others[-_SHOWN_EVENTS:]:
            yield from wrapped(one_line(event.what), width, f"  {moment(event.at)}  ")


def _as_it_is_now(found: Change, verdict: Verdict) -> Change:
    """The one change that goes on, with the figures of the verdict: those of the moment it was found are of a few runs.

    Where several go on, each has its own share of what has changed, as it was found.
    """
    going_on = [each for each in verdict.changes if isinstance(each, Shift) and each.until is None]
    drift = verdict.drift
    if drift is None or not isinstance(found, Shift) or going_on != [found] or found.since != drift.since:
        return found
    return replace(found, moved=tuple(verdict.now), direction=drift.direction, stage=drift.stage)


_STAGE_COLUMNS = ("Stage", "Baseline", "Now", "Change", "Added")
_SHOWN_EVENTS = 20
_CHANGE_COLUMNS = ("Since", "First run", "Text")


def _stage_row(moved: Moved) -> list[str]:
    return [
        NAMES[moved.stage],
        ms(moved.before_ms),
        ms(moved.after_ms),
        moved_by(moved),
        f"{number(moved.added_ms, 1)}ms",
    ]


def _change_row(found: Change) -> list[str]:
    return [moment(found.since), found.after[0], ""]


def document(reports: Sequence[SeriesReport]) -> dict[str, Any]:
    """One JSON document."""
    return {"series": [_plain(series_report) for series_report in reports]}


def _plain(series_report: SeriesReport) -> dict[str, Any]:
    verdict, drift = series_report.verdict, series_report.verdict.drift
    return {
        "target": series_report.target,
        "scenario": series_report.scenario,
        "state": verdict.state,
        "verdict": series_report.sentence(),
        "since": None if drift is None else iso(drift.since),
        "since_ts": None if drift is None else epoch_seconds(drift.since),
        "stage": None if drift is None else drift.stage,
        "confidence": None if drift is None else drift.confidence,
        "runs": verdict.runs,
        "cold_runs": verdict.cold_runs,
        **_cold(series_report),
        "stages": {each.stage: _compared(each) for each in verdict.now},
        "by_text": {
            each.stage: {"per": each.per, "base_ms": each.base_ms, "slope_ms": each.slope_ms} for each in verdict.grows
        },
        "changes": [
            _plain_change(_as_it_is_now(each, verdict))
            | {"beside": plain(series_report.beside.get(each.since, Beside()))}
            for each in series_report.changes
        ],
        "events": [{"kind": event.kind, **of_event(event)} for event in series_report.events],
    }


def _cold(series_report: SeriesReport) -> dict[str, float | None]:
    """What cold runs take, by the name of the wait that is judged."""
    cold_ms = series_report.verdict.cold_ms
    if series_report.points and series_report.points[-1].asked != "text":
        return {"cold_ttfb_ms": None, "cold_voice_to_voice_ms": cold_ms}
    return {"cold_ttfb_ms": cold_ms}


def _compared(moved: Moved) -> dict[str, Any]:
    return {
        "baseline_ms": moved.before_ms,
        "current_ms": moved.after_ms,
        "ratio": moved.ratio,
        "added_ms": moved.added_ms,
        "moved": moved.certain,
    }


def _plain_change(found: Change) -> dict[str, Any]:
    values: dict[str, Any] = {
        "kind": "serving" if isinstance(found, ServingChange) else "latency",
        "what": text(found),
        "since": iso(found.since),
        "since_ts": epoch_seconds(found.since),
        "runs_before": found.before,
        "runs_after": found.after,
    }
    if isinstance(found, Shift):
        values |= {
            "found": iso(found.found),
            "found_ts": epoch_seconds(found.found),
            "until": None if found.until is None else iso(found.until),
            "direction": found.direction,
            "stage": found.stage,
            "confidence": found.confidence,
            "stages": {each.stage: _compared(each) for each in found.moved},
        }
    return values


def as_csv(reports: Sequence[SeriesReport]) -> str:
    """The changes, a line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    stages = _stages(reports)
    figures = [f"{stage}_{what}" for stage in stages for what in ("before_ms", "after_ms")]
    writer.writerow(
        ["target", "scenario", "kind", "since", "found", "until", "direction", "stage", "confidence", *figures]
    )
    for series_report in reports:
        for each in series_report.changes:
            writer.writerow([series_report.target, series_report.scenario, *_csv_row(each, stages)])
    return out.getvalue()


def _stages(reports: Sequence[SeriesReport]) -> Sequence[str]:
    """Those that have columns: of targets that hear, there are more."""
    hears = any(each.asked != "text" for series_report in reports for each in series_report.points)
    return (*STAGES, *HEARING) if hears else STAGES


def _csv_row(found: Change, stages: Sequence[str]) -> list[str]:
    if isinstance(found, ServingChange):
        return ["serving", iso(found.since), *([""] * (5 + 2 * len(stages)))]
    by_stage = {each.stage: each for each in found.moved}
    figures: list[str] = []
    for stage in stages:
        moved = by_stage.get(stage)
        figures += ["", ""] if moved is None else [f"{moved.before_ms:.3f}", f"{moved.after_ms:.3f}"]
    until = "" if found.until is None else iso(found.until)
    series_report = [iso(found.since), iso(found.found), until, found.direction, found.stage, f"{found.confidence:.4f}"]
    return ["latency", *series_report, *figures]
