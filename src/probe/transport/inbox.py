"""The queue of all servers' frames, each with its arrival time."""

import asyncio
from collections import deque

from msgspec import Struct

from probe.clock import Clock
from probe.record import Role
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Incoming

# So many frames are taken without a turn for the rest of the event loop.
TAKEN_AT_ONCE = 100


class Arrival(Struct, frozen=True):
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
        self._waiter: asyncio.Future[None] | None = None
        # How many were taken since others had their turn.
        self._taken = 0

    def put(self, arrival: Arrival) -> None:
        self._queue.append(arrival)
        self._wake()

    async def get(self, until: int) -> Arrival | None:
        """Return the next arrival, or None when `until` (clock nanoseconds) passes without one.

        What has arrived is always returned before the time is looked at: a late wake-up of ours never makes a frame
        that came in time look late.
        """
        self._taken += 1
        if self._taken > TAKEN_AT_ONCE:
            # Each takes some 20 us: a server that floods must not hold up the other runs.
            self._taken = 0
            await asyncio.sleep(0)
        while not self._queue:
            self._taken = 0
            left = (until - self.clock.now()) / NS_PER_S
            if left <= 0:
                await _read_what_is_there()
                return self._queue.popleft() if self._queue else None
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(left, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
        return self._queue.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def _read_what_is_there() -> None:
    """Let the event loop read what waits in the kernel: after a stop (SIGSTOP) it finds the time over first."""
    # One round to ask, one to read.
    for _ in range(2):
        await asyncio.sleep(0)
