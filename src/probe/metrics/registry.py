"""Everything that Prometheus scrapes: every metric's name, labels and buckets, and how the page is made.

After a restart the counters and histograms begin at zero, as Prometheus expects of a process; `rate` and `increase` see
that. The gauges of the last run can be carried over from the history, see `restore`.
"""

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import get_args

from prometheus_client import Counter, Histogram, disable_created_metrics

from probe.blame import may_fail
from probe.drift import Shift, Verdict
from probe.drift.fingerprint import Fingerprint
from probe.measures import outcome
from probe.metrics.changes import ChangeMetrics
from probe.metrics.daemon import DaemonMetrics
from probe.metrics.drift import DriftMetrics
from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Configured, Part, negotiate, of_configured, page
from probe.metrics.intelligibility import IntelligibilityMetrics
from probe.metrics.last_run import LastRunMetrics
from probe.metrics.machine import MachineMetrics
from probe.metrics.observations import EVERY, MEASURES, OF_SPEECH, Series, observations
from probe.metrics.servers import ServerMetrics
from probe.plan import Role, Target
from probe.record import Outcome, RunRecord
from probe.waits import Asked

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

# They resolve the objective, 1 s unless configured.
LATENCY_BUCKETS = (
    0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0,
)  # fmt: skip
# A long sentence takes longer to speak than anybody waits for one.
# Our own share is small, or a run is suspect.
DELAY_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
BUCKETS = dict.fromkeys((*MEASURES, *OF_SPEECH), LATENCY_BUCKETS) | {
    "audio_duration": (*LATENCY_BUCKETS, 15.0, 20.0, 30.0, 60.0),
    "probe_delay": DELAY_BUCKETS,
}
HELP = {
    "combined_ttfb": "From the request to the LLM server to the first byte of audio.",
    "combined_ttfa": "From the request to the LLM server to the first audible sample.",
    "llm_ttft": "From the request to the LLM server to its first token.",
    "llm_ttfat": "From the request to the LLM server to the first token of its answer.",
    "llm_generation": "From the request to the LLM server to the end of the chunk.",
    "tts_wait": "How long a chunk's text waited for the TTS server to be free.",
    "tts_ttfb": "From sending the text to the first byte of audio.",
    "tts_generation": "From sending the text to the end of the segment.",
    "audio_duration": "Playing time of a segment.",
    "playout_gap": "Silence that a listener hears before a further chunk.",
    "probe_delay": "How long a chunk's text waited for the probe itself; part of no other figure.",
    "voice_to_voice": "From the end of a person's speech to the first audible sample of the answer.",
    "endpointing": "From the end of the speech until the server says that it is over.",
    "interrupted": "From the first sound of a person who speaks into an answer to the last audio of it that came.",
    "transcription": "From there, or from the end of the speech, to its transcript.",
}


