"""The daemon's logger: JSON for the journal, colours for a terminal. No line holds a URL's password or query."""

from collections.abc import Callable, MutableMapping
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from probe.urls import without_secrets

Logger = FilteringBoundLogger
Style = Literal["auto", "json", "console"]


def make_logger(stream: TextIO, style: Style = "auto", on_lost: Callable[[], None] = lambda: None) -> Logger:
    """A logger that writes to `stream`: a line of JSON each, or for a person where the stream is a terminal.

    `on_lost` is called for a line that can't be written; the caller learns nothing of it.
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
    """Prints what can be printed: a full disk or a closed pipe is no reason to stop measuring."""

    def __init__(self, stream: TextIO, on_lost: Callable[[], None]) -> None:
        super().__init__(stream)
        self._on_lost = on_lost

    def msg(self, message: str) -> None:
        try:
            super().msg(message)
        except OSError:
            self._on_lost()

    info = warning = error = msg


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last step of every line, so that no caller has to think of it."""
    return {key: without_secrets(value) if isinstance(value, str) else value for key, value in event.items()}
