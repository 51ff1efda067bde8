"""What a Prometheus would have scraped: the daemon's own series after each run, with the time of the case on them."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from demo_data.cases import DAY, FINE_S, Case, Moment, moments
from probe.daemon.drift_sink import DriftSink
from probe.daemon.log import make_logger
from probe.drift import Monitor
from probe.metrics.observations import EVERY, HEARING
from probe.metrics.registry import Metrics
from probe.record import RunRecord
from probe.transcription import AnswerTranscript, Mishap, Transcription

SINKS = ("history", "spans", "log")
OPENMETRICS = "application/openmetrics-text"
# Of the targets that hear: their recogniser hears the answers, too.
TRANSCRIBED_EVERY_S = 300
SCRAPED = 'instance="127.0.0.1:9850",job="voice-probe"'


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page, at seconds since the epoch. `exemplar` is its labels and value."""

    series: str
    value: str
    at_s: float
    exemplar: str | None


def scrapes(case: Case) -> Iterator[list[Sample]]:
    """The page before the first run, and after each moment, without an end; more often in the last hours."""
    metrics = Metrics(case.version, SINKS)
    silent = make_logger(io.StringIO(), "json")
    drift = DriftSink(Monitor, metrics.update_drift, metrics.count_drift, silent)
    for pair in case.pairs:
        series = [(pair.target, pair.scenario)]
        if pair.speech is None:
            metrics.expect(series)
        else:
            metrics.expect(series, {*EVERY, *HEARING["server"]}, asked="speech")
    metrics.intelligibility.expect((pair.target, pair.scenario) for pair in case.pairs if pair.speech is not None)
    random = Random(1)
    start_s = case.start_s - 10
    metrics.daemon.set_config_loaded(start_s)
    for pair in case.pairs:
        metrics.daemon.set_objective(pair.target, 1.0, "response_ttfb")
    metrics.daemon.set_next_runs({(pair.target, pair.scenario): case.start_s for pair in case.pairs})
    yield _page(metrics, start_s, _process(start_s, 0, random), case.kept)
    for together in moments(case):
        for moment in together:
            _report(metrics, drift, moment, random)
        runs = int((together[0].due_s - start_s) / FINE_S) * len(case.pairs)
        metrics.daemon.set_history(runs, runs * 4100 + 90_000)
        metrics.daemon.set_next_runs({(m.pair.target, m.pair.scenario): m.next_due_s for m in together})
        at_s = max(moment.due_s for moment in together) + 4
        page = _page(metrics, at_s, _process(start_s, at_s - start_s, random), case.kept)
        yield page
        if at_s > case.end_s - case.fine_for_s:
            for later_s in (15, 30, 45):
                yield [replace(sample, at_s=at_s + later_s) for sample in page]


def _page(metrics: Metrics, at_s: float, more: Mapping[str, float], kept: Sequence[str]) -> list[Sample]:
    """From the registries: making and parsing the text of every page would take most of the time."""
    samples = [Sample(_series(name, ()), str(value), at_s, None) for name, value in more.items()]
    for part in metrics.parts():
        registry = part.registry.restricted_registry(kept) if kept else part.registry
        for family in registry.collect():
            for each in family.samples:
                if each.name not in more:
                    exemplar = each.exemplar and f"{{{_labels(each.exemplar.labels.items())}}} {each.exemplar.value}"
                    series = _series(each.name, tuple(each.labels.items()))
                    samples.append(Sample(series, str(each.value), at_s, exemplar))
    return samples


@cache
def _series(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    return f"{name}{{{','.join((SCRAPED, _labels(labels))) if labels else SCRAPED}}}"


def _labels(labels: Iterable[tuple[str, str]]) -> str:
    return ",".join(f"{key}={json.dumps(value)}" for key, value in labels)


def _process(start_s: float, age_s: float, random: Random) -> dict[str, float]:
    """The real page has these of the process that makes up the data; a daemon's are like this."""
    return {
        "process_resident_memory_bytes": round(52e6 + 9e6 * (1 - 2 ** (-age_s / DAY)) + random.uniform(-4e5, 4e5)),
        "process_virtual_memory_bytes": 400e6,
        "process_cpu_seconds_total": round(0.004 * age_s + 1, 3),
        "process_start_time_seconds": round(start_s),
        "process_open_fds": random.choice((17, 19, 21)),
        "process_max_fds": 1024,
    }


def _report(metrics: Metrics, drift: DriftSink, moment: Moment, random: Random) -> None:
    target, scenario = moment.pair.target, moment.pair.scenario
    if moment.record is None:
        metrics.daemon.count_missed(target, scenario)
        return
    metrics.write(moment.record)
    drift.look(moment.record)
    drift.write(moment.record)
    if moment.pair.speech is not None and moment.record.turns and moment.due_s % TRANSCRIBED_EVERY_S < FINE_S:
        metrics.intelligibility.count(moment.record, _transcribed(moment.record))
    metrics.daemon.set_schedule_delay(target, scenario, random.uniform(0.001, 0.004))
    metrics.daemon.set_loop_lag(random.uniform(0.001, 0.006) * (5 if moment.record.doubts else 1))


def _transcribed(record: RunRecord) -> Transcription:
    """A word or two of 20 are not understood; now and then there is no quiet moment for it."""
    # So the figures of the runs are those that they were without it.
    chance = Random(record.started)
    missed = Mishap("wait", "users", "made up") if chance.random() < 0.05 else None
    understood = AnswerTranscript(1, "", 20, chance.choice((0, 1, 1, 2)))
    return Transcription(
        record.ended, record.ended + 10**9, "wyoming", "tcp://spark:10300", () if missed else (understood,), missed
    )
