"""How much of each turn of the event loop may go into what servers send, all connections and runs together.

A read may hold 100,000 empty frames, and each of them means work. Whoever has been at that for `FREE_S` without a pause
asks here whether the turn's share is used up, and if so goes on when it is given its turn: one after the other, in the
order in which they asked. So a server that floods holds up the others for milliseconds, and so do twenty.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator
from typing import TypeVar
from weakref import WeakKeyDictionary

# What hardly anything takes longer than: nobody keeps a book of that.
FREE_S = 0.001
# CPU time: what a busy machine does meanwhile is not ours.
SHARE_S = 0.004
T = TypeVar("T")
# Work that yields wherever it may be left for a while, and returns the result.
Slices = Generator[None, None, T]


class Share:
    """Of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._began = 0.0
        self._counting = False
        self._waiting: deque[Callable[[], None]] = deque()

    def is_used_up(self) -> bool:
        """Whether there has been enough of it in this turn of the loop."""
        now = time.thread_time()
        if not self._counting:
            # Whoever asks has been at it for so long.
            self._counting, self._began = True, now - FREE_S
            self._loop.call_soon(self._next_turn)
        return now - self._began > SHARE_S

    def when_it_is_my_turn(self, do: Callable[[], None]) -> None:
        """Have this called in a later turn of the loop. To be asked for only where `is_used_up`."""
        self._waiting.append(do)

    async def my_turn(self) -> None:
        """Wait for a later turn of the loop. The same."""
        turn: asyncio.Future[None] = self._loop.create_future()

        def take() -> None:
            if not turn.done():
                turn.set_result(None)

        self.when_it_is_my_turn(take)
        await turn

    def _next_turn(self) -> None:
        self._began = time.thread_time()
        if self._waiting:
            # In the next turn, before this is called again: so there are no two in one.
            self._loop.call_soon(self._waiting.popleft())
            self._loop.call_soon(self._next_turn)
        else:
            self._counting = False


_all: WeakKeyDictionary[asyncio.AbstractEventLoop, Share] = WeakKeyDictionary()


def of_this_loop() -> Share:
    """The share of the loop that runs."""
    loop = asyncio.get_running_loop()
    if (found := _all.get(loop)) is None:
        found = _all[loop] = Share(loop)
    return found


async def my_turn() -> None:
    """Before some work that can't be left: wait for a later turn of the loop where the share of this one is used up."""
    ours = of_this_loop()
    if ours.is_used_up():
        await ours.my_turn()


async def in_slices(work: Slices[T]) -> T:
    """Do it, and let others have their turn whenever the share is used up."""
    ours = of_this_loop()
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
        if ours.is_used_up():
            await ours.my_turn()
