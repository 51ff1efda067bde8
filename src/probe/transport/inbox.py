"""The queue of all servers' frames, each with its arrival time."""

import asyncio
import time
from collections import deque

from msgspec import Struct

from probe.clock import Clock
from probe.plan import Role
from probe.timestamps import NS_PER_S
from probe.transport import share
from probe.transport.framing.base import Binary, Body, Incoming, Raw, Text

# A connection is asked to wait where so many frames, or so many bytes, have not been taken yet. No run that goes as
# it should comes near: what waits here is what a server floods with.
FULL_FRAMES, FULL_BYTES = 1000, 2**20
# What may take as long as a whole share to read.
HEAVY_BYTES = 2**14


class Arrival(Struct, frozen=True, gc=False):
    """A frame, or the end of a connection, and when it came in: clock nanoseconds, taken before it was decoded.

    `connection` counts a server's connections, so that the end of an old one is not mistaken for the end of the new
    one.
    """

    at: int
    server: Role
    connection: int
    frame: Incoming


class Inbox:
    """One queue for all connections: a wait for one server still sees what the others do."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._queue: deque[Arrival] = deque()
        self._bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        # Until when frames are taken without a thought of others.
        self._free_until = 0.0

    def put(self, arrival: Arrival) -> bool:
        """Take an arrival; False where no more are wanted for now, although they would be taken."""
        self._queue.append(arrival)
        self._bytes += _size(arrival.frame)
        self._wake()
        return len(self._queue) < FULL_FRAMES and self._bytes < FULL_BYTES

    async def get(self, until: int) -> Arrival | None:
        """Return the next arrival, or None when `until` (clock nanoseconds) passes without one.

        What has arrived is always returned before the time is looked at: a late wake-up of ours never makes a frame
        that came in time look late.
        """
        while not self._queue:
            left = (until - self.clock.now()) / NS_PER_S
            if left <= 0:
                await _read_what_is_there()
                return self._take() if self._queue else None
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(left, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
            self._free_until = time.monotonic() + share.FREE_S
        # Those of many connections may have come, and be awaited, in one turn of the loop.
        if self._bytes > HEAVY_BYTES or time.monotonic() > self._free_until:
            await self._share()
        return self._take()

    def clear(self) -> None:
        """Forget what has not been taken."""
        self._queue.clear()
        self._bytes = 0

    def _take(self) -> Arrival:
        arrival = self._queue.popleft()
        self._bytes -= _size(arrival.frame)
        return arrival

    async def _share(self) -> None:
        """Let others have their turn where this one has had its own: a flood must not hold up their runs."""
        if (ours := share.of_this_loop()).is_used_up(share.FREE_S):
            await ours.my_turn()
            self._free_until = time.monotonic() + share.FREE_S

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _size(frame: Incoming) -> int:
    return len(frame.data) if isinstance(frame, Text | Binary | Body | Raw) else 0


async def _read_what_is_there() -> None:
    """Let the event loop read what waits in the kernel: after a stop (SIGSTOP) it finds the time over first."""
    # One round to ask, one to read.
    for _ in range(2):
        await asyncio.sleep(0)
    # What others flood with may have kept it from being parsed.
    await share.of_this_loop().after_those_that_wait()
