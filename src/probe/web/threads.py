"""Blocking work in daemon threads, which don't delay the end of the process."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# So many pages are made at once; a page that waits for a lock, or for a disk that hangs, takes one of these places.
PLACES = 4


class Busy(Exception):
    """There was no place, or no result, in time."""


class Threads:
    """At most `PLACES` threads at a time. For one loop."""

    def __init__(self, places: int = PLACES) -> None:
        self._room = asyncio.Semaphore(places)

    async def run(self, work: Callable[[], T], deadline_s: float) -> T:
        """What the work returns or raises. Raises Busy after the deadline; a thread that goes on keeps its place."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(deadline_s):
                await self._room.acquire()
                return await self._started(work, loop)
        except TimeoutError as error:
            raise Busy from error

    def _started(self, work: Callable[[], T], loop: asyncio.AbstractEventLoop) -> asyncio.Future[T]:
        result: asyncio.Future[T] = loop.create_future()

        def end(value: T | None, error: BaseException | None) -> None:
            self._room.release()
            if result.done():
                return
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]  # None only where T is, or with an error

        def thread() -> None:
            value, error = None, None
            try:
                value = work()
            except BaseException as caught:  # noqa: BLE001 - it is raised where it is awaited
                error = caught
            try:
                loop.call_soon_threadsafe(end, value, error)
            except RuntimeError:
                # The loop has ended meanwhile, and nothing waits for the result.
                return

        threading.Thread(target=thread, name="page", daemon=True).start()
        return result
