"""The daemon's logger: JSON for the journal, colours for a terminal. No line holds a URL's password or query."""

from collections.abc import Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Literal

import click
import structlog
from structlog.typing import FilteringBoundLogger, Processor

from probe.daemon.log_queue import LineStream
from probe.text import shown
from probe.urls import without_secrets

Logger = FilteringBoundLogger
Style = Literal["auto", "json", "console"]
# Makes a line, with colours, of an event's fields.
OwnLine = Callable[[Mapping[str, Any]], str]
NO_LINES: Mapping[str, OwnLine] = MappingProxyType({})


def make_logger(
    stream: LineStream,
    style: Style = "auto",
    own: Mapping[str, OwnLine] = NO_LINES,
    coloured: bool | None = None,
) -> Logger:
    """A logger that writes to `stream`: a line of JSON each, or for a person where the stream is a terminal.

    `own` has the events that a person reads in a line of their own kind, and what makes it. `coloured` is None where a
    terminal gets colours and nothing else does; JSON has none.
    """
    terminal = stream.isatty()
    for_a_person = style == "console" or (style == "auto" and terminal)
    look: Processor = structlog.processors.JSONRenderer()
    if for_a_person:
        look = _ForAPerson(own, colours=terminal if coloured is None else coloured)
    logger: Logger = structlog.wrap_logger(
        _Lines(stream),
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


class _ForAPerson:
    """Some events in lines of their own kind; everything else in structlog's form."""

    def __init__(self, own: Mapping[str, OwnLine], *, colours: bool) -> None:
        self._own = own
        self._colours = colours
        self._other = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
        own = self._own.get(event["event"])
        if own is None:
            return self._other(logger, method, event)
        line = own(event)
        return line if self._colours else click.unstyle(line)


class _Lines:
    """Hands each line to the stream in one piece: several threads log."""

    def __init__(self, stream: LineStream) -> None:
        self._stream = stream

    def msg(self, message: str) -> None:
        # JSON has escapes for them already.
        self._stream.write(f"{shown(message)}\n")
        self._stream.flush()

    info = warning = error = critical = msg


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last step of every line, so that no caller has to think of it."""
    return {key: without_secrets(value) if isinstance(value, str) else value for key, value in event.items()}
