"""Drift as gauges and a counter: what the daemon's detector makes of the runs of one target and scenario."""

import math

from prometheus_client import Counter, Gauge

from probe.drift import DIRECTIONS, Shift, Verdict
from probe.measures import STAGES
from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Part
from probe.timestamps import epoch_seconds

STATES = {"learning": math.nan, "stable": 0.0, "slower": 1.0, "faster": -1.0}


class DriftMetrics:
    """A part of the page. What is not known yet is NaN."""

    def __init__(self, target: str, scenario: str) -> None:
        self.part = Part()
        self._labels = {"target": target, "scenario": scenario}
        ratio = self._gauge("drift_ratio", "Latency of the last runs, as a ratio to the baseline.", "stage")
        added = self._gauge("drift_added_seconds", "Latency of the last runs minus the baseline.", "stage")
        self._ratios = {stage: ratio.labels(**self._labels, stage=stage) for stage in STAGES}
        self._added = {stage: added.labels(**self._labels, stage=stage) for stage in STAGES}
        self._state = self._gauge("drift_state", "1 slower than the baseline, -1 faster, 0 neither.").labels(
            **self._labels
        )
        self._since = self._gauge("drift_since_timestamp_seconds", "When it became slower or faster.").labels(
            **self._labels
        )
        changes = Counter(
            "drift_changes_total",
            "Changes that were found, by the stage that changed most.",
            (*RUN_LABELS, "stage", "direction"),
            NAMESPACE,
            registry=self.part.registry,
        )
        self._changes = {
            (stage, direction): changes.labels(**self._labels, stage=stage, direction=direction)
            for stage in STAGES
            for direction in DIRECTIONS
        }
        for gauge in (*self._ratios.values(), *self._added.values(), self._state, self._since):
            gauge.set(math.nan)

    def update(self, verdict: Verdict) -> None:
        """Set the gauges to this state."""
        for gauge in (*self._ratios.values(), *self._added.values()):
            gauge.set(math.nan)
        for each in verdict.now:
            self._ratios[each.stage].set(each.ratio)
            self._added[each.stage].set(each.added_ms / 1000)
        self._state.set(STATES[verdict.state])
        self._since.set(math.nan if verdict.drift is None else epoch_seconds(verdict.drift.since))

    def count(self, found: Shift) -> None:
        self._changes[found.stage, found.direction].inc()

    def _gauge(self, name: str, text: str, *more_labels: str) -> Gauge:
        return Gauge(name, text, (*RUN_LABELS, *more_labels), NAMESPACE, registry=self.part.registry)
