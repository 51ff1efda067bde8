"""One connection over real sockets, whatever its framing: what comes in and when, what goes out and when, its end.

An asyncio that reads and writes its sockets by other methods than those that are stamped fails here.
"""

import asyncio
import errno
import os
import ssl
import sys
from contextlib import suppress
from typing import Any

import pytest
from connections import HEADERS, Client, hold_up, script

from probe.reference.faults import (
    BAD_UTF8,
    RESERVED_OPCODE,
    Raw,
    ScriptedTts,
    Stall,
    Wait,
    wire,
)
from probe.reference.faults import Binary as SendBinary
from probe.reference.faults import Text as SendText
from probe.timestamps import NS_PER_S
from probe.transport import dialing, rounds, stamped_socket
from probe.transport.connection import ConnectError, Connection, SendError
from probe.transport.framing.base import Binary, Body, BodyEnd, Ended, Request, Response, Text
from probe.transport.framing.base import Raw as RawBytes
from probe.transport.rounds import Rounds
from probe.transport.stamped_socket import StampedSocket


async def test_each_frame_is_delivered_once_with_the_time_of_its_arrival() -> None:
    client = Client()
    async with ScriptedTts(
        script(SendText("one"), Wait(0.02), SendBinary(b"\x01\x02"), Wait(0.02), SendText("two"))
    ) as server:
        link = await client.open(server.url)
        arrivals = [await client.next() for _ in range(3)]
        await link.close()
        sent = [entry.at_ns for entry in server.log.entries if entry.direction == "out" and entry.kind != "http"][:3]
    assert [a.frame for a in arrivals] == [Text(b"one"), Binary(b"\x01\x02"), Text(b"two")]
    for arrival, true_ns in zip(arrivals, sent, strict=True):
        assert arrival.at - client.clock.wall_ns >= true_ns - client.clock.monotonic_ns
    assert [a.at for a in arrivals] == sorted(a.at for a in arrivals)


async def test_a_stamp_is_taken_on_arrival_not_when_somebody_reads() -> None:
    client = Client()
    async with ScriptedTts(script(SendText("early"))) as server:
        link = await client.open(server.url)
        await asyncio.sleep(0.3)
        read = client.clock.now()
        arrival = await client.next()
        await link.close()
    assert read - arrival.at > 0.2 * NS_PER_S


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel stamps")
async def test_a_frame_that_waits_for_the_loop_is_stamped_when_it_came(tls: ssl.SSLContext | None) -> None:
    """Fails too where asyncio no longer reads with a method that is stamped."""
    client = Client()
    async with ScriptedTts(script(SendText("first"), Wait(0.05), SendText("second")), tls=tls) as server:
        link = await client.open(server.url)
        await client.next()
        await server.log.until(lambda _: len(server.log.sent("text")) == 2)
        hold_up(0.1)
        over = client.clock.now()
        assert (second := await client.next()).frame == Text(b"second")
        await link.close()
    assert over - second.at > 0.09 * NS_PER_S


