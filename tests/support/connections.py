"""A connection whose arrivals can be awaited, and what a scripted server says on it."""

import time
from dataclasses import replace
from typing import Any

from probe.clock import AnchoredClock
from probe.reference.faults import (
    TtsScript,
)
from probe.timestamps import NS_PER_S
from probe.transport.connection import Endpoint, Link
from probe.transport.connector import SocketConnector
from probe.transport.framing.base import Incoming
from probe.transport.inbox import Arrival, Inbox

HEADERS = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}


class Client:
    """A connection whose arrivals can be awaited."""

    def __init__(self) -> None:
        self.clock = AnchoredClock.anchored_now()
        self.inbox = Inbox(self.clock)

    async def open(self, url: str, timeout_s: float = 60.0, framing: str = "websocket") -> Link:
        return await SocketConnector(self.clock).open(Endpoint(url, framing, HEADERS), self.deliver, timeout_s)

    def deliver(self, at_ns: int, frame: Incoming) -> None:
        self.inbox.put(Arrival(at_ns, "tts", 1, frame))

    async def next(self, seconds: float = 60.0) -> Arrival:
        arrival = await self.inbox.get(self.clock.now() + round(seconds * NS_PER_S))
        assert arrival is not None, "nothing arrived"
        return arrival

    async def frames(self, count: int) -> list[Incoming]:
        return [(await self.next()).frame for _ in range(count)]


def hold_up(seconds: float) -> None:
    """Keep the event loop from doing anything."""
    time.sleep(seconds)


def script(*on_connected: Any, **others: Any) -> TtsScript:
    return replace(TtsScript(), on_connected=on_connected, **others)
