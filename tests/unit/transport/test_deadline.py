"""A stop of our own process does not run out a server's deadline, and a silent server's does run out."""

import asyncio
import contextlib
import selectors
import socket
from typing import Any

import pytest

from probe.transport.deadline import within

STOPPED_S = 60.0


class Stopped(selectors.DefaultSelector):
    """Stops the process (SIGSTOP) while it waits for the first time: then the time is over, and nothing was read."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout and not self.stopped_s:
            self.stopped_s = STOPPED_S
            return []
        return super().select(timeout)


class StoppedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.selector = Stopped()
        super().__init__(self.selector)

    def time(self) -> float:
        return super().time() + self.selector.stopped_s


def test_what_came_during_a_stop_is_read_and_so_is_the_answer_to_what_follows() -> None:
    ours, theirs = socket.socketpair()

    async def came(data: bytes) -> None:
        loop, there = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(ours, there.set)
        theirs.send(data)
        await there.wait()
        loop.remove_reader(ours)
        ours.recv(len(data))

    async def answered() -> bool:
        async with within(30):
            await came(b"an answer that came in time")
            await came(b"an answer to what was asked after the stop")
        return True

    with ours, theirs, contextlib.closing(StoppedLoop()) as loop:
        assert loop.run_until_complete(answered())
        assert loop.selector.stopped_s == STOPPED_S


async def lasted(seconds: float) -> float:
    """How long somebody who never answers is waited for."""
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        async with within(seconds):
            await asyncio.Event().wait()
    return asyncio.get_running_loop().time() - began


def test_a_server_that_is_silent_after_a_stop_as_well_is_not_waited_for_for_ever() -> None:
    with contextlib.closing(StoppedLoop()) as loop:
        assert loop.run_until_complete(lasted(0.05)) >= STOPPED_S + 0.05


def test_without_a_stop_a_deadline_is_kept(virtual: Any) -> None:
    assert virtual.run(lasted(2)) == pytest.approx(2)


async def test_who_was_in_time_has_no_timer_left() -> None:
    async with within(1e6):
        pass
    assert not [each for each in asyncio.get_running_loop()._scheduled if not each.cancelled()]  # type: ignore[attr-defined]
