"""One connection over real sockets, whatever its framing: what comes in and when, what goes out and when, its end.

An asyncio that reads and writes its sockets by other methods than those that are stamped fails here.
"""

import asyncio
import ssl
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
import trustme

from probe.clock import AnchoredClock
from probe.reference.faults import (
    BAD_UTF8,
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
    TtsScript,
    Wait,
    refusing_port,
    wire,
)
from probe.reference.faults import Binary as SendBinary
from probe.reference.faults import Text as SendText
from probe.transport import connection
from probe.transport.connection import ConnectError, Connection, Endpoint, Link, SendError
from probe.transport.connector import SocketConnector
from probe.transport.framing.base import Binary, Body, BodyEnd, Ended, Incoming, Request, Response, Text
from probe.transport.framing.base import Raw as RawBytes
from probe.transport.inbox import NS_PER_S, Arrival, Inbox
from probe.transport.stamped_socket import StampedSocket

HEADERS = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}


class Client:
    """A connection whose arrivals can be awaited."""

    def __init__(self) -> None:
        self.clock = AnchoredClock.anchored_now()
        self.inbox = Inbox(self.clock)

    async def open(self, url: str, timeout_s: float = 2.0, framing: str = "websocket") -> Link:
        return await SocketConnector(self.clock).open(Endpoint(url, framing, HEADERS), self.deliver, timeout_s)

    def deliver(self, at_ns: int, frame: Incoming) -> None:
        self.inbox.put(Arrival(at_ns, "tts", 1, frame))

    async def next(self, seconds: float = 5.0) -> Arrival:
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


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext | None:
    """The server's side of TLS that the client trusts, or none."""
    if request.param == "plain":
        return None
    authority, theirs, ours = (
        trustme.CA(),
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    authority.configure_trust(ours)
    monkeypatch.setattr(connection, "tls_context", lambda: ours)
    return theirs


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
        await asyncio.wait_for(server.log.until(lambda _: len(server.log.sent("binary")) == 500), 10)
        assert await client.frames(500) == 500 * [Binary(bytes(4096))]
        await link.close()


async def test_the_handshake_carries_the_trace() -> None:
    client = Client()
    async with ScriptedTts(script()) as server:
        link = await client.open(server.url)
        await link.close()
        assert server.log.received("http")[0].headers["traceparent"] == HEADERS["traceparent"]
        assert "sec-websocket-extensions" not in server.log.received("http")[0].headers


@pytest.mark.parametrize(
    ("step", "how", "detail"),
    [
        (Drop(), "closed", "without a close frame"),
        (Reset(), "closed", "without a close frame"),
        (Close(1011, "out of memory"), "closed", "1011"),
        (Close(1000, "", patience=30.0), "closed", "1000"),
        (RESERVED_OPCODE, "malformed", "opcode"),
        (ENDLESS_FRAME, "malformed", "exceeds"),
    ],
)
async def test_every_end_of_a_connection_is_told_once(step: Any, how: str, detail: str) -> None:
    client = Client()
    async with ScriptedTts(script(SendText("hello"), step, Stall())) as server:
        link = await client.open(server.url)
        hello, end = await client.frames(2)
        assert hello == Text(b"hello")
        assert isinstance(end, Ended) and (end.how, detail in end.detail) == (how, True)
        await link.close()
        assert await client.inbox.get(client.clock.now() + NS_PER_S // 5) is None
        with pytest.raises(SendError) as caught:
            await link.send(Text(b"{}"), 1.0)
        assert caught.value.reason == "closed"


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


async def test_text_that_is_not_utf8_is_left_to_the_codec() -> None:
    client = Client()
    async with ScriptedTts(script(BAD_UTF8, Stall())) as server:
        link = await client.open(server.url)
        assert await client.frames(1) == [Text(b"\xc3\x28")]
        await link.close()


async def test_a_server_that_does_not_close_holds_nobody_up() -> None:
    client = Client()
    async with ScriptedTts(replace(script(Stall()), on_client_close=(Stall(),))) as server:
        link = await client.open(server.url)
        async with asyncio.timeout(3):
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
        async with asyncio.timeout(10):
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


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel stamps")
async def test_reads_without_a_stamp_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    async with ScriptedTts(script(SendText("one"))) as server:
        monkeypatch.setattr(StampedSocket, "waited_ns", lambda _socket: None)
        link = await client.open(server.url)
        before = client.clock.now()
        arrival = await client.next()
        assert isinstance(link, Connection)
        assert 1 <= link.unstamped <= 2
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
        assert [each.frame for each in rest] == [Body(b"ab"), BodyEnd()]
        assert asked <= head.at <= rest[0].at <= rest[1].at
        await link.send(Request("GET", "/two"), 5)
        assert (await client.frames(4))[1:] == [
            Body(b"ab"),
            BodyEnd(),
            Ended("closed", "after its response, as it announced"),
        ]
        with pytest.raises(SendError):
            await link.send(Request("GET", "/three"), 5)
        await left.wait()
        await link.close()
    assert [head["traceparent"] for head in heads] == 2 * [HEADERS["traceparent"]]


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


async def test_a_tcp_url_needs_a_port() -> None:
    with pytest.raises(ConnectError, match="no port"):
        await Client().open("tcp://localhost", framing="raw")
