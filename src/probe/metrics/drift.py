"""Drift as gauges and a counter: what the daemon's detector makes of the runs of one target and scenario."""

import math
from collections.abc import Sequence

from prometheus_client import Counter, Gauge

from probe.drift import DIRECTIONS, Shift, Verdict
from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Part
from probe.timestamps import epoch_seconds
from probe.waits import WAITS, Asked

STATES = {"learning": math.nan, "stable": 0.0, "slower": 1.0, "faster": -1.0}


class DriftMetrics:
    """A part of the page. What is not known yet is NaN.

    It has the stages of a target that is asked in this way. A verdict from before may have others: they are not shown.
    """

    def __init__(self, target: str, scenario: str, asked: Asked = "text") -> None:
        self.part = Part()
        self.asked = asked
        stages = WAITS[asked]
        self._labels = {"target": target, "scenario": scenario}
        ratio = self._gauge("drift_ratio", "Latency of the last runs, as a ratio to the baseline.", "stage")
        added = self._gauge("drift_added_seconds", "Latency of the last runs minus the baseline.", "stage")
        self._ratios = {stage: ratio.labels(**self._labels, stage=stage) for stage in stages}
        self._added = {stage: added.labels(**self._labels, stage=stage) for stage in stages}
        self._state = self._gauge("drift_state", "1 slower than the baseline, -1 faster, 0 neither.").labels(
            **self._labels
        )
        self._since = self._gauge("drift_since_timestamp_seconds", "When it became slower or faster.").labels(
            **self._labels
        )
        self._beside = self._gauge(
            "drift_beside", "What changed at the same time: 1 the most certain, then 2 and more. No proof.", "cause"
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
            for stage in stages
            for direction in DIRECTIONS
        }
        for gauge in (*self._ratios.values(), *self._added.values(), self._state, self._since):
            gauge.set(math.nan)

    def update(self, verdict: Verdict) -> None:
        """Set the gauges to this state."""
        for gauge in (*self._ratios.values(), *self._added.values()):
            gauge.set(math.nan)
        for each in (each for each in verdict.now if each.stage in self._ratios):
            self._ratios[each.stage].set(each.ratio)
            self._added[each.stage].set(each.added_ms / 1000)
        self._state.set(STATES[verdict.state])
        self._since.set(math.nan if verdict.drift is None else epoch_seconds(verdict.drift.since))

    def show_beside(self, names: Sequence[str]) -> None:
        """Have a series for each of these, the most certain first, and no other."""
        self._beside.clear()
        for place, name in enumerate(names, 1):
            self._beside.labels(**self._labels, cause=name).set(place)

    def count(self, found: Shift) -> None:
        if (found.stage, found.direction) in self._changes:
            self._changes[found.stage, found.direction].inc()

    def _gauge(self, name: str, text: str, *more_labels: str) -> Gauge:
        return Gauge(name, text, (*RUN_LABELS, *more_labels), NAMESPACE, registry=self.part.registry)
