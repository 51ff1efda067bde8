"""Metrics of the daemon itself: its schedule, its sinks, its configuration. Runs are not part of it."""

import math
import platform
from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, ProcessCollector

from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Configured, Part
from probe.plan import ObjectiveMeasure

# The label of errors of sending metrics.
OTLP_METRICS = "otlp_metrics"


class DaemonMetrics:
    """Counters and gauges in a part of the page of their own. Every method may be called from any thread."""

    def __init__(self, version: str, sinks: Iterable[str], configured: Configured) -> None:
        self.part = Part(configured)
        # Of what was removed, too: there it is NaN, by which the rules know that no run is awaited any more.
        self.due = Part()
        ProcessCollector(registry=self.part.registry)
        self._missed = self._counter("runs_missed_total", "Runs that were due and did not take place.", RUN_LABELS)
        self._courtesy_unknown = self._counter(
            "courtesy_unknown_total", "Attempts before which a server did not report who uses it.", ("target",)
        )
        self._spans_dropped = self._counter("spans_dropped_total", "Spans that are lost.")
        self._sink_errors = self._counter(
            "sink_errors_total", "Runs that a sink lost, and its failed attempts.", ("sink",)
        )
        self._loop_lag = self._gauge("loop_lag_seconds", "Longest recent delay of the event loop.")
        self._schedule_delay = self._gauge("schedule_delay_seconds", "How late the last run started.", RUN_LABELS)
        self._next_run = Gauge(
            "next_run_timestamp_seconds", "When the next run is due.", RUN_LABELS, NAMESPACE, registry=self.due.registry
        )
        self._asked = self._gauge("last_on_demand_timestamp_seconds", "When a scrape last asked for a run.", RUN_LABELS)
        self._objective = self._gauge(
            "objective_seconds",
            "The objective: slower responses are slow. The label says what it applies to.",
            ("target", "measure"),
        )
        self._judged: dict[str, str] = {}
        self._history_runs = self._gauge("history_runs", "Runs that the history holds.")
        self._history_bytes = self._gauge("history_bytes", "Size of the history.")
        self._config_good = self._gauge("config_last_reload_successful", "Whether the last configuration was accepted.")
        self._config_at = self._gauge(
            "config_last_reload_success_timestamp_seconds", "When a configuration was last accepted."
        )
        build = self._gauge("build_info", "What is running.", ("version", "python"))
        build.labels(version=version, python=platform.python_version()).set(1)
        for sink in sinks:
            self._sink_errors.labels(sink=sink)
        self._pairs: set[tuple[str, str]] = set()

    def expect(self, target: str, scenario: str) -> None:
        """Have the series of this target and scenario, at zero; when its next run is due is not known yet."""
        self._missed.labels(target=target, scenario=scenario)
        self._courtesy_unknown.labels(target=target)
        self._schedule_delay.labels(target=target, scenario=scenario)
        if (target, scenario) not in self._pairs:
            self._next_run.labels(target=target, scenario=scenario).set(math.nan)
            self._pairs.add((target, scenario))

    def count_missed(self, target: str, scenario: str) -> None:
        """A run was due and did not take place."""
        self._missed.labels(target=target, scenario=scenario).inc()

    def count_unknown_users(self, target: str) -> None:
        """A server of the target was asked who uses it, and did not say."""
        self._courtesy_unknown.labels(target=target).inc()

    def count_dropped_spans(self, spans: int) -> None:
        """A collector has refused spans, or the history had to forget them before it could have them."""
        self._spans_dropped.inc(spans)

    def count_sink_error(self, sink: str) -> None:
        """A sink has raised, or lost a run."""
        self._sink_errors.labels(sink=sink).inc()

    def set_schedule_delay(self, target: str, scenario: str, seconds: float) -> None:
        """How long after its time the last run began."""
        self._schedule_delay.labels(target=target, scenario=scenario).set(seconds)

    def set_next_runs(self, due: Mapping[tuple[str, str], float]) -> None:
        """When the next run of each target and scenario is due, in seconds since the epoch; none of any other is."""
        for target, scenario in [*self._pairs]:
            at = due.get((target, scenario), math.nan)
            self._next_run.labels(target=target, scenario=scenario).set(at)

    def set_asked(self, target: str, scenario: str, at_s: float) -> None:
        """A scrape asked for a run, at seconds since the epoch. Without one there is no series."""
        self._asked.labels(target=target, scenario=scenario).set(at_s)

    def set_objective(self, target: str, seconds: float, measure: ObjectiveMeasure) -> None:
        """How long a response may take to start, by which measure. A target has one."""
        if (before := self._judged.get(target, measure)) != measure:
            self._objective.remove(target, before)
        self._judged[target] = measure
        self._objective.labels(target=target, measure=measure).set(seconds)

    def set_history(self, runs: int, size: int) -> None:
        """What the history holds, and its size in bytes."""
        self._history_runs.set(runs)
        self._history_bytes.set(size)

    def set_loop_lag(self, seconds: float) -> None:
        """The longest of the event loop's last delays."""
        self._loop_lag.set(seconds)

    def set_config_loaded(self, at_s: float) -> None:
        """A configuration took over, at seconds since the epoch."""
        self._config_good.set(1)
        self._config_at.set(at_s)

    def set_config_refused(self) -> None:
        """A configuration had errors; the one before it stays."""
        self._config_good.set(0)

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, text, labels, NAMESPACE, registry=self.part.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(name, text, labels, NAMESPACE, registry=self.part.registry)
