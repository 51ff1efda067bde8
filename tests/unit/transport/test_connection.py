"""What a connection asks of its transport, event by event, without a socket."""

import asyncio
from typing import Any, cast

import pytest
from framings import HEADERS

from probe.reference.faults import wire
from probe.transport.connection import Connection
from probe.transport.failures import HandshakeRefusedError
from probe.transport.framing.base import Ended, FramingError, Incoming, Text
from probe.transport.framing.websocket import WebSocket


class Clock:
    """One that stands still, unless it is told to step."""

    def __init__(self) -> None:
        self.at = 1_000

    def now(self) -> int:
        return self.at


class Socket:
    waited: int | None = 0

    def waited_ns(self) -> int | None:
        return self.waited


class Transport:
    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.calls: list[str] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)
        self.calls.append("write")

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")


class Scene:
    def __init__(self) -> None:
        self.clock, self.socket, self.transport = Clock(), Socket(), Transport()
        self.frames: list[tuple[int, Incoming]] = []
        framing = WebSocket("ws://spark/", HEADERS)
        self.connection = Connection(
            framing, lambda at, frame: self.frames.append((at, frame)), self.clock, cast("Any", self.socket)
        )
        self.connection.connection_made(cast("Any", self.transport))

    async def opened(self) -> "Scene":
        key = wire.request_headers(self.transport.written[0])["sec-websocket-key"]
        self.connection.data_received(wire.upgrade_response(key))
        await self.connection.opened()
        self.transport.calls.clear()
        return self


async def test_a_stamp_never_goes_back() -> None:
    scene = await Scene().opened()
    for at, waited in ((2_000, 100), (2_050, 1_000), (2_060, None), (2_070, 5)):
        scene.clock.at, scene.socket.waited = at, waited
        scene.connection.data_received(wire.frame(wire.TEXT, b"x"))
    assert [at for at, _ in scene.frames] == [1_900, 1_900, 2_060, 2_065]
    assert scene.connection.unstamped == 1


async def test_a_close_frame_is_answered_and_then_the_socket_closed() -> None:
    scene = await Scene().opened()
    scene.connection.data_received(wire.frame(wire.CLOSE, wire.close_payload(1000, "")))
    assert scene.transport.calls == ["write", "close"]
    scene.connection.connection_lost(None)
    assert [frame for _, frame in scene.frames] == [Ended("closed", "close frame 1000 (OK)")]


async def test_a_peer_that_breaks_the_framing_is_told_and_left() -> None:
    scene = await Scene().opened()
    scene.connection.data_received(wire.frame(wire.TEXT, b"x") + b"\xff\xff")
    assert scene.transport.calls == ["write", "abort"]
    (_, text), (_, ended) = scene.frames
    assert text == Text(b"x") and isinstance(ended, Ended) and ended.how == "malformed"


@pytest.mark.parametrize("end", ["eof", "reset"])
async def test_a_refusal_without_a_length_is_one_however_the_connection_ends(end: str) -> None:
    scene = Scene()
    scene.connection.data_received(b"HTTP/1.1 503 Busy\r\n\r\nlater")
    if end == "eof":
        scene.connection.eof_received()
    else:
        scene.connection.connection_lost(ConnectionResetError())
    with pytest.raises(HandshakeRefusedError, match="503"):
        await asyncio.wait_for(scene.connection.opened(), 5)
    assert scene.frames == []


async def test_before_the_handshake_an_end_is_a_failure_to_open_and_no_frame() -> None:
    for data, failure in ((b"", ConnectionResetError), (b"SSH-2.0\r\n", FramingError)):
        scene = Scene()
        if data:
            scene.connection.data_received(data)
        scene.connection.connection_lost(None)
        with pytest.raises(failure):
            await scene.connection.opened()
        assert scene.frames == []


async def test_a_peer_that_takes_nothing_any_more_is_left_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.transport.connection.CLOSE_TIMEOUT_S", 0)
    for close in (False, True):
        scene = await Scene().opened()
        if close:
            await scene.connection.close()
        else:
            scene.connection.data_received(wire.frame(wire.CLOSE, b""))
            # Later than the connection's own timer, which is set to no time at all.
            await asyncio.sleep(0.01)
        assert scene.transport.calls[-1] == "abort"