async def test_the_library_makes_up_no_line_of_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each frame takes longer than the frame, whether or not anybody reads it."""
    lines: list[Any] = []
    monkeypatch.setattr("logging.Logger._log", lambda *arguments, **_: lines.append(arguments))
    client = Client()
    async with ScriptedTts(script(SendText("one"), Wait(0.05), RESERVED_OPCODE)) as server:
        link = await client.open(server.url)
        await link.send(Text(b"{}"), 1.0)
        for _ in range(2):
            await client.next()
        await link.close()
    assert [line for line in lines if line[0].name == "probe.websockets"] == []


async def test_a_fragmented_message_is_one_frame() -> None:
    client = Client()
    parts = Raw(b"\x02\x02ab"), Wait(0.02), Raw(b"\x80\x02cd"), SendText("next")
    async with ScriptedTts(script(*parts)) as server:
        link = await client.open(server.url)
        assert await client.frames(2) == [Binary(b"abcd"), Text(b"next")]
        await link.close()


async def test_many_frames_do_not_press_back() -> None:
    """Nobody fetches them, and all are there."""
    client = Client()
    async with ScriptedTts(script(*(SendBinary(bytes(4096)) for _ in range(500)))) as server:
        link = await client.open(server.url)
        await asyncio.wait_for(server.log.until(lambda _: len(server.log.sent("binary")) == 500), 60)
        assert await client.frames(500) == 500 * [Binary(bytes(4096))]
        await link.close()


async def test_the_handshake_carries_the_trace() -> None:
    client = Client()
    async with ScriptedTts(script()) as server:
        link = await client.open(server.url)
        await link.close()
        assert server.log.received("http")[0].headers["traceparent"] == HEADERS["traceparent"]
        assert "sec-websocket-extensions" not in server.log.received("http")[0].headers


async def test_text_that_is_not_utf8_is_left_to_the_codec() -> None:
    client = Client()
    async with ScriptedTts(script(BAD_UTF8, Stall())) as server:
        link = await client.open(server.url)
        assert await client.frames(1) == [Text(b"\xc3\x28")]
        await link.close()


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel stamps")
async def test_reads_without_a_stamp_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    async with ScriptedTts(script(SendText("one"))) as server:
        monkeypatch.setattr(stamped_socket, "_stamp", lambda _messages: 0)
        link = await client.open(server.url)
        before = client.clock.now()
        arrival = await client.next()
        assert isinstance(link, Connection)
        assert 1 <= link.stamps.unstamped <= 2
        assert abs(arrival.at - before) < 5 * NS_PER_S
        await link.close()


async def test_http_requests_go_after_each_other_and_the_last_is_the_end(tls: ssl.SSLContext | None) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for more in (b"", b"Connection: close\r\n"):
            heads.append(wire.request_headers(await reader.readuntil(b"\r\n\r\n")))
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + more + b"\r\n2\r\nab\r\n0\r\n\r\n")
        await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        left.set()

    heads: list[dict[str, str]] = []
    left = asyncio.Event()
    client = Client()
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        link = await client.open(url, framing="http1")
        asked = await link.send(Request("GET", "/one"), 5)
        head, *rest = [await client.next() for _ in range(3)]
        assert isinstance(head.frame, Response) and head.frame.status == 200
        assert [each.frame for each in rest] == [Body(b"ab", begins=True), BodyEnd()]
        assert asked <= head.at <= rest[0].at <= rest[1].at
        await link.send(Request("GET", "/two"), 5)
        assert (await client.frames(4))[1:] == [
            Body(b"ab", begins=True),
            BodyEnd(),
            Ended("closed", "after its response, as it announced"),
        ]
        with pytest.raises(SendError):
            await link.send(Request("GET", "/three"), 5)
        await left.wait()
        await link.close()
    assert [head["traceparent"] for head in heads] == 2 * [HEADERS["traceparent"]]


async def test_plain_tcp_carries_bytes_both_ways() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    client = Client()
    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        link = await client.open(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", framing="raw")
        sent = await link.send(RawBytes(b"describe"), 5)
        echoed = await client.next()
        assert echoed.frame == RawBytes(b"describe") and sent <= echoed.at
        assert await client.frames(1) == [Ended("closed", "by the server")]
        await link.close()


async def test_a_socket_that_can_not_be_looked_after_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it has got the last descriptor that there was."""

    def out_of_descriptors() -> Rounds:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    sockets: list[StampedSocket] = []
    connected = dialing.connected

    async def remembered(host: str, port: int) -> StampedSocket:
        sockets.append(await connected(host, port))
        return sockets[-1]

    monkeypatch.setattr(dialing, "connected", remembered)
    monkeypatch.setattr(rounds, "of_this_loop", out_of_descriptors)
    async with ScriptedTts(script(Stall())) as server:
        with pytest.raises(ConnectError, match="Too many open files"):
            await Client().open(server.url)
    assert [each.fileno() for each in sockets] == [-1]
