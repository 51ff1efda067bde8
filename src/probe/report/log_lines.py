"""One line of the log per run. What was said is in it only where that is asked for; URLs are shown without secrets.

The logger is the daemon's: it makes JSON or colours of the line, and takes the secrets out of every URL.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from probe.measures import TRUSTED, outcome, summarise
from probe.record import INTERRUPTED, Outcome, RunRecord
from probe.report.document import answer, identity, key_figures, rounded
from probe.timestamps import milliseconds
from probe.transcription import Transcription

# The event of a run's line, and of that on what was understood of its answer.
RUN = "run"
TRANSCRIBED, NOT_TRANSCRIBED = "answer transcribed", "answer not transcribed"
Level = Literal["info", "warning", "error"]
_LEVELS: Mapping[Outcome, Level] = {
    "ok": "info", "slow": "warning", "failed": "error", "skipped": "warning", "suspect": "warning",
}  # fmt: skip


class Logger(Protocol):
    """Where the lines go."""

    def info(self, event: str, **fields: Any) -> Any: ...

    def warning(self, event: str, **fields: Any) -> Any: ...

    def error(self, event: str, **fields: Any) -> Any: ...


class LogSink:
    """The sink that logs. `log_texts`: whether prompts, responses and servers' own words may be in the log."""

    name = "log"

    def __init__(self, logger: Logger, *, log_texts: bool = False) -> None:
        self._logger = logger
        self._log_texts = log_texts

    def write(self, record: RunRecord) -> None:
        fields = {**_summary(record), **_trouble(record)}
        if self._log_texts:
            fields["said"] = list(record.said) or None
            fields["turns"] = [{"user": turn.user, "text": answer(turn)} for turn in record.turns]
        log = getattr(self._logger, "info" if record.skipped == INTERRUPTED else _LEVELS[outcome(record)])
        log(RUN, **{key: value for key, value in fields.items() if value is not None})

    def write_later(self, record: RunRecord, found: Transcription) -> None:
        """Log how well the answer of a run was understood, or why nobody knows."""
        wrong = found.mishap
        took = {**identity(record), "took_ms": rounded(milliseconds(found.ended - found.started), 1)}
        if wrong is not None:
            self._logger.warning(
                NOT_TRANSCRIBED, **took, stage=wrong.stage, reason=wrong.reason, detail=wrong.detail, stt_url=found.url
            )
            return
        texts = {"transcripts": [each.transcript for each in found.turns]} if self._log_texts else {}
        ratio = rounded(found.word_error_ratio, 4)
        self._logger.info(TRANSCRIBED, **took, word_error_ratio=ratio, words=found.words, errors=found.errors, **texts)

    def close(self, timeout_s: float) -> None:
        """Nothing is buffered."""


def _summary(record: RunRecord) -> dict[str, Any]:
    summary = summarise(record)
    figures = key_figures(summary)
    if not summary.chunks:
        figures["playout_gap_total_ms"] = None
    return {
        **identity(record),
        "outcome": outcome(record),
        "cold": record.cold,
        **rounded(figures, 1),
        "turns": len(record.turns),
        "chunks": summary.chunks,
        "duration_ms": rounded(milliseconds(record.ended - record.started), 1),
    }


def _trouble(record: RunRecord) -> dict[str, Any]:
    """What there is to say beyond the figures: of what it is good, and what was not."""
    fields: dict[str, Any] = {"skipped": record.skipped, "doubts": list(record.doubts) or None}
    if outcome(record) in TRUSTED:
        fields["objective_ms"] = record.plan.target.objective_ms
        fields["objective_measure"] = record.plan.target.objective_measure
    failure = record.failure
    if failure is not None:
        fields |= {
            "server": failure.server,
            "stage": failure.stage,
            "reason": failure.reason,
            "detail": failure.detail,
            "turn_num": failure.turn_num,
            "chunk_num": failure.chunk_num,
        }
        fields |= {f"{role}_url": server.url for role, server in record.plan.target.servers.items()}
    return fields
