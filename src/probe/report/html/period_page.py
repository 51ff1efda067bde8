"""The page of a span of time: how each target did, hour by hour; what changed, and what failed."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from probe.blame import NAMES
from probe.drift import Change, Verdict
from probe.drift.wording import moment as short_moment
from probe.drift.wording import sentence, text
from probe.plan import Target
from probe.record import RunRecord
from probe.report.advice import advice
from probe.report.html.environment import rendered
from probe.report.html.figures import MISSING, milliseconds, moment, percent
from probe.report.html.wait_chart import HEIGHT, Chart, chart, slot_time
from probe.report.objective import ok_means
from probe.report.period import ATTEMPTS, Period

_MOST_WORST, _MOST_REASONS, _MOST_CHANGES = 5, 20, 20


@dataclass(frozen=True, slots=True)
class Reason:
    """Failures that are alike: how many, the last run of them, and what to do."""

    server: str
    stage: str
    reason: str
    count: int
    last: str
    advice: str


@dataclass(frozen=True, slots=True)
class Series:
    """One target and scenario: what is shown of it. `failures` are of the newest `looked_at` failed runs."""

    target: Target
    scenario: str
    period: Period
    verdict: Verdict
    changes: Sequence[Change]
    failures: Sequence[Reason]
    looked_at: int


def reasons(failed: Iterable[RunRecord]) -> tuple[list[Reason], int]:
    """Failed runs, oldest first, by server, stage and reason, the most frequent first; and how many they were."""
    counts: Counter[tuple[str, str, str]] = Counter()
    last: dict[tuple[str, str, str], tuple[str, str]] = {}
    for record in failed:
        if (failure := record.failure) is not None:
            server = MISSING if failure.server is None else NAMES[failure.server]
            key = (server, failure.stage, failure.reason)
            counts[key] += 1
            last[key] = record.plan.run_id, advice(failure) or MISSING
    found = [Reason(*key, count, *last[key]) for key, count in counts.most_common(_MOST_REASONS)]
    return found, sum(counts.values())


@dataclass(frozen=True, slots=True)
class SeriesView:
    """What the page shows of a series."""

    name: str
    figures: Sequence[tuple[str, str, str]]
    objective: str
    chart: Chart | None
    worst: Sequence[Sequence[str]]
    drift: str
    changes: Sequence[tuple[str, str]]
    failures: Sequence[Reason]
    looked_at: str


def fragment(series: Sequence[Series], since: int, until: int) -> Markup:
    """The span of time as it is shown within a page."""
    views = [_view(each) for each in series]
    return rendered("period.html", {"series": views, "since": moment(since), "until": moment(until), "height": HEIGHT})


def title(since: int, until: int) -> str:
    return f"{moment(since)} to {moment(until)}"


def _view(series: Series) -> SeriesView:
    period, target = series.period, series.target
    judged = target.objective_ms if target.objective_measure == "response_ttfb" else None
    missed = series.looked_at < period.outcomes.get("failed", 0)
    return SeriesView(
        name=f"{target.name}, {series.scenario}",
        figures=_figures(period, target),
        objective=ok_means(target, milliseconds),
        chart=chart(period, judged, [(each.since, text(each)) for each in series.changes]),
        worst=[
            (
                slot_time(slot),
                str(slot.attempts),
                str(slot.missed),
                milliseconds(slot.wait(0.5)),
                milliseconds(slot.wait(0.95)),
            )
            for slot in period.worst(_MOST_WORST)
        ],
        drift=sentence(series.verdict),
        changes=[(short_moment(each.since), text(each)) for each in series.changes[-_MOST_CHANGES:]],
        failures=series.failures,
        looked_at=f"Of the newest {series.looked_at} failures." if missed else "",
    )


def _figures(period: Period, target: Target) -> list[tuple[str, str, str]]:
    counts: Mapping[str, int] = period.outcomes
    attempts = sum(counts.get(each, 0) for each in ATTEMPTS)
    split = ", ".join(f"{counts.get(each, 0)} {each}" for each in ATTEMPTS)
    found = [
        ("Within the objective", percent(period.within), ok_means(target, milliseconds)),
        ("Attempts", str(attempts), split),
        ("First byte, median", milliseconds(period.wait(0.5)), "warm runs that can be trusted"),
        ("First byte, p95", milliseconds(period.wait(0.95)), ""),
        ("Skipped", str(counts.get("skipped", 0)), "the servers were in use, or it was stopped"),
        ("Suspect", str(counts.get("suspect", 0)), "a figure may be wrong: in no statistics"),
    ]
    if period.cold:
        found.append(("Cold", str(period.cold), "a model was loaded: in no wait"))
    return found
