"""What the kernel says of real bytes on the loopback interface."""

import socket
import sys
import time
from collections.abc import AsyncIterator
from unittest.mock import AsyncMock

import pytest

from probe.reference.faults import refusing_port
from probe.transport import stamped_socket
from probe.transport.stamped_socket import StampedSocket

NS_PER_MS = 1_000_000
Pair = tuple[StampedSocket, socket.socket]

stamping = pytest.mark.skipif(sys.platform != "linux", reason="no other kernel stamps")


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """Our end of a connection and the other one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = await stamped_socket.connected("127.0.0.1", listener.getsockname()[1])
        theirs, _ = listener.accept()
        with ours, theirs:
            yield ours, theirs


def nobody_reads() -> None:
    time.sleep(0.05)


@stamping
@pytest.mark.parametrize("into", [False, True])
async def test_bytes_have_waited_for_as_long_as_nobody_read_them(pair: Pair, into: bool) -> None:
    ours, theirs = pair
    before = time.monotonic_ns()
    theirs.send(b"data")
    written = time.monotonic_ns()
    nobody_reads()
    asked = time.monotonic_ns()
    assert (ours.recv_into(bytearray(10)) if into else len(ours.recv(10))) == 4
    waited = ours.waited_ns()
    assert asked - written <= waited + NS_PER_MS
    assert waited <= time.monotonic_ns() - before


@stamping
async def test_the_last_bytes_of_a_read_count(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"early")
    nobody_reads()
    before = time.monotonic_ns()
    theirs.send(b"late")
    assert ours.recv(100) == b"earlylate"
    assert 0 < ours.waited_ns() <= time.monotonic_ns() - before


async def test_the_end_of_a_connection_has_not_waited(pair: Pair) -> None:
    ours, theirs = pair
    theirs.close()
    nobody_reads()
    assert ours.recv(100) == b""
    assert ours.waited_ns() == 0


async def test_no_more_is_read_than_there_is_room_for(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"12345")
    buffer = bytearray(4)
    assert ours.recv_into(buffer, 3) == 3
    assert bytes(buffer) == b"123\0"
    assert ours.recv_into(buffer) == 2


@pytest.mark.parametrize("last_answers", [True, False])
async def test_every_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch, last_answers: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, refusing_port() as refusing:
        ports = (refusing, listener.getsockname()[1] if last_answers else refusing)
        found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port)) for port in ports]
        monkeypatch.setattr(stamped_socket, "_resolved", AsyncMock(return_value=found))
        if last_answers:
            with await stamped_socket.connected("two.invalid", 1) as ours:
                assert ours.getpeername() == listener.getsockname()
        else:
            with pytest.raises(ConnectionRefusedError):
                await stamped_socket.connected("two.invalid", 1)


async def test_a_host_without_an_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamped_socket, "_resolved", AsyncMock(return_value=[]))
    with pytest.raises(OSError, match=r"none\.invalid has no address"):
        await stamped_socket.connected("none.invalid", 1)
