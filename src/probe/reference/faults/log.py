"""The truth: what a scripted server did and saw, with the times."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from probe.reference.faults import wire


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: `in` from the client, `out` to it.

    Kinds: accepted and lost (both `in`, without data), http, text, binary, ping, pong, close, raw. `at_ns` is
    time.monotonic_ns(), just before the write of what went out and just after the read of what came in; `until_ns` is
    just after the write: somewhere between the two the kernel got it.
    """

    at_ns: int
    connection: int
    direction: Literal["in", "out"]
    kind: str
    data: bytes = b""
    until_ns: int = 0

    @property
    def json(self) -> Any:
        """The frame's JSON; None when it has none."""
        try:
            return json.loads(self.data)
        except ValueError:
            return None

    @property
    def headers(self) -> dict[str, str]:
        """Of an `http` entry: the request's headers, names in lower case."""
        return wire.request_headers(self.data)


class Log:
    """Entries in order, of all the connections of a server."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._grown = asyncio.Event()

    def add(
        self, connection: int, direction: Literal["in", "out"], kind: str, data: bytes = b"", at_ns: int | None = None
    ) -> Entry:
        """Log what has just happened, or began at `at_ns` and has just ended."""
        now = time.monotonic_ns()
        entry = Entry(now if at_ns is None else at_ns, connection, direction, kind, data, now)
        self.entries.append(entry)
        self._grown.set()
        return entry

    def sent(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if (entry.direction, entry.kind) == ("out", kind)]

    def received(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if (entry.direction, entry.kind) == ("in", kind)]

    async def until(self, predicate: Callable[[Entry], bool], *, seconds: float = 30.0) -> Entry:
        """Return the first entry, past or to come, that satisfies the predicate; TimeoutError if none does in time."""
        async with asyncio.timeout(seconds):
            while True:
                self._grown.clear()
                for entry in self.entries:
                    if predicate(entry):
                        return entry
                await self._grown.wait()
