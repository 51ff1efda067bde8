"""Holds the `websockets` library to what `transport.py` needs of it, over real sockets.

`data_received` and `process_event` are the library's own, undocumented methods: an upgrade that renames them, or that
no longer calls them for each frame, fails here. So does an asyncio that reads and writes its sockets by other methods.
"""

import asyncio
import ssl
import sys
import time
from dataclasses import replace
from typing import Any

import pytest
import trustme

from probe.clock import AnchoredClock
from probe.reference.faults import (
    BAD_UTF8,
    ENDLESS_FRAME,
    RESERVED_OPCODE,
    Binary,
    Close,
    Drop,
    Raw,
    Reset,
    ScriptedTts,
    Stall,
    Text,
    TtsScript,
    Wait,
    refusing_port,
    wire,
)
from probe.transport.connection import ConnectError, Link, SendError, WebSocketConnector, _Stamped
from probe.transport.inbox import NS_PER_S, Arrival, Inbox

HEADERS = {"traceparent": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"}


class Client:
    """A connection whose arrivals can be awaited."""

    def __init__(self) -> None:
        self.clock = AnchoredClock.anchored_now()
        self.inbox = Inbox(self.clock)

    async def open(self, url: str, timeout_s: float = 2.0) -> Link:
        return await WebSocketConnector(self.clock, self.inbox).open("tts", 1, url, HEADERS, timeout_s)

    async def next(self, seconds: float = 5.0) -> Arrival:
        arrival = await self.inbox.get(self.clock.now() + round(seconds * NS_PER_S))
        assert arrival is not None, "nothing arrived"
        return arrival


def hold_up(seconds: float) -> None:
    """Keep the event loop from doing anything."""
    time.sleep(seconds)


def script(*on_connected: Any, **others: Any) -> TtsScript:
    return replace(TtsScript(), on_connected=on_connected, **others)


async def test_each_frame_is_delivered_once_with_the_time_of_its_arrival() -> None:
    client = Client()
    async with ScriptedTts(script(Text("one"), Wait(0.02), Binary(b"\x01\x02"), Wait(0.02), Text("two"))) as server:
        link = await client.open(server.url)
        arrivals = [await client.next() for _ in range(3)]
        await link.close()
        sent = [entry.at_ns for entry in server.log.entries if entry.direction == "out" and entry.kind != "http"][:3]
    assert [(a.kind, a.data) for a in arrivals] == [("text", b"one"), ("binary", b"\x01\x02"), ("text", b"two")]
    for arrival, true_ns in zip(arrivals, sent, strict=True):
        assert arrival.at - client.clock.wall_ns >= true_ns - client.clock.monotonic_ns
    assert [a.at for a in arrivals] == sorted(a.at for a in arrivals)


async def test_a_stamp_is_taken_on_arrival_not_when_somebody_reads() -> None:
    client = Client()
    async with ScriptedTts(script(Text("early"))) as server:
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
    monkeypatch.setattr("probe.transport.connection._tls_context", lambda: ours)
    return theirs


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel stamps")
async def test_a_frame_that_waits_for_the_loop_is_stamped_when_it_came(tls: ssl.SSLContext | None) -> None:
    """Fails too where asyncio no longer reads with a method that is stamped."""
    client = Client()
    async with ScriptedTts(script(Text("first"), Wait(0.05), Text("second")), tls=tls) as server:
        link = await client.open(server.url)
        await client.next()
        await server.log.until(lambda _: len(server.log.sent("text")) == 2)
        hold_up(0.1)
        over = client.clock.now()
        assert (second := await client.next()).data == b"second"
        await link.close()
    assert over - second.at > 0.09 * NS_PER_S


async def test_a_request_is_stamped_at_the_write(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext | None) -> None:
    """Not when somebody decided to send it. Fails too where asyncio no longer writes with a method that is stamped."""
    client = Client()
    real = _Stamped.send_data

    def slowly(connection: Any) -> None:
        hold_up(0.05)
        real(connection)
        hold_up(0.05)

    async with ScriptedTts(script(), tls=tls) as server:
        link = await client.open(server.url)
        monkeypatch.setattr(_Stamped, "send_data", slowly)
        decided = client.clock.now()
        at = await link.send("{}", 1.0)
        done = client.clock.now()
        monkeypatch.undo()
        await link.close()
    assert decided + 0.05 * NS_PER_S <= at <= done - 0.05 * NS_PER_S


async def test_the_library_makes_up_no_line_of_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for each frame takes longer than the frame, whether or not anybody reads it."""
    lines: list[Any] = []
    monkeypatch.setattr("logging.Logger._log", lambda *arguments, **_: lines.append(arguments))
    client = Client()
    async with ScriptedTts(script(Text("one"), Wait(0.05), RESERVED_OPCODE)) as server:
        link = await client.open(server.url)
        await link.send("{}", 1.0)
        for _ in range(2):
            await client.next()
        await link.close()
    assert [line for line in lines if line[0].name == "probe.websockets"] == []


async def test_a_fragmented_message_is_one_frame() -> None:
    client = Client()
    parts = Raw(b"\x02\x02ab"), Wait(0.02), Raw(b"\x80\x02cd"), Text("next")
    async with ScriptedTts(script(*parts)) as server:
        link = await client.open(server.url)
        assert [(await client.next()).data for _ in range(2)] == [b"abcd", b"next"]
        await link.close()


async def test_many_frames_do_not_press_back() -> None:
    """The library would stop reading after 16 frames that nobody fetched; ours are all there."""
    client = Client()
    async with ScriptedTts(script(*(Binary(bytes(4096)) for _ in range(500)))) as server:
        link = await client.open(server.url)
        await asyncio.wait_for(server.log.until(lambda _: len(server.log.sent("binary")) == 500), 10)
        assert len([await client.next() for _ in range(500)]) == 500
        await link.close()


async def test_the_handshake_carries_the_trace() -> None:
    client = Client()
    async with ScriptedTts(script()) as server:
        link = await client.open(server.url)
        await link.close()
        assert server.log.received("http")[0].headers["traceparent"] == HEADERS["traceparent"]
        assert "sec-websocket-extensions" not in server.log.received("http")[0].headers


@pytest.mark.parametrize(
    ("step", "kind", "detail"),
    [
        (Drop(), "closed", "without a close frame"),
        (Reset(), "closed", "without a close frame"),
        (Close(1011, "out of memory"), "closed", "1011"),
        (Close(1000, "", patience=30.0), "closed", "1000"),
        (RESERVED_OPCODE, "broken", "opcode"),
        (ENDLESS_FRAME, "broken", ""),
    ],
)
async def test_every_end_of_a_connection_is_told_once(step: Any, kind: str, detail: str) -> None:
    client = Client()
    async with ScriptedTts(script(Text("hello"), step, Stall())) as server:
        link = await client.open(server.url)
        assert (await client.next()).data == b"hello"
        end = await client.next()
        assert (end.kind, detail in end.data.decode()) == (kind, True)
        await link.close()
        assert await client.inbox.get(client.clock.now() + NS_PER_S // 5) is None
        with pytest.raises(SendError) as caught:
            await link.send("{}", 1.0)
        assert caught.value.reason == "closed"


async def test_a_server_that_does_not_read_is_not_closed_but_late() -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(wire.upgrade_response(wire.request_headers(head)["sec-websocket-key"]))
        await over.wait()
        writer.transport.abort()
        left.set()

    over, left = asyncio.Event(), asyncio.Event()
    async with await asyncio.start_server(ignore, "127.0.0.1", 0) as server:
        link = await Client().open(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with pytest.raises(SendError) as caught:
            await link.send("x" * 32 * 2**20, 0.2)
        link.abort()
        over.set()
        await left.wait()
        # What was aborted is closed by the loop's next turn.
        await asyncio.sleep(0)
    assert caught.value.reason == "timeout"


async def test_text_that_is_not_utf8_is_left_to_the_codec() -> None:
    client = Client()
    async with ScriptedTts(script(BAD_UTF8, Stall())) as server:
        link = await client.open(server.url)
        assert (await client.next()).data == b"\xc3\x28"
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
