"""Everything that Prometheus scrapes: every metric's name, labels and buckets, and how the page is made.

After a restart the counters and histograms begin at zero, as Prometheus expects of a process; `rate` and `increase` see
that. The gauges of the last run can be carried over from the history, see `restore`.
"""

import platform
import threading
from collections.abc import Iterable
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from probe.measures import outcome, summarise
from probe.record import REASONS, Outcome, RunRecord
from probe.sinks.exposition import Part, negotiate, page
from probe.sinks.observations import MEASURES, POSITIONS, is_trusted, observations

NAMESPACE = "voice_probe"
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# They resolve the objective, 1 s unless configured.
LATENCY_BUCKETS = (
    0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0,
)  # fmt: skip
# A long sentence takes longer to speak than anybody waits for one.
BUCKETS = dict.fromkeys(MEASURES, LATENCY_BUCKETS) | {"audio_duration": (*LATENCY_BUCKETS, 15.0, 20.0, 30.0, 60.0)}
HELP = {
    "combined_ttfb": "From asking the LLM server to the first byte of audio.",
    "combined_ttfa": "From asking the LLM server to the first audible sample.",
    "llm_ttft": "From asking the LLM server to its first token.",
    "llm_generation": "From asking the LLM server to the end of the chunk.",
    "tts_ttfb": "From handing over the text to the first byte of audio.",
    "tts_generation": "From handing over the text to the end of the segment.",
    "audio_duration": "Playing time of a segment.",
    "playout_gap": "Silence that a listener hears before a further chunk.",
}

_RUN = ("target", "scenario")


class Histograms:
    """The sink that Prometheus reads. Every method may be called from any thread.

    `sinks` are the names under which errors of sinks are counted.
    """

    name = "histograms"

    def __init__(self, version: str, sinks: Iterable[str]) -> None:
        # A second series for each, only to say when it began.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # its own omission
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, str], _Runs] = {}
        self._failures: dict[str, _Failures] = {}
        self._daemon = _Daemon(version, sinks)

    def expect(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Have every series of these (target, scenario) pairs, at zero. Called again after a reload, it only adds."""
        for target, scenario in pairs:
            self._runs_of(target, scenario)
            self._failures_of(target)
            self._daemon.expect(target, scenario)

    def write(self, record: RunRecord) -> None:
        """Count a run, and make its part of the page anew: now that it has ended, not while the next is measured."""
        target = record.plan.target.name
        runs = self._runs_of(target, record.plan.scenario.name)
        runs.count(record)
        runs.tell_last(record)
        runs.part.refresh()
        if record.failure is not None:
            self._failures_of(target).count(record)

    def restore(self, records: Iterable[RunRecord]) -> None:
        """Set the gauges that tell of the last run from records, oldest first, without counting them.

        At start-up, give it the latest runs in the history: an alert on a success long ago then outlives a restart.
        """
        for record in records:
            runs = self._runs_of(record.plan.target.name, record.plan.scenario.name)
            runs.tell_last(record)
            runs.part.refresh()

    def close(self, timeout_s: float) -> None:
        """Nothing is held back."""

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its content type, for an HTTP `Accept` header: OpenMetrics, with exemplars, where that is taken.

        Call it as `await asyncio.to_thread(histograms.render, accept)`. What runs have added was rendered when they
        ended; a scrape renders the few series of the daemon itself.
        """
        content_type = negotiate(accept)
        with self._lock:
            parts = [*(each.part for each in self._runs.values()), *(each.part for each in self._failures.values())]
        self._daemon.part.refresh()
        return page([*parts, self._daemon.part], content_type), content_type

    def count_missed(self, target: str, scenario: str) -> None:
        """A run was due and did not take place."""
        self._daemon.missed.labels(target=target, scenario=scenario).inc()

    def count_dropped_spans(self, spans: int) -> None:
        """A collector has refused spans, or the history had to forget them before it could have them."""
        self._daemon.spans_dropped.inc(spans)

    def count_sink_error(self, sink: str) -> None:
        """A sink has raised, or lost a run."""
        self._daemon.sink_errors.labels(sink=sink).inc()

    def set_schedule_delay(self, target: str, scenario: str, seconds: float) -> None:
        """How long after its time the last run began."""
        self._daemon.schedule_delay.labels(target=target, scenario=scenario).set(seconds)

    def set_loop_lag(self, seconds: float) -> None:
        """The longest delay of the event loop of late."""
        self._daemon.loop_lag.set(seconds)

    def set_config_loaded(self, at_s: float) -> None:
        """A configuration took over, at seconds since the epoch."""
        self._daemon.config_good.set(1)
        self._daemon.config_at.set(at_s)

    def set_config_refused(self) -> None:
        """A configuration had errors; the one before it stays."""
        self._daemon.config_good.set(0)

    def _runs_of(self, target: str, scenario: str) -> "_Runs":
        with self._lock:
            if (target, scenario) not in self._runs:
                self._runs[target, scenario] = _Runs(target, scenario)
            return self._runs[target, scenario]

    def _failures_of(self, target: str) -> "_Failures":
        with self._lock:
            if target not in self._failures:
                self._failures[target] = _Failures(target)
            return self._failures[target]


class _Runs:
    """What the runs of one target and scenario add."""

    def __init__(self, target: str, scenario: str) -> None:
        self.part = Part()
        self._labels = {"target": target, "scenario": scenario}
        self._histograms = {
            (name, position): histogram.labels(**self._labels, position=position)
            for name, histogram in self._declared_histograms().items()
            for position in POSITIONS
        }
        counter = Counter(
            "runs_total", "Runs, by how they ended.", (*_RUN, "outcome"), NAMESPACE, registry=self.part.registry
        )
        self._counts = {each: counter.labels(**self._labels, outcome=each) for each in OUTCOMES}
        self._last_ttfb = self._gauge("last_combined_ttfb_seconds", "First audio byte of the last complete run.")
        self._last_run = self._gauge("last_run_timestamp_seconds", "When the last run ended, however it did.")
        self._last_success = self._gauge("last_success_timestamp_seconds", "When the last complete run ended.")
        self._up = self._gauge(
            "up", "Whether the last run that was not skipped got its whole answer; 0 before the first."
        )

    def count(self, record: RunRecord) -> None:
        exemplar = _exemplar(record)
        self._counts[outcome(record)].inc(exemplar=exemplar)
        for each in observations(record):
            self._histograms[each.name, each.position].observe(each.seconds, exemplar)

    def tell_last(self, record: RunRecord) -> None:
        ended = record.ended / 1e9
        self._last_run.set(ended)
        # Down and busy are different answers: a run that was skipped says nothing of the target.
        if record.skipped is None:
            self._up.set(record.failure is None)
        if is_trusted(record):
            self._last_success.set(ended)
            ttfb = summarise(record).response_ttfb_ms
            if ttfb is not None:
                self._last_ttfb.set(ttfb / 1000)

    def _declared_histograms(self) -> dict[str, Histogram]:
        labels = (*_RUN, "position")
        return {
            name: Histogram(
                f"{name}_seconds", HELP[name], labels, NAMESPACE, registry=self.part.registry, buckets=BUCKETS[name]
            )
            for name in MEASURES
        }

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, _RUN, NAMESPACE, registry=self.part.registry).labels(**self._labels)


