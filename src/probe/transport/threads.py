"""Blocking work, such as a name lookup, in a few threads that can be abandoned."""

import asyncio
import errno
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")
# Each hangs for as long as the resolver has patience. The unit's TasksMax= has room for them and all others.
MOST_THREADS = 16

_Job = Callable[[], None]


class _Pool:
    """Threads that are started when they are wanted. The process ends without them."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0

    def add(self, job: _Job) -> None:
        """Have a job done. Raises OSError where this machine has no thread for it. Called by one thread at a time."""
        if not self._idle.acquire(blocking=False) and self._threads < MOST_THREADS:
            try:
                threading.Thread(target=self._work, name=f"lookup-{self._threads}", daemon=True).start()
                self._threads += 1
            except RuntimeError as error:
                if not self._threads:
                    raise OSError(errno.EAGAIN, "no thread can be started") from error
        self._jobs.put(job)

    def _work(self) -> None:
        while True:
            self._jobs.get()()
            self._idle.release()


_POOL = _Pool()
_LOCK = threading.Lock()
_GOING: dict[Hashable, Future[Any]] = {}


async def in_a_thread(key: Hashable, work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; a deadline may leave it behind.

    Where work of the same key is going on, its outcome is this one's, too: a name server that does not answer for one
    host takes one thread, for all callers together. Raises OSError if no thread can be started.

    The event loop's own threads are few, and joined at the end: a lookup that hangs would hold up every other, and then
    the end of the process.
    """
    with _LOCK:
        outcome = _GOING.get(key)
        if outcome is None:
            outcome = Future()
            # So that leaving it behind cancels only the wait.
            outcome.set_running_or_notify_cancel()
            _POOL.add(lambda: _do(key, work, outcome))
            _GOING[key] = outcome
    found: T = await asyncio.wrap_future(outcome)
    return found


def _do(key: Hashable, work: Callable[[], Any], outcome: Future[Any]) -> None:
    try:
        found = work()
    except Exception as error:  # noqa: BLE001 - it is raised where the work was asked for
        _forget(key)
        outcome.set_exception(error)
    else:
        _forget(key)
        outcome.set_result(found)


def _forget(key: Hashable) -> None:
    with _LOCK:
        _GOING.pop(key, None)
