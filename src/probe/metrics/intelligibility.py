"""How well answers were understood, and how many were not transcribed, as metrics: only where some are transcribed."""

import math
import threading
from collections.abc import Iterable, Mapping

from prometheus_client import Counter, Gauge, Histogram

from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Configured, Part, of_configured
from probe.record import REASONS, RunRecord
from probe.transcription import WAITED, Transcription, Untranscribed

# From a good recogniser's own errors to speech that nobody understands; words that were added make it more.
BUCKETS = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5)
# Of speech that is not there yet.
_OF_LIVE_SPEECH = (
    "never_ended", "ended_early", "no_transcript", "not_understood", "false_trigger", "audio_refused",
    "not_interrupted",
)  # fmt: skip
# The closed list of why an answer was not transcribed, by stage.
NOT_TRANSCRIBED: Mapping[Untranscribed, tuple[str, ...]] = {
    "wait": WAITED,
    "connect": REASONS["connect"],
    "stt": tuple(each for each in REASONS["stt"] if each not in _OF_LIVE_SPEECH),
    "internal": ("error",),
}


class IntelligibilityMetrics:
    """Every method may be called from any thread."""

    def __init__(self, configured: Configured) -> None:
        self._configured = configured
        self._lock = threading.Lock()
        self._series: dict[tuple[str, str], _Answers] = {}

    def expect(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Have the series of these targets and scenarios, whose answers are transcribed."""
        for pair in pairs:
            self._of(pair)

    def count(self, record: RunRecord, found: Transcription) -> None:
        """An attempt to transcribe a run's answer is over."""
        answers = self._of((record.plan.target.name, record.plan.scenario.name))
        answers.count(found, {"trace_id": record.plan.trace_id, "run_id": record.plan.run_id})
        answers.part.refresh()

    def restore(self, record: RunRecord) -> None:
        """Set the gauge by a run of the history, and count nothing."""
        if record.transcription is not None and record.transcription.word_error_ratio is not None:
            answers = self._of((record.plan.target.name, record.plan.scenario.name))
            answers.show(record.transcription.word_error_ratio)
            answers.part.refresh()

    def forget(self) -> None:
        """Leave what is no longer configured."""
        with self._lock:
            self._series = of_configured(self._series, self._configured)

    def parts(self) -> list[Part]:
        with self._lock:
            return [each.part for each in of_configured(self._series, self._configured).values()]

    def _of(self, pair: tuple[str, str]) -> "_Answers":
        with self._lock:
            if pair not in self._series:
                self._series[pair] = _Answers(*pair)
            return self._series[pair]


class _Answers:
    """Those of one target and scenario."""

    def __init__(self, target: str, scenario: str) -> None:
        self.part = Part()
        self._labels = {"target": target, "scenario": scenario}
        registry = self.part.registry
        self._ratios = Histogram(
            "answer_word_error_ratio", "Words of answers that a recogniser got wrong, per word that TTS was sent.",
            RUN_LABELS, NAMESPACE, registry=registry, buckets=BUCKETS,
        ).labels(**self._labels)  # fmt: skip
        self._last = Gauge(
            "last_answer_word_error_ratio", "The same of the last answer that was transcribed; NaN before the first.",
            RUN_LABELS, NAMESPACE, registry=registry,
        ).labels(**self._labels)  # fmt: skip
        self._last.set(math.nan)
        self._missing = Counter(
            "answers_not_transcribed_total", "Answers that should have been transcribed and were not, by reason.",
            (*RUN_LABELS, "stage", "reason"), NAMESPACE, registry=registry,
        )  # fmt: skip
        for stage, reasons in NOT_TRANSCRIBED.items():
            for reason in reasons:
                self._missing.labels(**self._labels, stage=stage, reason=reason)

    def count(self, found: Transcription, exemplar: dict[str, str]) -> None:
        if found.mishap is not None:
            wrong = found.mishap
            self._missing.labels(**self._labels, stage=wrong.stage, reason=wrong.reason).inc(exemplar=exemplar)
        elif found.word_error_ratio is not None:
            self._ratios.observe(found.word_error_ratio, exemplar)
            self.show(found.word_error_ratio)

    def show(self, ratio: float) -> None:
        self._last.set(ratio)
