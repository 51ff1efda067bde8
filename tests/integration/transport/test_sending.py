"""When a frame is written, and what happens if nobody reads it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from connections import Client, hold_up, script

from probe.reference.faults import (
    ScriptedTts,
    wire,
)
from probe.timestamps import NS_PER_S
from probe.transport.connection import SendError
from probe.transport.framing.base import Text
from probe.transport.stamped_socket import StampedSocket


async def test_a_request_is_stamped_at_the_write(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext | None) -> None:
    """Not when somebody decided to send it. Fails too where asyncio no longer writes with a method that is stamped."""
    client = Client()
    real = StampedSocket.send

    def slowly(sock: StampedSocket, data: Any, flags: int = 0, /) -> int:
        hold_up(0.05)
        count = real(sock, data, flags)
        hold_up(0.05)
        return count

    async with ScriptedTts(script(), tls=tls) as server:
        link = await client.open(server.url)
        monkeypatch.setattr(StampedSocket, "send", slowly)
        decided = client.clock.now()
        at = await link.send(Text(b"{}"), 1.0)
        done = client.clock.now()
        monkeypatch.undo()
        await link.close()
    assert decided + 0.05 * NS_PER_S <= at <= done - 0.05 * NS_PER_S


@asynccontextmanager
async def reading_late(let_read: asyncio.Event) -> AsyncIterator[str]:
    """A WebSocket server that reads nothing before `let_read`, and then everything to the end."""

    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(wire.upgrade_response(wire.request_headers(head)["sec-websocket-key"]))
        await let_read.wait()
        with suppress(OSError):
            while await reader.read(2**20):
                pass
        writer.transport.abort()
        left.set()

    left = asyncio.Event()
    async with await asyncio.start_server(ignore, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await left.wait()
        # What was aborted is closed by the loop's next turn.
        await asyncio.sleep(0)


async def test_a_server_that_does_not_read_is_not_closed_but_late() -> None:
    let_read = asyncio.Event()
    async with reading_late(let_read) as url:
        link = await Client().open(url)
        # The first is handed over only in part, the next waits for its turn.
        for size in (32 * 2**20, 1):
            with pytest.raises(SendError) as caught:
                await link.send(Text(b"x" * size), 0.2)
            assert caught.value.reason == "timeout"
        link.abort()
        let_read.set()


async def test_a_request_waits_until_the_server_takes_it() -> None:
    let_read = asyncio.Event()
    async with reading_late(let_read) as url:
        client = Client()
        link = await client.open(url)
        large = asyncio.ensure_future(link.send(Text(b"x" * 32 * 2**20), 30))
        small = asyncio.ensure_future(link.send(Text(b"{}"), 30))
        await asyncio.wait([large, small], timeout=0.05)
        assert not large.done() and not small.done()
        before = client.clock.now()
        let_read.set()
        assert await large < before <= await small
        await link.close()


async def test_who_waits_to_send_learns_that_the_connection_is_gone() -> None:
    let_read = asyncio.Event()
    async with reading_late(let_read) as url:
        link = await Client().open(url)
        sending = asyncio.ensure_future(link.send(Text(b"x" * 32 * 2**20), 30))
        await asyncio.wait([sending], timeout=0.05)
        link.abort()
        with pytest.raises(SendError) as caught:
            await sending
        assert caught.value.reason == "closed"
        let_read.set()
