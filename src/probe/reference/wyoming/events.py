"""Wyoming's events: a line of JSON, then the data and the payload that it announces."""

import json
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = "1.10.0"
LONGEST_LINE = 2**16  # bytes
MOST_DATA = 2**20  # bytes
_SIZES = ("data_length", "payload_length")


class NoEventError(Exception):
    """What came is no event: the connection is of no use any more."""


class RefusedError(Exception):
    """What a client asked for is not available; `code` is the name that Piper's server has for it, if any."""

    def __init__(self, text: str, code: str | None = None) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Event:
    """One event; the payload is audio."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""

    def text(self, name: str) -> str | None:
        """One of its data, where that is a text."""
        value = self.data.get(name)
        return value if isinstance(value, str) else None


def written(kind: str, data: Mapping[str, Any] | None = None, payload: bytes = b"") -> bytes:
    """An event's bytes."""
    behind = json.dumps(data).encode() if data else b""
    line: dict[str, Any] = {"type": kind, "version": VERSION}
    line |= {"data_length": len(behind)} if behind else {}
    line |= {"payload_length": len(payload)} if payload else {}
    return json.dumps(line).encode() + b"\n" + behind + payload


async def read(reader: StreamReader) -> Event | None:
    """The next event; None at the end of the connection. Raises NoEventError."""
    try:
        line = await reader.readuntil(b"\n")
        fields = _object(line)
        behind, payload = (_size(fields, name) for name in _SIZES)
        data = _object(await reader.readexactly(behind)) if behind else {}
        audio = await reader.readexactly(payload)
    except IncompleteReadError:
        return None
    except LimitOverrunError as error:
        raise NoEventError("a line that does not end") from error
    kind, inside = fields.get("type"), fields.get("data")
    if not isinstance(kind, str):
        raise NoEventError("an event without a type")
    return Event(kind, (inside if isinstance(inside, dict) else {}) | data, audio)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoEventError("not JSON") from error
    if not isinstance(found, dict):
        raise NoEventError("not a JSON object")
    return found


def _size(fields: Mapping[str, Any], name: str) -> int:
    size = fields.get(name) or 0
    if not isinstance(size, int) or not 0 <= size <= MOST_DATA:
        raise NoEventError(f"{name} is no size, or more than {MOST_DATA} bytes")
    return size