class _Failures:
    """Why the runs of one target failed."""

    def __init__(self, target: str) -> None:
        self.part = Part()
        self._target = target
        self._counter = Counter(
            "run_failures_total", "Failed runs, by why.", ("target", "stage", "reason"), NAMESPACE,
            registry=self.part.registry,
        )  # fmt: skip
        for stage, reasons in REASONS.items():
            for reason in reasons:
                self._counter.labels(target=target, stage=stage, reason=reason)

    def count(self, record: RunRecord) -> None:
        if record.failure is not None:
            labels = {"target": self._target, "stage": record.failure.stage, "reason": record.failure.reason}
            self._counter.labels(**labels).inc(exemplar=_exemplar(record))
            self.part.refresh()


class _Daemon:
    """What the daemon tells of itself."""

    def __init__(self, version: str, sinks: Iterable[str]) -> None:
        self.part = Part()
        ProcessCollector(registry=self.part.registry)
        self.missed = self._counter("runs_missed_total", "Runs that were due and did not take place.", _RUN)
        self.spans_dropped = self._counter("spans_dropped_total", "Spans that no collector will get.")
        self.sink_errors = self._counter(
            "sink_errors_total", "Runs that a sink lost, and its failed attempts.", ("sink",)
        )
        self.loop_lag = self._gauge("loop_lag_seconds", "Longest delay of the event loop of late.")
        self.schedule_delay = self._gauge("schedule_delay_seconds", "How late the last run began.", _RUN)
        self.config_good = self._gauge("config_last_reload_successful", "Whether the last configuration took over.")
        self.config_at = self._gauge(
            "config_last_reload_success_timestamp_seconds", "When a configuration last took over."
        )
        build = self._gauge("build_info", "What is running.", ("version", "python"))
        build.labels(version=version, python=platform.python_version()).set(1)
        for sink in sinks:
            self.sink_errors.labels(sink=sink)

    def expect(self, target: str, scenario: str) -> None:
        self.missed.labels(target=target, scenario=scenario)
        self.schedule_delay.labels(target=target, scenario=scenario)

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, text, labels, NAMESPACE, registry=self.part.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, text, labels, NAMESPACE, registry=self.part.registry)


def _exemplar(record: RunRecord) -> dict[str, str]:
    return {"trace_id": record.plan.trace_id, "run_id": record.plan.run_id}
