"""Recorded runs as OpenMetrics with timestamps, for `promtool tsdb create-blocks-from openmetrics`.

The names, labels and buckets are those of the live metrics. Counters and histograms begin at zero a second before the
first run, and rise with each run at the moment when it ended.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from probe.drift.circumstances import circumstances
from probe.drift.events import Follower, Kind
from probe.machine.state import Exporter
from probe.measures import TRUSTED, TurnMeasures, measure_run, outcome, stages_ms
from probe.metrics import backfill_gauges
from probe.metrics.backfill_gauges import Reading, reading
from probe.metrics.changes import LAST_CHANGE
from probe.metrics.exposition import NAMESPACE
from probe.metrics.intelligibility import BUCKETS as RATIO_BUCKETS
from probe.metrics.machine import exporters_up
from probe.metrics.machine import families as machine_families
from probe.metrics.observations import EVERY, MEASURES, OF_SPEECH, Observation, Series, observations
from probe.metrics.openmetrics_text import Labels, by_labels, sample
from probe.metrics.registry import BUCKETS
from probe.metrics.servers import families as server_families
from probe.plan import Target
from probe.record import Failure, RunRecord
from probe.timestamps import epoch_seconds


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
    # What this run showed to have changed, and when; and whether something lowered a GPU's clocks.
    changes: tuple[tuple[Kind, float], ...]
    throttled: bool
    # Exporters without an answer.
    silent: tuple[Exporter, ...]
    machine: Reading
    servers: Reading
    # When its answer was transcribed, and the word error ratio; None where it was not.
    answer: tuple[float, float] | None


def every(_target: Target) -> Series:
    """All histograms."""
    return EVERY


def lines(
    records: Iterable[RunRecord], extra: Mapping[str, str], histograms: Callable[[Target], Series] = every
) -> Iterator[str]:
    """The text, line by line, of runs in the order in which they ended.

    `extra` are labels of every series: `job` and `instance`, as the scrapes have them. `histograms` are those that a
    target can fill, as in the live metrics.
    """
    followers: dict[tuple[str, str], Follower] = {}
    reduced = (_reduced(record, histograms(record.plan.target), followers) for record in records)
    runs = sorted(reduced, key=lambda run: run.at_s)
    fixed = tuple(extra.items())
    if runs:
        for name in (*MEASURES, *OF_SPEECH):
            yield from _histogram(name, runs, fixed)
        yield from _answers(runs, fixed)
        yield from _counters(runs, fixed)
        yield from _gauges(runs, fixed)
        yield from backfill_gauges.lines([(run.at_s, run.machine) for run in runs], fixed)
        yield from backfill_gauges.lines([(run.at_s, run.servers) for run in runs], fixed)
    yield "# EOF"


def _reduced(record: RunRecord, histograms: Series, followers: dict[tuple[str, str], Follower]) -> _Run:
    failure, machine = record.failure, record.machine
    follower = followers.setdefault((record.plan.target.name, record.plan.scenario.name), Follower())
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
        tuple((event.kind, epoch_seconds(event.at)) for event in follower.add(circumstances(record))),
        machine is not None and bool(machine.throttled),
        () if machine is None else machine.silent,
        reading(() if machine is None else machine_families(machine)),
        reading((*server_families(record), exporters_up(record))),
        _answer(record),
    )


def _answer(record: RunRecord) -> tuple[float, float] | None:
    found = record.transcription
    if found is None or (ratio := found.word_error_ratio) is None:
        return None
    return epoch_seconds(found.ended), ratio


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
    yield from _filled(f"{NAMESPACE}_{name}_seconds", BUCKETS[name], values, runs[0].at_s - 1)


def _answers(runs: Sequence[_Run], fixed: Labels) -> Iterator[str]:
    """How well answers were understood: a histogram, and the gauge of the last one."""
    found = sorted(((run.answer, _of(run, fixed)) for run in runs if run.answer is not None), key=itemgetter(0))
    if not found:
        return
    values = [(labels, answer) for answer, labels in found]
    yield from _filled(f"{NAMESPACE}_answer_word_error_ratio", RATIO_BUCKETS, values, runs[0].at_s - 1)
    gauge = f"{NAMESPACE}_last_answer_word_error_ratio"
    yield f"# TYPE {gauge} gauge"
    for labels, samples in by_labels(values).items():
        for at_s, ratio in samples:
            yield sample(gauge, labels, ratio, at_s)


def _filled(
    family: str, bounds: Sequence[float], values: Iterable[tuple[Labels, tuple[float, float]]], start_s: float
) -> Iterator[str]:
    """A histogram of values with their moments; those of each series in the order of time."""
    yield f"# TYPE {family} histogram"
    for labels, observed in by_labels(values).items():
        filled, total = [0] * (len(bounds) + 1), 0.0
        yield from _histogram_point(family, bounds, labels, (filled, total), start_s)
        for at_s, together in groupby(observed, key=itemgetter(0)):
            for _, value in together:
                filled[bisect_left(bounds, value)] += 1
                total += value
            yield from _histogram_point(family, bounds, labels, (filled, total), at_s)


def _histogram_point(
    family: str, bounds: Sequence[float], labels: Labels, state: tuple[Sequence[int], float], at_s: float
) -> Iterator[str]:
    filled, total = state
    reached = 0
    for bound, count in zip((*map(str, bounds), "+Inf"), filled, strict=True):
        reached += count
        yield sample(f"{family}_bucket", (*labels, ("le", bound)), reached, at_s)
    yield sample(f"{family}_count", labels, reached, at_s)
    yield sample(f"{family}_sum", labels, total, at_s)


def _counters(runs: Sequence[_Run], fixed: Labels) -> Iterator[str]:
    ended = [((*_of(run, fixed), ("outcome", run.outcome)), run.at_s) for run in runs]
    yield from _counter("runs", ended, runs[0].at_s - 1)
    yield from _counter("cold_runs", [(_of(run, fixed), run.at_s) for run in runs if run.cold], runs[0].at_s - 1)
    throttled = [(_of(run, fixed), run.at_s) for run in runs if run.throttled]
    yield from _counter("throttled_runs", throttled, runs[0].at_s - 1)
    changed = [((*_of(run, fixed), ("kind", kind)), run.at_s) for run in runs for kind, _ in run.changes]
    yield from _counter("changes", changed, runs[0].at_s - 1)
    silent = [((*fixed, ("target", run.target), ("exporter", each)), run.at_s) for run in runs for each in run.silent]
    yield from _counter("machine_exporter_silent_runs", silent, runs[0].at_s - 1)
    failed = [((*fixed, ("target", run.target), *run.failure), run.at_s) for run in runs if run.failure is not None]
    yield from _counter("run_failures", failed, runs[0].at_s - 1)


def _counter(name: str, events: Iterable[tuple[Labels, float]], start_s: float) -> Iterator[str]:
    yield f"# TYPE {NAMESPACE}_{name} counter"
    for labels, moments in by_labels(events).items():
        for count, at_s in enumerate((start_s, *moments)):
            yield sample(f"{NAMESPACE}_{name}_total", labels, count, at_s)


def _gauges(runs: Sequence[_Run], fixed: Labels) -> Iterator[str]:
    known = [(run, run.stages_ms["combined_ttfb"] / 1000) for run in runs if "combined_ttfb" in run.stages_ms]
    yield from _gauge("last_combined_ttfb_seconds", known, fixed)
    yield from _stage_gauges(runs, fixed)
    yield from _last_changes(runs, fixed)
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
    for labels, values in by_labels(samples).items():
        for at_s, value in values:
            yield sample(f"{NAMESPACE}_last_stage_seconds", labels, value, at_s)


def _last_changes(runs: Sequence[_Run], fixed: Labels) -> Iterator[str]:
    """When each kind last changed, at the end of each run since then."""
    known: dict[tuple[str, str], dict[Kind, float]] = {}
    samples: list[tuple[Labels, tuple[float, float]]] = []
    for run in runs:
        last = known.setdefault((run.target, run.scenario), {})
        last.update(run.changes)
        samples += (((*_of(run, fixed), ("kind", kind)), (run.at_s, changed_s)) for kind, changed_s in last.items())
    yield f"# TYPE {NAMESPACE}_{LAST_CHANGE} gauge"
    for labels, values in by_labels(samples).items():
        for at_s, value in values:
            yield sample(f"{NAMESPACE}_{LAST_CHANGE}", labels, value, at_s)


def _gauge(name: str, values: Iterable[tuple[_Run, float]], fixed: Labels) -> Iterator[str]:
    yield f"# TYPE {NAMESPACE}_{name} gauge"
    for labels, samples in by_labels((_of(run, fixed), (run.at_s, value)) for run, value in values).items():
        for at_s, value in samples:
            yield sample(f"{NAMESPACE}_{name}", labels, value, at_s)


def _of(run: _Run, fixed: Labels) -> Labels:
    return (*fixed, ("target", run.target), ("scenario", run.scenario))
