"""How much of each turn of the event loop may go into what servers send, all connections and runs together.

A read may hold 100,000 empty frames, and each of them means work. What has been at that for `FREE_S` without a pause
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

    def is_used_up(self, busy_s: float = 0.0) -> bool:
        """Whether there has been enough of it in this turn of the loop; who asks has been at it for `busy_s`."""
        self.note(busy_s)
        return time.thread_time() - self._began > SHARE_S

    def is_known_to_be_used_up(self) -> bool:
        """The same, of what has asked or been noted in this turn. Costs nothing where nothing has."""
        return self._counting and self.is_used_up()

    def note(self, busy_s: float) -> None:
        """Count what has just taken so long."""
        if not self._counting:
            self._counting, self._began = True, time.thread_time() - busy_s
            self._loop.call_soon(self._next_turn)

    def when_it_is_my_turn(self, do: Callable[[], None]) -> None:
        """Have this called in a later turn of the loop. To be asked for only where `is_used_up`."""
        self._waiting.append(do)

    def in_turn(self, do: Callable[[], None]) -> None:
        """Call it, and later where the share is used up: the rests of many connections may be over at once."""
        if self.is_used_up():
            self.when_it_is_my_turn(do)
        else:
            do()

    async def my_turn(self) -> None:
        """Wait for a later turn of the loop. The same."""
        turn: asyncio.Future[None] = self._loop.create_future()

        def take() -> None:
            if not turn.done():
                turn.set_result(None)

        self.when_it_is_my_turn(take)
        await turn

    async def after_those_that_wait(self) -> None:
        """Until all that wait for their turn now have had it."""
        # Who has been called, and is no longer among those that wait, comes before the count is over.
        if self._counting:
            await self.my_turn()

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
        if ours.is_used_up():
            await ours.my_turn()
        try:
            next(work)
        except StopIteration as done:
            result: T = done.value
            return result
