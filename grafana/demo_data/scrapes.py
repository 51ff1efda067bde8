"""What a Prometheus would have scraped: the daemon's own page after each run, with the time of the case on it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from demo_data.cases import DAY, END, FINE_S, Case, Moment, moments
from probe.sinks.histograms import Histograms

SINKS = ("history", "spans", "log")
OPENMETRICS = "application/openmetrics-text"
SCRAPED = 'instance="127.0.0.1:9850",job="voice-probe"'
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*?)\})? (\S+)(?: # (\{.*\}) (\S+) \S+)?$")


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of a page, at seconds since the epoch. `exemplar` is its labels and value."""

    series: str
    value: str
    at_s: float
    exemplar: str | None


def scrapes(case: Case) -> Iterator[list[Sample]]:
    """The page before the first run, and after each moment of the case; more often where it is looked at closely."""
    histograms = Histograms("0.1.0", SINKS)
    histograms.expect((pair.target, pair.scenario) for pair in case.pairs)
    random = Random(1)
    start_s = END - case.days * DAY - 10
    histograms.daemon.set_config_loaded(start_s)
    for pair in case.pairs:
        histograms.daemon.set_objective(pair.target, 1.0)
    yield _page(histograms, start_s, _process(0, random))
    for together in moments(case):
        for moment in together:
            _tell(histograms, moment, random)
        runs = int((together[0].due_s - start_s) / FINE_S) * len(case.pairs)
        histograms.daemon.set_history(runs, runs * 4100 + 90_000)
        histograms.daemon.set_next_runs({(m.pair.target, m.pair.scenario): m.next_due_s for m in together})
        at_s = max(moment.due_s for moment in together) + 4
        page = _page(histograms, at_s, _process(at_s - start_s, random))
        yield page
        if at_s > END - case.fine_for_s:
            for later_s in (15, 30, 45):
                yield [replace(sample, at_s=at_s + later_s) for sample in page]


def _page(histograms: Histograms, at_s: float, more: list[str]) -> list[Sample]:
    page, _ = histograms.render(OPENMETRICS)
    lines = [line for line in page.decode().splitlines() if not line.startswith(("#", "process_"))]
    return [_sample(line, at_s) for line in (*lines, *more)]


def _sample(line: str, at_s: float) -> Sample:
    match = _SAMPLE.match(line)
    assert match, line
    name, labels, value, exemplar, exemplar_value = match.groups()
    told = f"{exemplar} {exemplar_value}" if exemplar else None
    return Sample(f"{name}{{{SCRAPED}{',' if labels else ''}{labels or ''}}}", value, at_s, told)


def _process(age_s: float, random: Random) -> list[str]:
    """The real page has these of the process that makes up the data; a daemon's are like this."""
    return [
        f"process_resident_memory_bytes {52e6 + 9e6 * (1 - 2 ** (-age_s / DAY)) + random.uniform(-4e5, 4e5):.0f}",
        f"process_cpu_seconds_total {0.004 * age_s + 1:.3f}",
        f"process_start_time_seconds {END - age_s:.0f}",
        f"process_open_fds {random.choice((17, 19, 21))}",
        "process_max_fds 1024",
    ]


def _tell(histograms: Histograms, moment: Moment, random: Random) -> None:
    target, scenario = moment.pair.target, moment.pair.scenario
    if moment.record is None:
        histograms.daemon.count_missed(target, scenario)
        return
    histograms.write(moment.record)
    histograms.daemon.set_schedule_delay(target, scenario, random.uniform(0.001, 0.004))
    histograms.daemon.set_loop_lag(random.uniform(0.001, 0.006) * (5 if moment.record.doubts else 1))
