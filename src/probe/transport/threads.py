"""Blocking work, such as a name lookup, in a thread that nobody has to wait for."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def in_own_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; a deadline may leave it behind.

    The event loop's own threads are few, and joined at the end: a lookup that hangs would hold up every other, and then
    the end of the process.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001 - it is raised where the work was asked for
            outcome.set_exception(error)

    # So that leaving it behind cancels only the wait.
    outcome.set_running_or_notify_cancel()
    threading.Thread(target=run, name="in-own-thread", daemon=True).start()
    return await asyncio.wrap_future(outcome)
