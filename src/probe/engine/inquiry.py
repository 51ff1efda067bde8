"""Questions to a server outside of every measure."""

import asyncio
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from probe.protocols.inquiries import Exchange, Inquiry
from probe.transport import share
from probe.transport.connection import ConnectError, Endpoint, SendError
from probe.transport.connector import Connector
from probe.transport.deadline import within
from probe.transport.framing.base import BodyEnd, Ended, Incoming, Request

T = TypeVar("T")
# With so many frames that wait to be read, the connection is asked to rest.
_MOST_UNREAD = 16


async def inquire(connector: Connector, inquiry: Inquiry[T] | Exchange[T], timeout_s: float) -> T | None:
    """Ask; None where a server does not answer as expected within `timeout_s`."""
    if isinstance(inquiry, Exchange):
        return await _exchanged(connector, inquiry, timeout_s)
    parts = urlsplit(inquiry.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    endpoint = Endpoint(inquiry.url, "http1", inquiry.headers)
    answer = await connector.ask(endpoint, Request("GET", target), timeout_s)
    if answer is None or answer.status not in inquiry.statuses:
        return None
    # A page may be 1 MiB, and those of all servers may come at once.
    await share.my_turn()
    return inquiry.read(answer.body)


async def _exchanged(connector: Connector, exchange: Exchange[T], timeout_s: float) -> T | None:
    """Ask in the server's own protocol, on a connection of its own."""
    came = asyncio.Queue[Incoming]()

    def deliver(_at: int, frame: Incoming) -> bool:
        came.put_nowait(frame)
        return came.qsize() < _MOST_UNREAD

    try:
        async with within(timeout_s):
            link = await connector.open(Endpoint(exchange.url, exchange.framing, exchange.headers), deliver, timeout_s)
            try:
                await link.send(exchange.frame, timeout_s)
                return await _answer(came, exchange.listen())
            finally:
                link.abort()
    except (TimeoutError, ConnectError, SendError):
        return None


async def _answer(came: asyncio.Queue[Incoming], hear: Callable[[Incoming], T | None]) -> T | None:
    while True:
        frame = await came.get()
        # One may list thousands of models, and those of all servers may come at once.
        await share.my_turn()
        if (said := hear(frame)) is not None or isinstance(frame, BodyEnd | Ended):
            return said
