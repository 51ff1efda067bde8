"""Wyoming's events: a line of JSON, then the data and the payload that it announces. Bytes in as they come, events out.

Pure, and bounded before anything is read: what a line announces beyond the bounds is not waited for.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from probe.protocols.base import Malformed, Refused
from probe.protocols.fields import REPORTED, count_or_none, one_line, parse_object, shown

MAX_LINE_BYTES = 2**16
# A list of all voices takes hundreds of kB.
MAX_DATA_BYTES = 2**20
# Servers send 2 kB; one that sends a text's whole audio at once may have a minute and more of it.
MAX_PAYLOAD_BYTES = 2**22
# On one connection: each costs time, however small it is.
MAX_EVENTS = 2**15
# Of the library whose events these are, which says its own.
_VERSION = "1.10.0"


class Heard(Struct, frozen=True):
    """One event."""

    type: str
    data: Mapping[str, Any]
    payload: bytes = b""


def written(kind: str, data: Mapping[str, Any] | None = None, payload: bytes = b"") -> bytes:
    """An event, as it goes over the wire."""
    behind = json.dumps(data).encode() if data else b""
    size = {"data_length": len(behind)} if behind else {}
    size |= {"payload_length": len(payload)} if payload else {}
    return json.dumps({"type": kind, "version": _VERSION, **size}).encode() + b"\n" + behind + payload


def refusal(data: Mapping[str, Any]) -> Refused:
    """An `error`. A code is the name of a class, where there is one; none is in the protocol."""
    parts = [one_line(value) for name in ("code", "text") if isinstance(value := data.get(name), str)]
    said = ": ".join(part for part in parts if part)
    return Refused(REPORTED, said)


class Events:
    """The events of one connection. Nothing more comes after what is no event."""

    def __init__(self) -> None:
        self._over = False
        self._count = 0
        # What was announced and has not arrived: which part, and how much. None: a line.
        self._sizes: list[int] | None = None
        self._part = bytearray()
        self._parts: list[bytes] = []
        self._line: dict[str, Any] = {}

    def feed(self, data: bytes) -> Iterator[Heard | Malformed | Refused]:
        while data and not self._over:
            if self._sizes is None:
                start, end, data = data.partition(b"\n")
                self._part += start
                if len(self._part) > MAX_LINE_BYTES:
                    yield self._given_up(Refused(f"a line is longer than {MAX_LINE_BYTES} bytes", reason="flood"))
                elif end:
                    yield from self._announced(bytes(self._part))
            else:
                missing = self._sizes[len(self._parts)] - len(self._part)
                self._part += data[:missing]
                data = data[missing:]
                yield from self._advance()

    def _announced(self, line: bytes) -> Iterator[Heard | Malformed | Refused]:
        """A line is complete: what follows it?"""
        self._part.clear()
        found = parse_object(line)
        if isinstance(found, Malformed):
            yield self._given_up(found)
            return
        sizes = [count_or_none(found.get(name) or 0) for name in ("data_length", "payload_length")]
        if not isinstance(found.get("type"), str) or None in sizes:
            yield self._given_up(Malformed("a line that announces no event", shown(line)))
            return
        self._line, self._sizes = found, [size or 0 for size in sizes]
        for what, size, most in zip(
            ("data", "a payload"), self._sizes, (MAX_DATA_BYTES, MAX_PAYLOAD_BYTES), strict=True
        ):
            if size > most:
                yield self._given_up(Refused(f"an event with {what} of more than {most} bytes", reason="flood"))
                return
        yield from self._advance()

    def _advance(self) -> Iterator[Heard | Malformed | Refused]:
        """Go on to the next part as soon as one is complete."""
        sizes = self._sizes or []
        while len(self._parts) < len(sizes) and len(self._part) == sizes[len(self._parts)]:
            self._parts.append(bytes(self._part))
            self._part.clear()
        if len(self._parts) == len(sizes):
            behind, payload = self._parts
            self._sizes, self._parts = None, []
            yield self._event(behind, payload)

    def _event(self, behind: bytes, payload: bytes) -> Heard | Malformed | Refused:
        data = parse_object(behind) if behind else {}
        if isinstance(data, Malformed):
            return self._given_up(data)
        self._count += 1
        if self._count > MAX_EVENTS:
            return self._given_up(Refused(f"more than {MAX_EVENTS} events on one connection", reason="flood"))
        # Older servers write the data into the line itself; what comes after it has priority.
        inside = self._line.get("data")
        return Heard(self._line["type"], (inside if isinstance(inside, dict) else {}) | data, payload)

    def _given_up(self, why: Malformed | Refused) -> Malformed | Refused:
        self._over = True
        self._part.clear()
        return why
