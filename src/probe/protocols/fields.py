"""Reading JSON that a server sent: anything may be in it."""

import json
import math
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from probe.protocols.base import Malformed

_SHOWN = 80


def parse_object(data: bytes) -> dict[str, Any] | Malformed:
    """Read a JSON object, or say why these bytes are none."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return Malformed(f"not JSON: {shown(data)}")
    return document if isinstance(document, dict) else Malformed(f"not a JSON object: {shown(data)}")


def shown(data: bytes) -> str:
    """Return the start of a frame, printable in one line."""
    text = ascii(data[:_SHOWN].decode("utf-8", "replace"))[1:-1]
    return f"{text}…" if len(data) > _SHOWN else text


def text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def count_or_none(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def number_or_none(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def http_url(websocket_url: str, path: str) -> str:
    """Where a server with this WebSocket URL answers plain HTTP."""
    parts = urlsplit(websocket_url)
    scheme = "https" if parts.scheme == "wss" else "http"
    return urlunsplit((scheme, parts.netloc.rpartition("@")[2], path, "", ""))
