"""What a server says of itself over HTTP, outside of every measure."""

from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from probe.protocols.base import Inquiry
from probe.transport.connection import Endpoint
from probe.transport.connector import Connector
from probe.transport.framing.base import Request

T = TypeVar("T")


async def inquire(connector: Connector, inquiry: Inquiry[T], timeout_s: float) -> T | None:
    """Ask; None where a server does not answer with success within `timeout_s`."""
    parts = urlsplit(inquiry.url)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    answer = await connector.ask(Endpoint(inquiry.url, "http1"), Request("GET", target), timeout_s)
    return inquiry.read(answer.body) if answer is not None and answer.status == HTTPStatus.OK else None
