"""What the kernel says of real bytes on the loopback interface."""

import asyncio
import select
import socket
import sys
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from descriptors import descriptors

from probe.transport import dialing, rounds, stamped_socket
from probe.transport.stamped_socket import StampedSocket

NS_PER_MS = 1_000_000
Pair = tuple[StampedSocket, socket.socket]

stamping = pytest.mark.skipif(sys.platform != "linux", reason="no other kernel stamps")


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Our end of a connection and the other one, once the kernel stamps what comes in."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = await dialing.connected("127.0.0.1", listener.getsockname()[1])
        theirs, _ = listener.accept()
        with ours, theirs:
            await asyncio.wait_for(stamps(ours, theirs), 60)
            yield ours, theirs


async def stamps(ours: StampedSocket, theirs: socket.socket) -> None:
    """Wait until the kernel stamps: it begins a moment after the process's first socket has asked for it."""
    while sys.platform == "linux":
        theirs.send(b"x")
        assert await asyncio.get_running_loop().sock_recv(ours, 1) == b"x"
        if ours.arrival is not None:
            return


def nobody_reads() -> None:
    pause(0.05)


def pause(seconds: float) -> None:
    """Hold up the loop, too."""
    time.sleep(seconds)


@stamping
@pytest.mark.parametrize("into", [False, True])
async def test_bytes_came_in_when_they_were_written_however_late_they_are_read(pair: Pair, into: bool) -> None:
    ours, theirs = pair
    before = time.monotonic_ns()
    theirs.send(b"data")
    written = time.monotonic_ns()
    nobody_reads()
    assert (ours.recv_into(bytearray(10)) if into else len(ours.recv(10))) == 4
    assert ours.arrival is not None
    assert before - NS_PER_MS <= ours.arrival <= written + NS_PER_MS
    assert ours.since <= ours.arrival


@stamping
async def test_what_comes_between_the_look_and_the_read_does_not_make_it_later(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel joins it to what waited, and stamps both with the later time."""
    ours, theirs = pair
    looked = stamped_socket.StampedSocket._waiting
    theirs.send(b"one")
    nobody_reads()
    later = 0

    def held_up(self: StampedSocket, size: int) -> stamped_socket._Waiting:
        nonlocal later
        found = looked(self, size)
        if not later:
            later = time.monotonic_ns()
            theirs.send(b"two")
            nobody_reads()
        return found

    monkeypatch.setattr(stamped_socket.StampedSocket, "_waiting", held_up)
    assert ours.recv(10) == b"one"
    assert ours.arrival is not None and ours.arrival < later - 40 * NS_PER_MS
    assert ours.recv(10) == b"two"
    assert ours.arrival is not None and later <= ours.arrival
    assert ours.since <= later + NS_PER_MS


@stamping
async def test_no_byte_has_an_earlier_time_than_its_own(pair: Pair) -> None:
    """Whether the kernel joins what waits, or one read after the other brings it."""
    ours, theirs = pair
    theirs.send(b"early")
    nobody_reads()
    before = time.monotonic_ns()
    theirs.send(b"late")
    written = time.monotonic_ns()
    read = b""
    while len(read) < len(b"earlylate"):
        read += ours.recv(100)
        assert ours.arrival is not None
        assert ours.arrival <= written + NS_PER_MS
    assert read == b"earlylate"
    assert ours.arrival is not None and ours.arrival >= before - NS_PER_MS


@stamping
@pytest.mark.parametrize("look", ["epoll", "poll"])
async def test_what_waits_in_a_socket_had_not_come_at_the_last_round_before(
    pair: Pair, look: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pair
    if look == "poll":
        monkeypatch.setattr(rounds, "select", SimpleNamespace(poll=select.poll, POLLIN=select.POLLIN))
    ours.take_part(rounds.of_this_loop())
    started = time.monotonic_ns()
    for _ in range(3):
        await asyncio.sleep(rounds.LOOK_S)
    before = time.monotonic_ns()
    theirs.send(b"data")
    nobody_reads()
    # A round finds it waiting, and the one before it counts.
    for _ in range(3):
        await asyncio.sleep(rounds.LOOK_S)
    assert started < ours.nothing_until() <= before
    assert ours.recv(10) == b"data"
    assert ours.since <= before + NS_PER_MS
    assert ours.nothing_until() > before


@stamping
async def test_one_frame_came_in_at_its_time_however_late_it_is_read_and_whoever_looked(pair: Pair) -> None:
    """The kernel counted one segment, so nothing can have come before it and been joined."""
    ours, theirs = pair
    for size in (4, 3_000):
        before = time.monotonic_ns()
        theirs.send(bytes(size))
        nobody_reads()
        assert len(ours.recv(10_000)) == size
        assert before - NS_PER_MS <= ours.since <= (ours.arrival or 0) <= ours.since + NS_PER_MS


@stamping
async def test_what_came_in_two_segments_at_one_time_may_have_come_earlier(pair: Pair) -> None:
    """Whichever the kernel did, nothing is said to have come later than it did."""
    ours, theirs = pair
    theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sent = []
    for part in range(8):
        sent.append(time.monotonic_ns())
        theirs.send(bytes([part]))
        pause(0.003)
    read = b""
    while len(read) < len(sent):
        first = len(read)
        read += ours.recv(100)
        assert ours.since <= sent[first] + NS_PER_MS


async def test_the_end_of_a_connection_has_no_stamp(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    nobody_reads()
    assert ours.recv(100) == b""
    assert ours.arrival is None


async def test_no_more_is_read_than_there_is_room_for(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"12345")
    buffer = bytearray(4)
    assert ours.recv_into(buffer, 3) == 3
    assert bytes(buffer) == b"123\0"
    assert ours.recv_into(buffer) == 2


@stamping
def test_one_socket_goes_on_stamping_when_all_others_are_closed() -> None:
    """The kernel would switch it off, and be late to switch it on again."""
    stamped_socket.keep_stamping.cache_clear()
    before = descriptors()
    with StampedSocket(socket.AF_INET, socket.SOCK_STREAM, 0), StampedSocket(socket.AF_INET, socket.SOCK_STREAM, 0):
        pass
    (kept,) = descriptors() - before
    with socket.socket(fileno=kept) as holder:
        assert holder.getsockopt(socket.SOL_SOCKET, 35) == 1
    stamped_socket.keep_stamping.cache_clear()
