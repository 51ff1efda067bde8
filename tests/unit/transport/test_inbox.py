"""One queue, one clock: what has arrived is always seen, and a wait ends when it should."""

import asyncio
import contextlib
import selectors
import socket
import time
from typing import Any

import pytest

from probe.clock import AnchoredClock
from probe.timestamps import NEVER
from probe.transport import share
from probe.transport.framing.base import Text
from probe.transport.inbox import HEAVY_BYTES, Arrival, Inbox


def arrival(at: int) -> Arrival:
    return Arrival(at, "tts", 1, Text(b"{}"))


def test_what_has_arrived_is_returned_in_order_even_when_the_time_is_over(virtual: Any) -> None:
    inbox = Inbox(virtual.clock)
    now = virtual.clock.now()
    for at in (now - 2, now - 1):
        inbox.put(arrival(at))

    async def read() -> list[int | None]:
        return [None if (each := await inbox.get(now - 10)) is None else each.at for _ in range(3)]

    assert virtual.run(read()) == [now - 2, now - 1, None]


def test_a_flood_of_arrivals_leaves_the_event_loop_its_turns(virtual: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(share, "FREE_S", -1.0)
    monkeypatch.setattr(share, "SHARE_S", -3.0)
    inbox = Inbox(virtual.clock)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def read() -> None:
        for at in range(10):
            inbox.put(arrival(at))
        ticking = asyncio.ensure_future(others())
        for _ in range(10):
            await inbox.get(NEVER)
        ticking.cancel()

    virtual.run(read())
    assert turns >= 8


def test_large_arrivals_that_several_wait_for_are_taken_one_in_each_turn(
    virtual: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each may take as long to read as a turn of the loop may last."""
    monkeypatch.setattr(share, "SHARE_S", 0.0005)
    monkeypatch.setattr(share, "FREE_S", 0.0)
    inboxes = [Inbox(virtual.clock) for _ in range(4)]
    turns, taken = 0, list[int]()

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def read(inbox: Inbox) -> None:
        await inbox.get(NEVER)
        taken.append(turns)
        until = time.thread_time() + 0.001
        while time.thread_time() < until:
            pass

    async def all_at_once() -> None:
        ticking = asyncio.ensure_future(others())
        reading = [asyncio.ensure_future(read(each)) for each in inboxes]
        await asyncio.sleep(0)
        for each in inboxes:
            each.put(Arrival(1, "tts", 1, Text(bytes(HEAVY_BYTES + 1))))
        await asyncio.gather(*reading)
        ticking.cancel()

    virtual.run(all_at_once())
    assert len({*taken}) == 4


@pytest.mark.parametrize("wait_ns", [1, 999, 150_000_001, 10_000_000_000])
def test_a_wait_ends_at_its_time_and_not_before(virtual: Any, wait_ns: int) -> None:
    inbox = Inbox(virtual.clock)
    until = virtual.clock.now() + wait_ns
    assert virtual.run(inbox.get(until)) is None
    assert 0 <= virtual.clock.now() - until < 1_000_000


class Interrupted(selectors.DefaultSelector):
    """What Python sees of epoll after a stop of the process (SIGSTOP): interrupted, and its time is over."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return [] if timeout else super().select(timeout)


def test_what_waits_in_the_kernel_when_the_time_is_over_is_read_first() -> None:
    clock = AnchoredClock.anchored_now()
    inbox = Inbox(clock)
    ours, theirs = socket.socketpair()

    def read() -> None:
        ours.recv(1)
        inbox.put(arrival(1))

    async def wait(ns: int) -> Arrival | None:
        asyncio.get_running_loop().add_reader(ours, read)
        theirs.send(b"x")
        return await inbox.get(clock.now() + ns)

    with ours, theirs, contextlib.closing(asyncio.SelectorEventLoop(Interrupted())) as loop:
        for ns in (0, 1_000_000):
            assert loop.run_until_complete(wait(ns)) == arrival(1)
        loop.remove_reader(ours)


async def test_what_a_flood_of_others_keeps_from_being_parsed_is_there_when_the_time_is_over() -> None:
    clock = AnchoredClock.anchored_now()
    inbox, ours = Inbox(clock), share.of_this_loop()
    ours.note(1.0)
    ours.when_it_is_my_turn(lambda: None)

    def parse() -> None:
        inbox.put(arrival(1))

    ours.when_it_is_my_turn(parse)
    assert await inbox.get(clock.now()) == arrival(1)


def test_an_arrival_ends_a_wait_at_once(virtual: Any) -> None:
    inbox = Inbox(virtual.clock)
    start = virtual.clock.now()

    async def read() -> Arrival | None:
        asyncio.get_running_loop().call_later(0.25, lambda: inbox.put(arrival(virtual.clock.now())))
        return await inbox.get(NEVER)

    found = virtual.run(read())
    assert found is not None
    assert found.at - start == pytest.approx(250_000_000)
    assert virtual.clock.now() == found.at


def test_arrivals_in_a_burst_are_all_there(virtual: Any) -> None:
    inbox = Inbox(virtual.clock)

    def burst() -> None:
        for number in range(3):
            inbox.put(arrival(number))

    async def read() -> list[int]:
        asyncio.get_running_loop().call_later(0.1, burst)
        return [each.at for _ in range(3) if (each := await inbox.get(NEVER)) is not None]

    assert virtual.run(read()) == [0, 1, 2]


def test_the_clock_moves_with_monotonic_time_whatever_the_wall_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_700_000_000_000_000_000)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5_000)
    clock = AnchoredClock.anchored_now()
    assert clock.now() == 1_700_000_000_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 5_250)
    assert clock.now() == 1_700_000_000_000_000_250
