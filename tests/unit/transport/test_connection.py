"""What a connection asks of its transport, event by event, without a socket."""

import asyncio
from itertools import pairwise
from typing import Any, cast

import pytest
from framings import HEADERS

from probe.reference.faults import wire
from probe.transport import connection, share
from probe.transport.connection import Connection
from probe.transport.failures import HandshakeRefusedError
from probe.transport.framing.base import Ended, FramingError, Incoming, Text
from probe.transport.framing.websocket import WebSocket


class Clock:
    """One that stands still, unless it is advanced."""

    def __init__(self) -> None:
        self.time = 1_000

    def now(self) -> int:
        return self.time

    def at(self, monotonic_ns: int) -> int:
        return monotonic_ns


class Socket:
    """`wrote` is what a stamped socket has noted of its last write."""

    arrival: int | None = 0
    since = 0
    wrote = 0

    def nothing_until(self) -> int:
        return self.since

    def forget_writes(self) -> None: ...


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

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")


@pytest.fixture(autouse=True)
def _nothing_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine interrupts a read for so long that the next one waits for its turn of the loop."""
    monkeypatch.setattr(share, "FREE_S", 600.0)


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


async def test_a_moment_never_goes_back_and_is_nobody_elses() -> None:
    scene = await Scene().opened()
    for time, arrival in ((2_000, 1_900), (2_050, 1_050), (2_060, None), (2_070, 2_065)):
        scene.clock.time, scene.socket.arrival = time, arrival
        scene.connection.data_received(wire.frame(wire.TEXT, b"x"))
    assert [at for at, _ in scene.frames] == [1_900, 1_901, 2_060, 2_065]
    assert scene.connection.stamps.unstamped == 1


async def test_a_request_has_the_moment_that_the_socket_noted() -> None:
    """A second look at a clock may come late: the write would be before what triggered it, or after its answer."""
    scene = await Scene().opened()
    scene.clock.time, scene.socket.wrote = 9_000, 7_000
    assert await scene.connection.send(Text(b"x"), 5) == 7_000


MS = 1_000_000


async def test_of_several_frames_in_a_read_all_but_the_last_may_have_come_earlier() -> None:
    scene = await Scene().opened()
    scene.socket.arrival, scene.socket.since = 30 * MS, 10 * MS
    scene.connection.data_received(b"".join(wire.frame(wire.TEXT, each) for each in (b"a", b"b", b"c")))
    scene.socket.arrival, scene.socket.since = 50 * MS, 49 * MS
    scene.connection.data_received(wire.frame(wire.TEXT, b"d") * 2)
    assert [at for at, _ in scene.frames] == [30 * MS, 30 * MS + 1, 30 * MS + 2, 50 * MS, 50 * MS + 1]
    assert scene.connection.stamps.vague == {30 * MS: 10 * MS, 30 * MS + 1: 10 * MS}, "what is known to 1 ms is known"
    scene.connection.stamps.doubt(30 * MS + 2)
    assert scene.connection.stamps.vague[30 * MS + 2] == 10 * MS, "it held several things itself"


def nothing_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """However quick the machine, each piece waits for its turn."""
    monkeypatch.setattr(share, "FREE_S", -1.0)
    monkeypatch.setattr(share, "SHARE_S", -3.0)


async def test_what_takes_long_to_parse_gives_the_others_on_the_loop_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nothing_is_free(monkeypatch)
    scene = await Scene().opened()
    scene.socket.arrival = 7_000
    scene.connection.data_received(wire.frame(wire.BINARY, b"") * 2000)
    seen = [len(scene.frames)]
    while len(scene.frames) < 2000:
        assert scene.transport.calls[-1] == "pause", "what is read meanwhile would have the moment of another read"
        await asyncio.sleep(0)
        seen.append(len(scene.frames))
    assert max(after - before for before, after in pairwise([0, *seen])) <= connection.SLICE_BYTES // 2
    assert [at for at, _ in scene.frames] == [*range(7_000, 9_000)]
    assert scene.transport.calls[-1] == "resume"


async def test_what_was_read_before_the_connection_was_lost_is_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_is_free(monkeypatch)
    scene = await Scene().opened()
    scene.connection.data_received(wire.frame(wire.BINARY, b"") * 2000)
    scene.connection.connection_lost(None)
    seen = [len(scene.frames)]
    while len(scene.frames) < 2001:
        await asyncio.sleep(0)
        seen.append(len(scene.frames))
    assert max(after - before for before, after in pairwise(seen)) <= connection.SLICE_BYTES // 2 + 1, "all at once"
    assert isinstance(scene.frames[-1][1], Ended)
    assert not any(isinstance(frame, Ended) for _, frame in scene.frames[:-1])


async def test_what_was_read_before_we_ended_the_connection_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_is_free(monkeypatch)
    scene = await Scene().opened()
    scene.connection.data_received(wire.frame(wire.BINARY, b"") * 2000)
    scene.connection.abort()
    before = scene.connection._framing.parsed
    scene.connection.connection_lost(None)
    for _ in range(10):
        await asyncio.sleep(0)
    assert scene.connection._framing.parsed == before


async def test_the_end_of_a_connection_may_have_come_before_it_was_read() -> None:
    scene = await Scene().opened()
    scene.clock.time, scene.socket.since = 40 * MS, 12 * MS
    scene.connection.connection_lost(None)
    assert scene.connection.stamps.vague == {40 * MS: 12 * MS}


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
        await asyncio.wait_for(scene.connection.opened(), 60)
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