class Metrics:
    """The sink that Prometheus reads. Every method may be called from any thread.

    `sinks` are the names under which errors of sinks are counted. What the daemon knows of itself goes to `daemon`.
    """

    name = "histograms"

    def __init__(self, version: str, sinks: Iterable[str]) -> None:
        # A second series for each, only to say when it began.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # its own omission
        self._lock = threading.Lock()
        self._configured = Configured()
        self._runs: dict[tuple[str, str], _Runs] = {}
        self._failures: dict[str, _Failures] = {}
        self._drift: dict[tuple[str, str], DriftMetrics] = {}
        self.daemon = DaemonMetrics(version, sinks, self._configured)
        self._machine = MachineMetrics(self._configured)
        self.intelligibility = IntelligibilityMetrics(self._configured)

    def expect(
        self,
        pairs: Iterable[tuple[str, str]],
        histograms: Series = EVERY,
        servers: Collection[Role] = ("llm", "tts"),
        asked: Asked = "text",
    ) -> None:
        """Have every series of these (target, scenario) pairs, at zero. Called again after a reload, it only adds.

        `histograms` are those that the targets can fill; what their runs have beyond them is not observed. `servers`
        are those that the targets have, and that may fail; `asked` is how they are asked:
        the stages of a drift are others where that has changed.
        """
        for target, scenario in pairs:
            self._runs_of(target, scenario, ()).expect(histograms)
            self._failures_of(target).expect(servers, hears=asked != "text")
            self._watch_drift(target, scenario, asked)
            self.daemon.expect(target, scenario)

    def expect_exporters(self, target: Target) -> None:
        """Have a counter for each exporter that shows this target's machine."""
        self._machine.expect(target)

    def keep(self, targets: Collection[str], scenarios: Collection[str], machines: Collection[str | None]) -> None:
        """Show no series of other targets, scenarios and machines: they have gone with a reload.

        What still comes of them, such as a run that had begun, is not shown either. When their next run is due stays,
        as NaN.
        """
        self._configured.set(targets, scenarios)
        with self._lock:
            self._runs = of_configured(self._runs, self._configured)
            self._drift = of_configured(self._drift, self._configured)
            self._failures = {target: each for target, each in self._failures.items() if target in targets}
        self.intelligibility.forget()
        self._machine.keep(machines)

    def write(self, record: RunRecord) -> None:
        """Count a run, and render its part of the page again: now that it has ended, not while the next is measured."""
        target = record.plan.target.name
        runs = self._runs_of(target, record.plan.scenario.name)
        runs.count(record)
        runs.last.update(record)
        runs.changes.count(record)
        runs.servers.update(record)
        runs.part.refresh()
        if record.machine is not None:
            self._machine.update(record.plan.target, record.machine)
        if record.failure is not None:
            self._failures_of(target).count(record)

    def restore(self, records: Iterable[RunRecord]) -> None:
        """Set the gauges of the last run from records, oldest first, without counting them.

        At start-up, give it the latest runs in the history: an alert on a success long ago then outlives a restart.
        """
        for record in records:
            runs = self._runs_of(record.plan.target.name, record.plan.scenario.name)
            runs.last.update(record)
            runs.changes.restore(record)
            runs.servers.update(record)
            runs.part.refresh()
            self.intelligibility.restore(record)

    def restore_fingerprint(self, target: str, scenario: str, serving: Fingerprint, since: int) -> None:
        """Set since when (nanoseconds since the epoch) runs have had this fingerprint."""
        runs = self._runs_of(target, scenario)
        runs.last.update_fingerprint(serving, since)
        runs.part.refresh()

    def update_drift(self, target: str, scenario: str, verdict: Verdict) -> None:
        """How the last runs compare with the baseline."""
        metrics = self._drift_of(target, scenario)
        metrics.update(verdict)
        metrics.part.refresh()

    def count_drift(self, target: str, scenario: str, found: Shift) -> None:
        """A change has been found."""
        metrics = self._drift_of(target, scenario)
        metrics.count(found)
        metrics.part.refresh()

    def show_beside(self, target: str, scenario: str, names: Sequence[str]) -> None:
        """What changed at the same time as the latency that differs now."""
        metrics = self._drift_of(target, scenario)
        metrics.show_beside(names)
        metrics.part.refresh()

    def close(self, timeout_s: float) -> None:
        """Nothing is buffered."""

    def render(self, accept: str) -> tuple[bytes, str]:
        """The page and its content type, for an HTTP `Accept` header: OpenMetrics, with exemplars, where that is taken.

        Call it as `await asyncio.to_thread(metrics.render, accept)`. What runs have added was rendered when they
        ended; a scrape renders the few series of the daemon itself.
        """
        content_type = negotiate(accept)
        self.daemon.part.refresh()
        self.daemon.due.refresh()
        return page(self.parts(), content_type), content_type

    def parts(self) -> list[Part]:
        """What the page is made of."""
        with self._lock:
            runs = of_configured(self._runs, self._configured)
            drift = of_configured(self._drift, self._configured)
            failures = [each.part for name, each in self._failures.items() if self._configured.has({"target": name})]
            found = [*(each.part for each in runs.values()), *failures, *(each.part for each in drift.values())]
        return [*found, self._machine.part, self.daemon.part, self.daemon.due, *self.intelligibility.parts()]

    def _runs_of(self, target: str, scenario: str, histograms: Series = EVERY) -> "_Runs":
        with self._lock:
            if (target, scenario) not in self._runs:
                self._runs[target, scenario] = _Runs(target, scenario, histograms)
            return self._runs[target, scenario]

    def _watch_drift(self, target: str, scenario: str, asked: Asked) -> None:
        with self._lock:
            known = self._drift.get((target, scenario))
            if known is None or known.asked != asked:
                self._drift[target, scenario] = DriftMetrics(target, scenario, asked)

    def _drift_of(self, target: str, scenario: str) -> DriftMetrics:
        with self._lock:
            if (target, scenario) not in self._drift:
                self._drift[target, scenario] = DriftMetrics(target, scenario)
            return self._drift[target, scenario]

    def _failures_of(self, target: str) -> "_Failures":
        with self._lock:
            if target not in self._failures:
                self._failures[target] = _Failures(target)
            return self._failures[target]


