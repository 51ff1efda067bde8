"""The last run of one target and scenario, as gauges."""

import math
from collections.abc import Mapping
from typing import get_args

from prometheus_client import Gauge

from probe.drift.fingerprint import Fingerprint, fingerprint
from probe.measures import STAGES, TRUSTED, measure_run, outcome, stages_ms
from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Part
from probe.record import Outcome, RunRecord
from probe.timestamps import epoch_seconds, of_run_id

# Groups of outcomes that are counted in a row: a gauge has how many of the latest attempts all ended in one of them.
IN_A_ROW: Mapping[str, tuple[Outcome, ...]] = {
    "failed": ("failed",),
    "complete": TRUSTED,
    "missed": ("slow", "failed"),
    "ok": ("ok",),
}


class LastRunMetrics:
    """Gauges in a part of the page. A latency that is not known is NaN: 0 would be a good one."""

    def __init__(self, part: Part, target: str, scenario: str) -> None:
        self._part = part
        self._labels = {"target": target, "scenario": scenario}
        self._ttfb = self._gauge("last_combined_ttfb_seconds", "First audio byte of the last complete run.")
        stages = self._declared(
            "last_stage_seconds", "The start of the first turn of the last complete run, by stage.", "stage"
        )
        self._stages = {stage: stages.labels(**self._labels, stage=stage) for stage in STAGES}
        self._rate = self._gauge("llm_tokens_per_second", "Speed of the LLM in the last complete run.")
        self._stall = self._gauge("llm_longest_stall_seconds", "Longest wait between two tokens in that run.")
        # Only a target that hears has one.
        self._errors = self._declared("word_error_rate", "Words that were misunderstood per word said, in that run.")
        self._cold = self._gauge("cold", "Whether a model was loaded for the last run; NaN if unknown.")
        for gauge in (self._ttfb, *self._stages.values(), self._rate, self._stall, self._cold):
            gauge.set(math.nan)
        self._run = self._gauge("last_run_timestamp_seconds", "When the last run ended, whatever its outcome.")
        by_outcome = self._declared(
            "last_run_id_timestamp_seconds", "The time in the id of the last run with this outcome.", "outcome"
        )
        self._ids = {each: by_outcome.labels(**self._labels, outcome=each) for each in get_args(Outcome)}
        for each in self._ids.values():
            each.set(math.nan)
        self._success = self._gauge("last_success_timestamp_seconds", "When the last complete run ended.")
        self._up = self._gauge(
            "up", "Whether the last run that was not skipped got its whole answer; 0 before the first."
        )
        in_a_row = self._declared("attempts_in_a_row", "Latest attempts in a row with this outcome.", "all")
        self._in_a_row = {each: in_a_row.labels(**self._labels, all=each) for each in IN_A_ROW}
        self._since = self._declared(
            "serving_since_timestamp_seconds",
            "When the current model, voice and settings came into use.",
            *("llm", "tts", "config"),
        )
        self._serving: Fingerprint | None = None

    def update(self, record: RunRecord) -> None:
        """Record a run as the last one."""
        ended = epoch_seconds(record.ended)
        self._run.set(ended)
        begun = of_run_id(record.plan.run_id)
        self._ids[outcome(record)].set(epoch_seconds(record.started if begun is None else begun))
        if (now := fingerprint(record)) != self._serving:
            self.update_fingerprint(now, record.started)
        self._update_row(record)
        # Down and busy are different answers: a run that was skipped says nothing of the target.
        if record.skipped is None:
            self._up.set(record.failure is None)
            self._cold.set(math.nan if record.cold is None else record.cold)
        if outcome(record) in TRUSTED:
            self._success.set(ended)
            if not record.cold:
                # What follows these over days would take a model that is loaded for a change.
                self._update_latencies(record)

    def update_fingerprint(self, now: Fingerprint, since: int) -> None:
        """Set the identity of what was measured, and when it came into use (nanoseconds since the epoch)."""
        self._serving = now
        self._since.clear()
        self._since.labels(**self._labels, llm=now.llm, tts=now.tts, config=now.config).set(epoch_seconds(since))

    def _update_row(self, record: RunRecord) -> None:
        """A run that was skipped or can't be trusted breaks no row, and is no part of one."""
        ended = outcome(record)
        if any(ended in those for those in IN_A_ROW.values()):
            for each, those in IN_A_ROW.items():
                if ended in those:
                    self._in_a_row[each].inc()
                else:
                    self._in_a_row[each].set(0)

    def _update_latencies(self, record: RunRecord) -> None:
        first = measure_run(record)[0]
        stages = {stage: _seconds(ms) for stage, ms in stages_ms(first).items()}
        self._ttfb.set(stages["combined_ttfb"])
        for stage, seconds in stages.items():
            self._stages[stage].set(seconds)
        self._rate.set(math.nan if first.llm_tokens_per_second is None else first.llm_tokens_per_second)
        self._stall.set(_seconds(first.llm_longest_stall_ms))
        if record.turns[0].heard is not None:
            errors = first.word_error_rate
            self._errors.labels(**self._labels).set(math.nan if errors is None else errors)

    def _gauge(self, name: str, text: str) -> Gauge:
        return self._declared(name, text).labels(**self._labels)

    def _declared(self, name: str, text: str, *more_labels: str) -> Gauge:
        return Gauge(name, text, (*RUN_LABELS, *more_labels), NAMESPACE, registry=self._part.registry)


def _seconds(ms: float | None) -> float:
    return math.nan if ms is None else ms / 1000
