"""One line for each run: JSON for the journal, colours for a terminal. Also makes the logger that the daemon uses.

No line holds a URL's password or query. What was asked and answered is told only where that is asked for.
"""

from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from probe.measures import ChunkMeasures, outcome, summarise
from probe.privacy import without_texts
from probe.record import Outcome, RunRecord
from probe.timestamps import milliseconds
from probe.urls import without_secrets

# What whoever logs is given.
Logger = FilteringBoundLogger
Style = Literal["auto", "json", "console"]

_LEVELS: Mapping[Outcome, str] = {
    "ok": "info", "slow": "warning", "failed": "error", "skipped": "warning", "suspect": "warning",
}  # fmt: skip


def make_logger(stream: TextIO, style: Style = "auto", on_lost: Callable[[], None] = lambda: None) -> Logger:
    """A logger that writes to `stream`: a line of JSON each, or for a person where the stream is a terminal.

    `on_lost` is called for a line that can't be written; whoever logs is not told.
    """
    colours = stream.isatty()
    for_a_person = style == "console" or (style == "auto" and colours)
    look: Processor = structlog.processors.JSONRenderer()
    if for_a_person:
        look = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
    logger: Logger = structlog.wrap_logger(
        _Printer(stream, on_lost),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_secrets,
            look,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )
    return logger


class _Printer(structlog.PrintLogger):
    """Prints what can be printed: a full disk, or nobody who reads, is no reason to measure no more."""

    def __init__(self, stream: TextIO, on_lost: Callable[[], None]) -> None:
        super().__init__(stream)
        self._on_lost = on_lost

    def msg(self, message: str) -> None:
        try:
            super().msg(message)
        except OSError:
            self._on_lost()

    info = warning = error = msg


class LogSink:
    """The sink that logs. `log_texts`: whether prompts and responses may be told."""

    name = "log"

    def __init__(self, logger: Logger, *, log_texts: bool = False) -> None:
        self._logger = logger
        self._log_texts = log_texts

    def write(self, record: RunRecord) -> None:
        how = outcome(record)
        fields = {**_summary(record), **_trouble(record, log_texts=self._log_texts)}
        if self._log_texts:
            fields["turns"] = [
                {"user": turn.user, "text": "".join(chunk.text for chunk in turn.chunks)} for turn in record.turns
            ]
        getattr(self._logger, _LEVELS[how])("run", **{key: value for key, value in fields.items() if value is not None})

    def close(self, timeout_s: float) -> None:
        """Nothing is held back."""


def _summary(record: RunRecord) -> dict[str, Any]:
    summary, plan = summarise(record), record.plan
    first = summary.first or ChunkMeasures()
    return {
        "run_id": plan.run_id,
        "trace_id": plan.trace_id,
        "target": plan.target.name,
        "scenario": plan.scenario.name,
        "outcome": outcome(record),
        "response_ttfb_ms": _rounded(summary.response_ttfb_ms),
        "response_ttfa_ms": _rounded(summary.response_ttfa_ms),
        "llm_ttft_ms": _rounded(first.llm_ttft_ms),
        "llm_gen_time_ms": _rounded(first.llm_gen_time_ms),
        "tts_ttfb_ms": _rounded(first.tts_ttfb_ms),
        "tts_gen_time_ms": _rounded(first.tts_gen_time_ms),
        "playout_gap_total_ms": _rounded(summary.playout_gap_total_ms) if summary.chunks else None,
        "turns": len(record.turns),
        "chunks": summary.chunks,
        "duration_ms": _rounded(milliseconds(record.ended - record.started)),
    }


def _trouble(record: RunRecord, *, log_texts: bool) -> dict[str, Any]:
    """What there is to say beyond the figures when a run is not simply good."""
    fields: dict[str, Any] = {"skipped": record.skipped, "doubts": list(record.doubts) or None}
    if outcome(record) == "slow":
        fields["objective_ms"] = record.plan.target.objective_ms
    failure = record.failure
    if failure is not None:
        target = record.plan.target
        fields |= {
            "stage": failure.stage,
            "reason": failure.reason,
            "detail": failure.detail if log_texts else without_texts(failure.detail, record),
            "turn_num": failure.turn_num,
            "chunk_num": failure.chunk_num,
            "llm_url": target.llm_url,
            "tts_url": target.tts_url,
        }
    return fields


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Whoever logs, and whatever."""
    return {key: without_secrets(value) if isinstance(value, str) else value for key, value in event.items()}
