"""A deadline for a server that a stop of our own process does not run out.

After a stop (SIGSTOP, a paused virtual machine, or one that is short of CPU time) the event loop finds the time over
before it has read what came in time, and would count our absence as the server's silence.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# Timers are late by as much on any machine.
LATE_S = 0.02


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError where this context lasts longer than `seconds`.

    Where the event loop looks at the time too late, the context lasts longer by as much, so that what has arrived is
    read: at most twice as long in all, not counting the stop.
    """
    async with asyncio.timeout(None) as timeout:
        deadline = _Deadline(timeout, seconds)
        try:
            yield
        finally:
            deadline.cancel()


class _Deadline:
    """Ends a timeout, times in seconds of the event loop."""

    def __init__(self, timeout: asyncio.Timeout, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._to_give = seconds
        self._at(self._loop.time() + seconds)

    def cancel(self) -> None:
        self._timer.cancel()

    def _at(self, due: float) -> None:
        self._due = due
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        given = min(now - self._due, self._to_give)
        if given > LATE_S:
            self._to_give -= given
            self._at(now + given)
        else:
            self._timeout.reschedule(now)
