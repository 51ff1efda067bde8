"""Everything that Prometheus scrapes: every metric's name, labels and buckets, and how the page is made.

After a restart the counters and histograms begin at zero, as Prometheus expects of a process; `rate` and `increase` see
that. The gauges of the last run can be carried over from the history, see `restore`.
"""

import platform
import threading
from collections.abc import Callable, Iterable
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from probe.measures import outcome, summarise
from probe.record import REASONS, Outcome, RunRecord
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
_OPENMETRICS = "application/openmetrics-text"
_END = b"# EOF\n"
_ENCODERS: dict[str, Callable[[CollectorRegistry], bytes]] = {
    openmetrics.CONTENT_TYPE_LATEST: openmetrics.generate_latest,
    CONTENT_TYPE_PLAIN_0_0_4: generate_latest,
}


class Histograms:
    """The sink that Prometheus reads. Every method may be called from any thread.

    `sinks` are the names under which errors of sinks are counted.
    """

    name = "histograms"

    def __init__(self, version: str, sinks: Iterable[str]) -> None:
        # A second series for each, only to say when it began.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # its own omission
        self._pages: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._declare_metrics_of_runs()
        self._declare_metrics_of_the_daemon()
        self._build.labels(version=version, python=platform.python_version()).set(1)
        for sink in sinks:
            self._sink_errors.labels(sink=sink)

    def expect(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Have every series of these (target, scenario) pairs, at zero. Called again after a reload, it only adds."""
        for target, scenario in pairs:
            for outcome_ in OUTCOMES:
                self._runs.labels(target=target, scenario=scenario, outcome=outcome_)
            for stage, reasons in REASONS.items():
                for reason in reasons:
                    self._failures.labels(target=target, stage=stage, reason=reason)
            for histogram in self._histograms.values():
                for position in POSITIONS:
                    histogram.labels(target=target, scenario=scenario, position=position)
            for each in (*self._last_gauges, self._missed, self._schedule_delay):
                each.labels(target=target, scenario=scenario)
        self._refresh()

    def write(self, record: RunRecord) -> None:
        """Count a run, and make the pages anew: now, since a run has just ended, and not while the next is measured."""
        plan, how = record.plan, outcome(record)
        labels = {"target": plan.target.name, "scenario": plan.scenario.name}
        exemplar = {"trace_id": plan.trace_id, "run_id": plan.run_id}
        self._runs.labels(**labels, outcome=how).inc(exemplar=exemplar)
        if record.failure is not None:
            failure = {"target": plan.target.name, "stage": record.failure.stage, "reason": record.failure.reason}
            self._failures.labels(**failure).inc(exemplar=exemplar)
        for each in observations(record):
            histogram = self._histograms[each.name].labels(**labels, position=each.position)
            histogram.observe(each.seconds, exemplar)
        self.restore([record])

    def restore(self, records: Iterable[RunRecord]) -> None:
        """Set the gauges that tell of the last run from records, oldest first, without counting them.

        At start-up, give it the latest runs in the history: an alert on a success long ago then outlives a restart.
        """
        for record in records:
            self._set_last(record)
        self._refresh()

    def close(self, timeout_s: float) -> None:
        """Nothing is held back."""

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its content type, for an HTTP `Accept` header: OpenMetrics, with exemplars, where that is taken.

        Call it as `await asyncio.to_thread(histograms.render, accept)`. What runs have added was rendered when the last
        one ended; a scrape adds the few series of the daemon itself.
        """
        content_type = openmetrics.CONTENT_TYPE_LATEST if _OPENMETRICS in accept else CONTENT_TYPE_PLAIN_0_0_4
        encode = _ENCODERS[content_type]
        with self._lock:
            if content_type not in self._pages:
                self._pages[content_type] = encode(self._of_runs)
            page = self._pages[content_type]
        return page.removesuffix(_END) + encode(self._of_the_daemon), content_type

    def count_missed(self, target: str, scenario: str) -> None:
        """A run was due and did not take place."""
        self._missed.labels(target=target, scenario=scenario).inc()

    def count_dropped_spans(self, spans: int) -> None:
        """A collector has refused spans, or the history had to forget them before it could have them."""
        self._spans_dropped.inc(spans)

    def count_sink_error(self, sink: str) -> None:
        """A sink has raised, or lost a run."""
        self._sink_errors.labels(sink=sink).inc()

    def set_schedule_delay(self, target: str, scenario: str, seconds: float) -> None:
        """How long after its time the last run began."""
        self._schedule_delay.labels(target=target, scenario=scenario).set(seconds)

    def set_loop_lag(self, seconds: float) -> None:
        """The longest delay of the event loop of late."""
        self._loop_lag.set(seconds)

    def set_config_loaded(self, at_s: float) -> None:
        """A configuration took over, at seconds since the epoch."""
        self._config_good.set(1)
        self._config_at.set(at_s)

    def set_config_refused(self) -> None:
        """A configuration had errors; the one before it stays."""
        self._config_good.set(0)

    def _declare_metrics_of_runs(self) -> None:
        registry = self._of_runs = CollectorRegistry()
        self._histograms = {
            name: Histogram(
                f"{name}_seconds", HELP[name], (*_RUN, "position"), NAMESPACE, registry=registry, buckets=BUCKETS[name]
            )
            for name in MEASURES
        }
        self._runs = Counter("runs_total", "Runs, by how they ended.", (*_RUN, "outcome"), NAMESPACE, registry=registry)
        self._failures = Counter(
            "run_failures_total", "Failed runs, by why.", ("target", "stage", "reason"), NAMESPACE, registry=registry
        )
        self._last_ttfb = Gauge(
            "last_combined_ttfb_seconds", "First audio byte of the last complete run.", _RUN, NAMESPACE,
            registry=registry,
        )  # fmt: skip
        self._last_run = Gauge(
            "last_run_timestamp_seconds", "When the last run ended, however it did.", _RUN, NAMESPACE, registry=registry
        )
        self._last_success = Gauge(
            "last_success_timestamp_seconds", "When the last complete run ended.", _RUN, NAMESPACE, registry=registry
        )
        self._up = Gauge(
            "up", "Whether the last run that was not skipped got its whole answer; 0 before the first.", _RUN,
            NAMESPACE, registry=registry,
        )  # fmt: skip
        self._last_gauges = (self._last_ttfb, self._last_run, self._last_success, self._up)

    def _declare_metrics_of_the_daemon(self) -> None:
        registry = self._of_the_daemon = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._missed = Counter(
            "runs_missed_total", "Runs that were due and did not take place.", _RUN, NAMESPACE, registry=registry
        )
        self._spans_dropped = Counter(
            "spans_dropped_total", "Spans that no collector will get.", (), NAMESPACE, registry=registry
        )
        self._sink_errors = Counter(
            "sink_errors_total", "Runs that a sink lost, and its failed attempts.", ("sink",), NAMESPACE,
            registry=registry,
        )  # fmt: skip
        self._loop_lag = Gauge(
            "loop_lag_seconds", "Longest delay of the event loop of late.", (), NAMESPACE, registry=registry
        )
        self._schedule_delay = Gauge(
            "schedule_delay_seconds", "How late the last run began.", _RUN, NAMESPACE, registry=registry
        )
        self._config_good = Gauge(
            "config_last_reload_successful", "Whether the last configuration took over.", (), NAMESPACE,
            registry=registry,
        )  # fmt: skip
        self._config_at = Gauge(
            "config_last_reload_success_timestamp_seconds", "When a configuration last took over.", (), NAMESPACE,
            registry=registry,
        )  # fmt: skip
        self._build = Gauge("build_info", "What is running.", ("version", "python"), NAMESPACE, registry=registry)

    def _set_last(self, record: RunRecord) -> None:
        labels = {"target": record.plan.target.name, "scenario": record.plan.scenario.name}
        ended = record.ended / 1e9
        self._last_run.labels(**labels).set(ended)
        # Down and busy are different answers: a run that was skipped says nothing of the target.
        if record.skipped is None:
            self._up.labels(**labels).set(record.failure is None)
        if is_trusted(record):
            self._last_success.labels(**labels).set(ended)
            ttfb = summarise(record).response_ttfb_ms
            if ttfb is not None:
                self._last_ttfb.labels(**labels).set(ttfb / 1000)

    def _refresh(self) -> None:
        """Render again what is asked for."""
        with self._lock:
            for content_type in self._pages:
                self._pages[content_type] = _ENCODERS[content_type](self._of_runs)
