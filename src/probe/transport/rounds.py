"""Checks every 2 ms which sockets are empty: data that is read from one later must have arrived later.

A stamp is that of the last byte of what the kernel has joined (see segments.py); how much earlier the first byte may
have come is known from this alone. Where there is no epoll(7), as on macOS, poll(2) looks.
"""

import asyncio
import select
import time
from contextlib import suppress
from weakref import WeakKeyDictionary

# A look costs some 10 us, however many sockets there are.
LOOK_S = 0.002


class Rounds:
    """Sockets of one event loop, by file descriptor. Times are nanoseconds of the monotonic clock."""

    def __init__(self) -> None:
        self._poller = select.epoll() if hasattr(select, "epoll") else select.poll()
        self._members = 0
        self._looked = 0
        # For those in which something waited at the last look: when it was looked last without finding anything.
        self._waiting: dict[int, int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def join(self, descriptor: int) -> None:
        # The same bit as epoll's.
        self._poller.register(descriptor, select.POLLIN)
        self._members += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def leave(self, descriptor: int) -> None:
        with suppress(OSError, KeyError):
            self._poller.unregister(descriptor)
        self._waiting.pop(descriptor, None)
        self._members -= 1
        if self._members == 0 and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def read(self, descriptor: int) -> None:
        """All that had come has been read."""
        self._waiting.pop(descriptor, None)

    def nothing_until(self, descriptor: int) -> int:
        """A time until which nothing had come since the last `read`; 0 where nobody looked."""
        return self._waiting.get(descriptor, self._looked)

    def _look(self) -> None:
        now, before = time.monotonic_ns(), self._looked
        self._waiting = {descriptor: self._waiting.get(descriptor, before) for descriptor, _ in self._poller.poll(0)}
        self._looked = now
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)


_all: WeakKeyDictionary[asyncio.AbstractEventLoop, Rounds] = WeakKeyDictionary()


def of_this_loop() -> Rounds:
    """The rounds of the loop that runs."""
    loop = asyncio.get_running_loop()
    if (found := _all.get(loop)) is None:
        found = _all[loop] = Rounds()
    return found
