"""When bytes came in: the kernel's word where it can be believed, and nothing where it can't. No network."""

import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.clock import AnchoredClock
from probe.transport import stamped_socket
from probe.transport.stamped_socket import StampedSocket

MS = 1_000_000
EPOCH = 1_790_000_000 * 10**9
TIMESTAMPNS = 35
Messages = list[tuple[int, int, bytes]]


@dataclass
class Machine:
    """Both clocks, and a kernel that stamps what arrives by the wall and joins nothing.

    `held_up` are how long this process is held up before each look at a clock from now on, in nanoseconds.
    """

    wall: int = EPOCH
    monotonic: int = 5_000 * MS
    # What waits: how many bytes, and their stamp; and the message instead of one.
    waiting: list[tuple[int, int]] = field(default_factory=list)
    instead: Messages | None = None
    held_up: list[int] = field(default_factory=list)
    peeks: int = 0

    def passes(self, ns: int) -> None:
        self.wall += ns
        self.monotonic += ns

    def arrives(self, size: int = 4) -> int:
        self.waiting.append((size, self.wall))
        return self.monotonic

    def look(self, clock: str) -> int:
        self.passes(self.held_up.pop() if self.held_up else 0)
        return int(getattr(self, clock))

    def take(self, size: int, flags: int) -> tuple[int, Messages]:
        """As much of what waits, and the stamp of its last byte."""
        count, stamp, left = 0, 0, list(self.waiting)
        while left and count < size:
            here, stamp = left.pop(0)
            count += min(here, size - count)
        if flags & socket.MSG_PEEK:
            self.peeks += 1
        else:
            taken, rest = count, []
            for here, at in self.waiting:
                rest += [(here - taken, at)] if here > taken else []
                taken = max(0, taken - here)
            self.waiting = rest
        message = struct.pack("@ll", stamp // 10**9, stamp % 10**9)
        stamps = [(socket.SOL_SOCKET, TIMESTAMPNS, message)] if stamp else []
        return count, stamps if self.instead is None else self.instead


@dataclass
class Opened:
    machine: Machine
    sock: StampedSocket

    def read(self) -> int | None:
        self.sock.recv(100_000)
        return self.sock.arrival


Open = Callable[[], Opened]


@pytest.fixture
def opened() -> Iterator[Open]:
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine()

        class Time:
            time_ns = staticmethod(lambda: machine.look("wall"))
            monotonic_ns = staticmethod(lambda: machine.look("monotonic"))

        def recvmsg(_: socket.socket, size: int, _space: int, flags: int = 0) -> tuple[bytes, Messages, int, None]:
            count, messages = machine.take(size, flags)
            return bytes(count), messages, 0, None

        def recvmsg_into(
            _: socket.socket, buffers: list[Any], _space: int, flags: int = 0
        ) -> tuple[int, Messages, int, None]:
            return *machine.take(len(buffers[0]), flags), 0, None

        patch.setattr(stamped_socket, "time", Time)
        patch.setattr("probe.transport.stamped_socket.sys.platform", "linux")
        patch.setattr(StampedSocket, "recvmsg", recvmsg)
        patch.setattr(StampedSocket, "recvmsg_into", recvmsg_into)
        patch.setattr(StampedSocket, "setsockopt", lambda *_: None)
        patch.setattr(socket.socket, "send", lambda *_: 1)
        sockets: list[StampedSocket] = []

        def make() -> Opened:
            vars(machine).update(vars(Machine()))
            sockets.append(StampedSocket(socket.AF_INET, socket.SOCK_STREAM, 0))
            return Opened(machine, sockets[-1])

        yield make
        for each in sockets:
            each.close()


def test_a_byte_came_in_when_the_kernel_had_it(opened: Open) -> None:
    it = opened()
    it.machine.passes(1000 * MS)
    came = it.machine.arrives()
    it.machine.passes(7 * MS)
    assert it.read() == came


def test_what_the_kernel_does_not_stamp_is_not_taken_for_what_just_arrived(opened: Open) -> None:
    it = opened()
    came = it.machine.arrives()
    assert it.read() == came
    it.machine.passes(7 * MS)
    it.machine.waiting = [(4, 0)]
    assert it.read() is None


@pytest.mark.parametrize("message", [(socket.SOL_SOCKET, 29, bytes(16)), (6, TIMESTAMPNS, bytes(16)), (1, 35, b"")])
def test_other_messages_of_the_kernel_are_no_stamps(opened: Open, message: tuple[int, int, bytes]) -> None:
    it = opened()
    it.machine.arrives()
    it.machine.instead = [message]
    it.machine.passes(7 * MS)
    assert it.read() is None


@pytest.mark.parametrize("step_ms", [-3_600_000, -2, 2, 50, 3_600_000])
def test_after_a_step_of_the_wall_clock_nobody_knows(opened: Open, step_ms: int) -> None:
    it = opened()
    it.machine.arrives()
    it.machine.passes(7 * MS)
    it.machine.wall += step_ms * MS
    assert it.read() is None
    came = it.machine.arrives()
    it.machine.passes(3 * MS)
    assert it.read() == came, "believed again, once the clock goes on evenly"


def test_what_came_apart_is_read_apart(opened: Open) -> None:
    """Otherwise the first would have the time of the last."""
    it = opened()
    came = []
    for gap in (5, 3, 9):
        it.machine.passes(gap * MS)
        came.append(it.machine.arrives())
    it.machine.passes(20 * MS)
    assert [it.read() for _ in came] == came


def test_what_came_together_is_read_together(opened: Open) -> None:
    """A flood of small frames takes no more reads than it lasts half milliseconds."""
    it = opened()
    for _ in range(1000):
        it.machine.passes(1000)
        it.machine.arrives(1)
    reads = 0
    while it.machine.waiting:
        it.read()
        reads += 1
    assert reads <= 3
    assert it.machine.peeks <= reads * 20


def test_no_byte_came_before_all_that_had_been_read(opened: Open) -> None:
    it = opened()
    it.machine.arrives()
    it.machine.passes(3 * MS)
    later = it.machine.arrives()
    it.machine.passes(8 * MS)
    first = it.read()
    it.read()
    assert it.sock.since == first, "what waited behind it had come later"
    read = it.machine.monotonic
    it.machine.passes(40 * MS)
    it.machine.arrives()
    it.machine.passes(MS)
    it.read()
    assert it.sock.since == read > later, "nothing had waited when that was read"


class Looks:
    """Rounds that looked last at this time."""

    def __init__(self, looked: int) -> None:
        self.looked = looked
        self.emptied = 0

    def join(self, descriptor: int) -> None: ...

    def leave(self, descriptor: int) -> None: ...

    def nothing_until(self, _descriptor: int) -> int:
        return self.looked

    def read(self, _descriptor: int) -> None:
        self.emptied += 1


def test_no_byte_came_before_the_last_look_at_an_empty_socket(opened: Open) -> None:
    it = opened()
    looks: Any = Looks(it.machine.monotonic + 30 * MS)
    it.sock.take_part(looks)
    it.machine.passes(32 * MS)
    it.machine.arrives()
    it.machine.passes(20 * MS)
    it.machine.arrives()
    it.read()
    assert it.sock.since == looks.looked
    assert looks.emptied == 0, "something waits behind it"
    it.read()
    assert looks.emptied == 1


def test_without_stamps_a_read_that_leaves_room_has_left_nothing(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS: what comes after it has come after it, which bounds how early."""
    monkeypatch.setattr("probe.transport.stamped_socket.sys.platform", "darwin")
    it = opened()
    it.machine.instead = []
    it.machine.arrives()
    it.machine.passes(5 * MS)
    began = it.machine.monotonic
    assert it.read() is None
    it.machine.passes(30 * MS)
    it.machine.arrives(size=10)
    it.sock.recv(10)
    assert it.sock.since == began
    it.machine.passes(MS)
    it.machine.arrives()
    it.read()
    assert it.sock.since == began, "the read before was filled: something may have waited behind it"
    assert it.machine.peeks == 0


def test_the_first_write_counts(opened: Open) -> None:
    it = opened()
    assert it.sock.wrote == 0
    first = it.machine.monotonic
    for _ in range(2):
        it.sock.send(b"x")
        it.machine.passes(4 * MS)
    assert it.sock.wrote == first
    it.sock.forget_writes()
    assert it.sock.wrote == 0


MOMENTS = st.tuples(st.integers(0, 60_000 * MS), st.integers(0, 500 * MS), st.integers(-5_000 * MS, 5_000 * MS))
AGAIN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@AGAIN  # it makes a new machine each time
@given(moments=st.lists(MOMENTS, max_size=10))
def test_an_arrival_is_never_in_the_future_and_hardly_before_the_truth(
    opened: Open, moments: list[tuple[int, int, int]]
) -> None:
    """Whatever the wall clock does between the arrival and the read."""
    it = opened()
    for before, waited, step in moments:
        it.machine.passes(before)
        came = it.machine.arrives()
        it.machine.passes(waited)
        it.machine.wall += step
        read = it.read()
        assert read is None or came - MS <= read <= it.machine.monotonic


# Of a process that is held up anywhere: it loses the core, or the interpreter's lock, between two looks at a clock.
HELD_UP = st.lists(st.sampled_from([0, 0, 0, 100, 40_000, 9 * MS, 40 * MS]), max_size=60)


@AGAIN
@given(held_up=HELD_UP, waits=st.lists(st.integers(1, 30 * MS), min_size=1, max_size=4))
def test_timestamps_are_in_the_order_of_what_happened(opened: Open, held_up: list[int], waits: list[int]) -> None:
    """An arrival, the write that it triggers, the arrival that this triggers: however long we are held up between."""
    it = opened()
    clock = AnchoredClock(EPOCH, it.machine.monotonic)
    it.machine.held_up = list(held_up)
    moments, truth = [], []
    for wait in waits:
        came = it.machine.arrives()
        it.machine.passes(wait)
        read = it.read()
        moments.append(clock.at(it.machine.monotonic if read is None else read))
        truth.append(clock.at(came))
        it.sock.forget_writes()
        it.sock.send(b"next")
        written = it.machine.monotonic
        it.machine.passes(MS)
        moments.append(clock.at(it.sock.wrote))
        truth.append(clock.at(written))
    assert moments == sorted(moments)
    assert all(moment >= true for moment, true in zip(moments[::2], truth[::2], strict=True)), "no arrival too early"
    assert moments[1::2] == truth[1::2], "a write is when it was"
