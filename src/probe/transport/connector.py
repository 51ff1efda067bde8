"""How a run reaches its servers: connections that deliver frames, and single questions. Tests bring their own."""

from typing import Protocol

from probe.clock import Timeline
from probe.transport import ask, opening
from probe.transport.ask import Answer
from probe.transport.connection import Deliver, Endpoint, Link
from probe.transport.framing.base import Request


class Connector(Protocol):
    """Opens links, and asks over HTTP."""

    async def open(self, endpoint: Endpoint, deliver: Deliver, timeout_s: float) -> Link:
        """Open a connection, its handshake included, within `timeout_s`. Raises ConnectError with the reason."""

    async def ask(self, endpoint: Endpoint, request: Request, timeout_s: float) -> Answer | None:
        """Send one HTTP request on a connection of its own; None where no complete answer comes within `timeout_s`."""


class SocketConnector:
    """The connector of real servers."""

    def __init__(self, clock: Timeline) -> None:
        self._clock = clock

    async def open(self, endpoint: Endpoint, deliver: Deliver, timeout_s: float) -> Link:
        return await opening.connect(self._clock, endpoint, deliver, timeout_s)

    async def ask(self, endpoint: Endpoint, request: Request, timeout_s: float) -> Answer | None:
        return await ask.ask(endpoint, request, timeout_s)