class _Runs:
    """What the runs of one target and scenario add."""

    def __init__(self, target: str, scenario: str, histograms: Series) -> None:
        self.part = Part()
        self._labels = {"target": target, "scenario": scenario}
        self._declared = self._declared_histograms()
        self._histograms: dict[tuple[str, str], Histogram] = {}
        self.expect(histograms)
        counter = Counter(
            "runs_total", "Runs, by outcome.", (*RUN_LABELS, "outcome"), NAMESPACE, registry=self.part.registry
        )
        self._counts = {each: counter.labels(**self._labels, outcome=each) for each in OUTCOMES}
        self._cold = Counter(
            "cold_runs_total", "Runs for which a model was loaded.", RUN_LABELS, NAMESPACE, registry=self.part.registry
        ).labels(**self._labels)
        self.last = LastRunMetrics(self.part, target, scenario)
        self.changes = ChangeMetrics(self.part, target, scenario)
        self.servers = ServerMetrics(self.part)

    def expect(self, histograms: Series) -> None:
        """Have these histograms."""
        for name, position in sorted(histograms):
            self._histograms[name, position] = self._declared[name].labels(**self._labels, position=position)
        self.part.refresh()

    def count(self, record: RunRecord) -> None:
        exemplar = _exemplar(record)
        self._counts[outcome(record)].inc(exemplar=exemplar)
        if record.cold:
            self._cold.inc(exemplar=exemplar)
        for each in observations(record):
            if (each.name, each.position) in self._histograms:
                self._histograms[each.name, each.position].observe(each.seconds, exemplar)

    def _declared_histograms(self) -> dict[str, Histogram]:
        labels = (*RUN_LABELS, "position")
        return {
            name: Histogram(
                f"{name}_seconds", HELP[name], labels, NAMESPACE, registry=self.part.registry, buckets=BUCKETS[name]
            )
            for name in HELP
        }


class _Failures:
    """Why the runs of one target failed."""

    def __init__(self, target: str) -> None:
        self.part = Part()
        self._target = target
        self._counter = Counter(
            "run_failures_total", "Failed runs, by server, stage and reason.", ("target", "server", "stage", "reason"),
            NAMESPACE, registry=self.part.registry,
        )  # fmt: skip

    def expect(self, servers: Collection[Role], *, hears: bool) -> None:
        """Have a series for whatever may fail on these servers."""
        for failure in may_fail(servers, hears=hears):
            self._of(*failure)
        self.part.refresh()

    def count(self, record: RunRecord) -> None:
        if record.failure is not None:
            failure = record.failure
            self._of(failure.server, failure.stage, failure.reason).inc(exemplar=_exemplar(record))
            self.part.refresh()

    def _of(self, server: Role | None, stage: str, reason: str) -> Counter:
        """No server is an empty label, which Prometheus takes for none."""
        return self._counter.labels(target=self._target, server=server or "", stage=stage, reason=reason)


def _exemplar(record: RunRecord) -> dict[str, str]:
    return {"trace_id": record.plan.trace_id, "run_id": record.plan.run_id}
