"""How a connection ends, or does not even begin: once, with the reason."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from connections import Client, script

from probe.reference.faults import (
    ENDLESS_FRAME,
    RESERVED_OPCODE,
    Close,
    Drop,
    Http,
    Raw,
    Repeat,
    Reset,
    ScriptedTts,
    Stall,
    Wait,
    refusing_port,
)
from probe.reference.faults import Binary as SendBinary
from probe.reference.faults import Text as SendText
from probe.timestamps import NS_PER_S
from probe.transport import connection
from probe.transport.connection import ConnectError, Connection, SendError
from probe.transport.framing.base import Body, Ended, Request, Text


@pytest.mark.parametrize(
    ("step", "how", "detail", "said"),
    [
        (Drop(), "closed", "without a close frame", ""),
        (Reset(), "closed", "without a close frame", ""),
        (Close(1011, "out of memory"), "closed", "close frame 1011 (internal error)", "out of memory"),
        (Close(1000, "", patience=30.0), "closed", "close frame 1000 (OK)", ""),
        (RESERVED_OPCODE, "malformed", "the server broke the WebSocket protocol", "opcode"),
        (ENDLESS_FRAME, "flood", "a message of more than 4 MiB", ""),
    ],
)
async def test_every_end_of_a_connection_is_told_once(step: Any, how: str, detail: str, said: str) -> None:
    client = Client()
    async with ScriptedTts(script(SendText("hello"), step, Stall())) as server:
        link = await client.open(server.url)
        hello, end = await client.frames(2)
        assert hello == Text(b"hello")
        assert isinstance(end, Ended) and (end.how, end.detail) == (how, detail)
        assert said in end.said and bool(said) == bool(end.said)
        await link.close()
        assert await client.inbox.get(client.clock.now() + NS_PER_S // 5) is None
        with pytest.raises(SendError) as caught:
            await link.send(Text(b"{}"), 1.0)
        assert caught.value.reason == "closed"


async def test_a_server_that_does_not_close_holds_nobody_up() -> None:
    client = Client()
    async with ScriptedTts(replace(script(Stall()), on_client_close=(Stall(),))) as server:
        link = await client.open(server.url)
        async with asyncio.timeout(60):
            await link.close()


async def test_a_password_in_a_url_is_not_told() -> None:
    with refusing_port() as port, pytest.raises(ConnectError) as caught:
        await Client().open(f"ws://someone:secret@127.0.0.1:{port}/ws?token=secret")
    assert "secret" not in str(caught.value)
    assert f"ws://127.0.0.1:{port}/ws" in str(caught.value)


async def test_a_refused_handshake_is_in_the_error() -> None:
    async with ScriptedTts(script(on_handshake=(Http(503, {"detail": "loading" + 2000 * "."}),))) as server:
        with pytest.raises(ConnectError, match="HTTP 503 instead of a WebSocket") as caught:
            await Client().open(server.url)
    refusal = caught.value.refusal
    assert refusal is not None and refusal.status == 503
    assert refusal.body.startswith(b'{"detail": "loading...') and len(refusal.body) == 1024
    assert "loading" not in str(caught.value)


@pytest.mark.parametrize("url", ["ws://host:port/", "ws://secret@host/", "http://host/", "ws:///x", "ws://h:99999/"])
async def test_an_address_that_is_none_is_a_failure_to_connect(url: str) -> None:
    with pytest.raises(ConnectError) as caught:
        await Client().open(url)
    assert caught.value.reason == "not_websocket" and "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("bound", "most", "steps"),
    [
        ("MAX_CONNECTION_BYTES", 2**20, (SendBinary(bytes(2**16)),)),
        ("MAX_CONNECTION_FRAMES", 100, (SendText(""),)),
        ("MAX_CONNECTION_FRAMES", 100, (Raw(b"\x89\x00"),)),
        ("MAX_CONNECTION_FRAMES", 100, (Raw(b"\x01\x00" + 10 * b"\x00\x00" + b"\x80\x00"),)),
    ],
    ids=["bytes", "frames", "pings", "fragments"],
)
async def test_more_than_anyone_would_read_is_the_end(
    monkeypatch: pytest.MonkeyPatch, bound: str, most: int, steps: Any
) -> None:
    monkeypatch.setattr(connection, bound, most)
    client = Client()
    async with ScriptedTts(script(Repeat((*steps, Wait(0)), 10_000), Stall())) as server:
        await client.open(server.url)
        async with asyncio.timeout(60):
            while not isinstance(frame := (await client.next()).frame, Ended):
                pass
    assert frame.how == "flood" and "on one connection" in frame.detail
    assert await client.inbox.get(0) is None


async def test_what_we_end_ourselves_is_not_delivered() -> None:
    client = Client()
    for end in (Connection.close, Connection.abort):
        async with ScriptedTts(script(on_client_close=(SendText("too late"), Close(1000, "")))) as server:
            link = await client.open(server.url)
            assert isinstance(link, Connection)
            ended = end(link)
            if ended is not None:
                await ended
            await link.close()
        assert await client.inbox.get(0) is None


async def test_a_body_that_is_cut_short_ends_with_the_connection() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        writer.close()

    client = Client()
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        link = await client.open(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", framing="http1")
        await link.send(Request("GET", "/"), 5)
        assert (await client.frames(3))[1:] == [Body(b"half"), Ended("closed", "in the middle of its response")]
        await link.close()


async def test_a_tcp_url_needs_a_port() -> None:
    with pytest.raises(ConnectError, match="no port"):
        await Client().open("tcp://localhost", framing="raw")
