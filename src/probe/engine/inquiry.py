"""What a server says of itself over HTTP, outside of every measure."""

from typing import TypeVar
from urllib.parse import urlsplit

from probe.protocols.base import Inquiry
from probe.transport.connection import Endpoint
from probe.transport.connector import Connector
from probe.transport.framing.base import Request

T = TypeVar("T")


async def inquire(connector: Connector, inquiry: Inquiry[T], timeout_s: float) -> T | None:
    """Ask; None where a server does not answer as expected within `timeout_s`."""
    parts = urlsplit(inquiry.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    endpoint = Endpoint(inquiry.url, "http1", inquiry.headers)
    answer = await connector.ask(endpoint, Request("GET", target), timeout_s)
    return inquiry.read(answer.body) if answer is not None and answer.status in inquiry.statuses else None
