"""Reads untrusted JSON from a server."""

import json
import math
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from probe import text
from probe.protocols.base import Malformed

_SHOWN = 80
# Of a line so many characters are kept; of these so many are looked at, as a server may send a million.
_LINE, _READ = 300, 4096
MOST = 2**31
# What stands between values or begins one. Nothing interrupts the parser, and so many take it some 6 ms; the longest
# documents that servers have, lists of models and voices, have 10,000.
MOST_MARKS = 30_000
_MARKS = (b",", b":", b"[", b"{")
# Of an error that a server reports and that has no code of its own: its words are in what it `said`.
REPORTED = "it reported an error"
# Why an answer or a chunk ended, in servers' words. Anything else might be a text.
_FINISH_REASONS = frozenset(
    (
        "stop", "length", "eos", "eos_token", "end_turn", "stop_sequence", "limit", "max_tokens", "sentence_boundary",
        "sentence_boundary_eos", "stop_word", "already_done",
        "load", "unload", "done", "complete", "completed", "tool_calls", "function_call", "content_filter", "abort",
        "max_output_tokens", "incomplete", "turn_detected", "client_cancelled",
        "error", "cancelled", "interrupted", "repetition", "connection_error", "empty_response", "timeout",
    )
)  # fmt: skip


class TooMuchError(ValueError):
    """JSON that would take too long to read."""


def parse(data: bytes) -> Any:
    """Read JSON. Raises ValueError for what is none, is nested too deep, or has too many values."""
    # Of fewer bytes than that there can't be more marks.
    if len(data) > MOST_MARKS and sum(map(data.count, _MARKS)) > MOST_MARKS:
        raise TooMuchError(f"JSON of more than {MOST_MARKS // 2} values")
    try:
        return json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def parse_object(data: bytes) -> dict[str, Any] | Malformed:
    """Read a JSON object, or say why these bytes are none."""
    try:
        document = parse(data)
    except TooMuchError as error:
        return Malformed(str(error), shown(data))
    except ValueError:
        return Malformed("not JSON", shown(data))
    return document if isinstance(document, dict) else Malformed("not a JSON object", shown(data))


def shown(data: bytes) -> str:
    """Return the start of a frame, printable in one line."""
    start = ascii(data[:_SHOWN].decode("utf-8", "replace"))[1:-1]
    return f"{start}…" if len(data) > _SHOWN else start


def one_line(line: str) -> str:
    """What a server says to a person: one printable line, and no longer than anyone reads."""
    return text.cut(text.one_line(line[:_READ]), _LINE)


def complaint(value: Any, frame: bytes) -> str:
    """An error's message; the frame itself where it has none."""
    line = one_line(value) if isinstance(value, str) else ""
    return line or shown(frame)


def finish_reason(value: Any) -> str | None:
    """Why the server says that it stopped, by one of the names that servers have for it, else `other`; None without."""
    if not isinstance(value, str) or not value:
        return None
    return value if value in _FINISH_REASONS else "other"


def count_or_none(value: Any) -> int | None:
    """A number of things; None for what nobody has counted, as more than fit into any store."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else None


def number_or_none(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def time_or_none(value: Any) -> float | None:
    """How long something took or lasts; nothing lasts less than no time."""
    number = number_or_none(value)
    return None if number is None or number < 0 else number


def http_url(url: str, path: str) -> str:
    """Where a server with this URL, of a WebSocket or not, answers plain HTTP, to the same user."""
    parts = urlsplit(url)
    scheme = "https" if parts.scheme in ("wss", "https") else "http"
    return urlunsplit((scheme, parts.netloc, path, parts.query, ""))
