"""How long a byte has waited: the kernel's word where it can be believed, and nothing where it can't. No network."""

import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.transport import stamped_socket
from probe.transport.stamped_socket import StampedSocket

MS = 1_000_000
EPOCH = 1_790_000_000 * 10**9
TIMESTAMPNS = 35


@dataclass
class Machine:
    """Both clocks, and a kernel that stamps what arrives by the wall."""

    wall: int = EPOCH
    monotonic: int = 5_000 * MS
    messages: list[tuple[int, int, bytes]] = field(default_factory=list)

    def passes(self, ns: int) -> None:
        self.wall += ns
        self.monotonic += ns

    def arrives(self) -> None:
        told = struct.pack("@ll", self.wall // 10**9, self.wall % 10**9)
        self.messages = [(socket.SOL_SOCKET, TIMESTAMPNS, told)]


@dataclass
class Opened:
    machine: Machine
    sock: StampedSocket

    def read(self) -> int | None:
        assert self.sock.recv(100) == b"data"
        return self.sock.waited_ns()


Open = Callable[[], Opened]


@pytest.fixture
def opened() -> Iterator[Open]:
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine()

        class Time:
            time_ns = staticmethod(lambda: machine.wall)
            monotonic_ns = staticmethod(lambda: machine.monotonic)

        def recvmsg(_socket: socket.socket, *_: Any) -> tuple[bytes, list[tuple[int, int, bytes]], int, None]:
            messages, machine.messages = machine.messages, []
            return b"data", messages, 0, None

        patch.setattr(stamped_socket, "time", Time)
        patch.setattr(StampedSocket, "recvmsg", recvmsg)
        sockets: list[StampedSocket] = []

        def make() -> Opened:
            vars(machine).update(vars(Machine()))
            sockets.append(StampedSocket(socket.AF_INET, socket.SOCK_STREAM, 0))
            return Opened(machine, sockets[-1])

        yield make
        for each in sockets:
            each.close()


def test_a_byte_has_waited_since_the_kernel_had_it(opened: Open) -> None:
    it = opened()
    it.machine.passes(1000 * MS)
    it.machine.arrives()
    it.machine.passes(7 * MS)
    assert it.read() == 7 * MS


def test_what_the_kernel_does_not_stamp_is_not_taken_for_what_just_arrived(opened: Open) -> None:
    it = opened()
    it.machine.arrives()
    assert it.read() == 0
    it.machine.passes(7 * MS)
    assert it.read() is None


@pytest.mark.parametrize("message", [(socket.SOL_SOCKET, 29, bytes(16)), (6, TIMESTAMPNS, bytes(16)), (1, 35, b"")])
def test_other_messages_of_the_kernel_are_no_stamps(opened: Open, message: tuple[int, int, bytes]) -> None:
    it = opened()
    it.machine.messages = [message]
    it.machine.passes(7 * MS)
    assert it.read() is None


@pytest.mark.parametrize("step_ms", [-3_600_000, -2, 2, 50, 3_600_000])
def test_a_wall_clock_that_is_set_makes_no_wait(opened: Open, step_ms: int) -> None:
    it = opened()
    it.machine.arrives()
    it.machine.passes(7 * MS)
    it.machine.wall += step_ms * MS
    assert it.read() is None
    it.machine.arrives()
    it.machine.passes(3 * MS)
    assert it.read() == 3 * MS, "believed again, once the clock goes on evenly"


def test_the_first_write_counts(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    it = opened()
    monkeypatch.setattr(socket.socket, "send", lambda *_: 1)
    assert it.sock.since_write_ns() == 0
    for _ in range(2):
        it.sock.send(b"x")
        it.machine.passes(4 * MS)
    assert it.sock.since_write_ns() == 8 * MS
    it.sock.forget_writes()
    assert it.sock.since_write_ns() == 0


MOMENTS = st.tuples(st.integers(0, 60_000 * MS), st.integers(0, 500 * MS), st.integers(-5_000 * MS, 5_000 * MS))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)  # it makes a new machine each time
@given(moments=st.lists(MOMENTS, max_size=10))
def test_a_wait_is_never_negative_and_hardly_longer_than_it_was(
    opened: Open, moments: list[tuple[int, int, int]]
) -> None:
    """Whatever the wall clock does between the arrival and the read."""
    it = opened()
    for before, waited, step in moments:
        it.machine.passes(before)
        it.machine.arrives()
        it.machine.passes(waited)
        it.machine.wall += step
        read = it.read()
        assert read is None or 0 <= read <= waited + MS
