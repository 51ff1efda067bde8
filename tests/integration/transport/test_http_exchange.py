"""An HTTP exchange with servers that never come to an end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection

import pytest

from probe.transport.http_exchange import exchange

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
WITHOUT_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"


@asynccontextmanager
async def dripping(head: bytes) -> AsyncIterator[int]:
    """A server that says `head`, and then a byte now and then, for ever."""

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.05)
        writer.close()
        left.set()

    left = asyncio.Event()
    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await left.wait()


@pytest.mark.parametrize("head", [b"", HEAD, WITHOUT_LENGTH], ids=["in-the-head", "in-the-body", "without-a-length"])
async def test_an_answer_that_comes_drop_by_drop_is_over_by_the_deadline(head: bytes) -> None:
    async with dripping(head) as port:
        began = time.monotonic()
        connection = HTTPConnection("127.0.0.1", port, timeout=0.3)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(exchange, connection, ("GET", "/health", None, {}), 0.3, 10_000)
        assert time.monotonic() - began < 2.0
