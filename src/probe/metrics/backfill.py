"""Recorded runs as OpenMetrics with timestamps, for `promtool tsdb create-blocks-from openmetrics`.

The names, labels and buckets are those of the live metrics. Counters and histograms begin at zero a second before the
first run, and rise with each run at the moment when it ended.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

from probe.measures import TRUSTED, TurnMeasures, measure_run, outcome, stages_ms
from probe.metrics.exposition import NAMESPACE
from probe.metrics.observations import EVERY, MEASURES, OF_SPEECH, Observation, Series, observations
from probe.metrics.registry import BUCKETS
from probe.record import Failure, RunRecord, Target
from probe.timestamps import epoch_seconds

T = TypeVar("T")
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """What the metrics need of a record, so that a month of them fits into memory."""

    at_s: float
    target: str
    scenario: str
    outcome: str
    # Labels and values; None where it did not fail.
    failure: Labels | None
    skipped: bool
    cold: bool | None
    # By stage; none where they are no latencies to compare.
    stages_ms: Mapping[str, float]
    # How fast and how steadily the LLM wrote, by gauge.
    writing: Mapping[str, float]
    observed: tuple[Observation, ...]


def every(_target: Target) -> Series:
    """All histograms."""
    return EVERY


def lines(
    records: Iterable[RunRecord], extra: Mapping[str, str], histograms: Callable[[Target], Series] = every
) -> Iterator[str]:
    """The text, line by line. `extra` are labels of every series: `job` and `instance`, as the scrapes have them.

    `histograms` are those that a target can fill, as in the live metrics.
    """
    runs = sorted((_reduced(record, histograms(record.plan.target)) for record in records), key=lambda run: run.at_s)
    fixed = tuple(extra.items())
    if runs:
        for name in (*MEASURES, *OF_SPEECH):
            yield from _histogram(name, runs, fixed)
        yield from _counters(runs, fixed)
        yield from _gauges(runs, fixed)
    yield "# EOF"


def _reduced(record: RunRecord, histograms: Series) -> _Run:
    failure = record.failure
    first = measure_run(record)[0] if _is_compared(record) else None
    return _Run(
        epoch_seconds(record.ended),
        record.plan.target.name,
        record.plan.scenario.name,
        outcome(record),
        None if failure is None else _why(failure),
        record.skipped is not None,
        record.cold,
        {} if first is None else _known(stages_ms(first)),
        {} if first is None else _known(_writing(first)),
        tuple(each for each in observations(record) if (each.name, each.position) in histograms),
    )


def _why(failure: Failure) -> Labels:
    """As in the live metrics, where no server is an empty label: to Prometheus that is none."""
    server: Labels = () if failure.server is None else (("server", failure.server),)
    return (*server, ("stage", failure.stage), ("reason", failure.reason))


def _is_compared(record: RunRecord) -> bool:
    return outcome(record) in TRUSTED and not record.cold


def _writing(first: TurnMeasures) -> dict[str, float | None]:
    stall_ms = first.llm_longest_stall_ms
    return {
        "llm_tokens_per_second": first.llm_tokens_per_second,
        "llm_longest_stall_seconds": None if stall_ms is None else stall_ms / 1000,
    }


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}


def _histogram(name: str, runs: Sequence[_Run], fixed: Labels) -> Iterator[str]:
    values = (
        ((*_of(run, fixed), ("position", each.position)), (run.at_s, each.seconds))
        for run in runs
        for each in run.observed
        if each.name == name
    )
    yield f"# TYPE {NAMESPACE}_{name}_seconds histogram"
    for labels, observed in _by_labels(values).items():
        filled, total = [0] * (len(BUCKETS[name]) + 1), 0.0
        yield from _histogram_point(name, labels, filled, total, runs[0].at_s - 1)
        for at_s, together in groupby(observed, key=itemgetter(0)):
            for _, seconds in together:
                filled[bisect_left(BUCKETS[name], seconds)] += 1
                total += seconds
            yield from _histogram_point(name, labels, filled, total, at_s)


def _histogram_point(name: str, labels: Labels, filled: Sequence[int], total: float, at_s: float) -> Iterator[str]:
    family, reached = f"{NAMESPACE}_{name}_seconds", 0
    for bound, count in zip((*map(str, BUCKETS[name]), "+Inf"), filled, strict=True):
        reached += count
        yield _sample(f"{family}_bucket", (*labels, ("le", bound)), reached, at_s)
    yield _sample(f"{family}_count", labels, reached, at_s)
    yield _sample(f"{family}_sum", labels, total, at_s)


def _counters(runs: Sequence[_Run], fixed: Labels) -> Iterator[str]:
    ended = [((*_of(run, fixed), ("outcome", run.outcome)), run.at_s) for run in runs]
    yield from _counter("runs", ended, runs[0].at_s - 1)
    yield from _counter("cold_runs", [(_of(run, fixed), run.at_s) for run in runs if run.cold], runs[0].at_s - 1)
    failed = [((*fixed, ("target", run.target), *run.failure), run.at_s) for run in runs if run.failure is not None]
    yield from _counter("run_failures", failed, runs[0].at_s - 1)


def _counter(name: str, events: Iterable[tuple[Labels, float]], start_s: float) -> Iterator[str]:
    yield f"# TYPE {NAMESPACE}_{name} counter"
    for labels, moments in _by_labels(events).items():
        for count, at_s in enumerate((start_s, *moments)):
            yield _sample(f"{NAMESPACE}_{name}_total", labels, count, at_s)


def _gauges(runs: Sequence[_Run], fixed: Labels) -> Iterator[str]:
    known = [(run, run.stages_ms["combined_ttfb"] / 1000) for run in runs if "combined_ttfb" in run.stages_ms]
    yield from _gauge("last_combined_ttfb_seconds", known, fixed)
    yield from _stage_gauges(runs, fixed)
    for name in ("llm_tokens_per_second", "llm_longest_stall_seconds"):
        yield from _gauge(name, [(run, run.writing[name]) for run in runs if name in run.writing], fixed)
    known_cold = [(run, float(run.cold)) for run in runs if run.cold is not None and not run.skipped]
    yield from _gauge("cold", known_cold, fixed)
    yield from _gauge("last_run_timestamp_seconds", [(run, run.at_s) for run in runs], fixed)
    trusted = [(run, run.at_s) for run in runs if run.outcome in TRUSTED]
    yield from _gauge("last_success_timestamp_seconds", trusted, fixed)
    yield from _gauge("up", [(run, float(run.failure is None)) for run in runs if not run.skipped], fixed)


def _stage_gauges(runs: Sequence[_Run], fixed: Labels) -> Iterator[str]:
    yield f"# TYPE {NAMESPACE}_last_stage_seconds gauge"
    samples = [
        ((*_of(run, fixed), ("stage", stage)), (run.at_s, ms / 1000))
        for run in runs
        for stage, ms in run.stages_ms.items()
    ]
    for labels, values in _by_labels(samples).items():
        for at_s, value in values:
            yield _sample(f"{NAMESPACE}_last_stage_seconds", labels, value, at_s)


def _gauge(name: str, values: Iterable[tuple[_Run, float]], fixed: Labels) -> Iterator[str]:
    yield f"# TYPE {NAMESPACE}_{name} gauge"
    for labels, samples in _by_labels((_of(run, fixed), (run.at_s, value)) for run, value in values).items():
        for at_s, value in samples:
            yield _sample(f"{NAMESPACE}_{name}", labels, value, at_s)


def _by_labels(events: Iterable[tuple[Labels, T]]) -> dict[Labels, list[T]]:
    """Each series' samples together, as OpenMetrics wants them."""
    series: dict[Labels, list[T]] = {}
    for labels, event in events:
        series.setdefault(labels, []).append(event)
    return series


def _of(run: _Run, fixed: Labels) -> Labels:
    return (*fixed, ("target", run.target), ("scenario", run.scenario))


def _sample(name: str, labels: Labels, value: float, at_s: float) -> str:
    joined = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{joined}}} {value} {at_s:.3f}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
