"""Whether the kernel joined what waits: known where it counted as many segments as there are stamps. No network."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.transport.segments import MOST_COUNTED, Received, Segments, received


@dataclass
class Kernel:
    """What waits, each with one stamp: its bytes, and how many segments brought them."""

    waiting: list[tuple[int, int]] = field(default_factory=list)
    received: Received = field(default_factory=lambda: Received(0, 0))

    def arrives(self, size: int, *, joined: bool, counts: int = 1) -> None:
        self.received = Received(self.received.size + size, self.received.segments + counts)
        if joined and self.waiting:
            before, segments = self.waiting.pop()
            self.waiting.append((before + size, segments + counts))
        else:
            self.waiting.append((size, counts))

    def size(self) -> int:
        return sum(size for size, _ in self.waiting)

    def ends(self) -> Sequence[int]:
        return [sum(size for size, _ in self.waiting[: n + 1]) for n in range(len(self.waiting))]

    def take(self, count: int) -> int:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return sum(size for size, _ in taken)


def test_one_segment_has_its_own_stamp_and_nobody_has_to_look() -> None:
    kernel, segments = Kernel(), Segments()
    for _ in range(3):
        kernel.arrives(40, joined=False)
        ends = segments.ends(kernel.received, 40, lambda: pytest.fail("looked"))
        assert ends == (40,)
        segments.read(kernel.take(1), kernel.received, ends)


def test_two_segments_with_one_stamp_were_joined() -> None:
    kernel, segments = Kernel(), Segments()
    kernel.arrives(40, joined=False)
    kernel.arrives(40, joined=True)
    assert segments.ends(kernel.received, 80, kernel.ends) == ()
    segments.read(kernel.take(1), kernel.received, ())
    kernel.arrives(7, joined=False)
    assert segments.ends(kernel.received, 7, kernel.ends) == (7,), "all had been read: known again"


def test_what_came_behind_the_look_may_be_joined_to_what_was_seen() -> None:
    kernel, segments = Kernel(), Segments()
    kernel.arrives(40, joined=False)
    seen = kernel.size()
    kernel.arrives(40, joined=True)
    assert segments.ends(kernel.received, seen, kernel.ends) == ()


def test_where_the_kernel_does_not_count_nothing_is_known() -> None:
    assert Segments().ends(None, 40, lambda: (40,)) == ()


def test_many_are_not_looked_for() -> None:
    kernel, segments = Kernel(), Segments()
    for _ in range(MOST_COUNTED + 1):
        kernel.arrives(1, joined=False)
    assert segments.ends(kernel.received, kernel.size(), lambda: pytest.fail("looked")) == ()


ARRIVALS = st.lists(st.tuples(st.integers(1, 9), st.booleans(), st.integers(1, 3)), max_size=5)


@given(steps=st.lists(st.tuples(ARRIVALS, st.integers(0, 3)), max_size=12))
def test_what_is_said_to_have_its_own_stamp_was_never_joined(
    steps: list[tuple[list[tuple[int, bool, int]], int]],
) -> None:
    """Whatever joins, whatever one segment counts for (offloading), and however much of it is read."""
    kernel, segments = Kernel(), Segments()
    for arrivals, reads in steps:
        for size, joined, counts in arrivals:
            kernel.arrives(size, joined=joined, counts=counts)
        for _ in range(reads):
            if not kernel.waiting:
                break
            ends = segments.ends(kernel.received, kernel.size(), kernel.ends)
            if ends:
                assert list(ends) == list(kernel.ends())
                assert all(each == 1 for _, each in kernel.waiting)
            segments.read(kernel.take(1), kernel.received, ends)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_do_not_count(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr("probe.transport.segments.sys.platform", platform)
    with socket.socket() as connection:
        assert received(connection) is None


def test_a_socket_that_is_no_tcp_has_no_count() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert received(one) is None
