"""A queue of lines for standard output: logging never waits for the reader.

A pipe that nobody reads (a journal that is stuck, a pager) takes 64 KiB and then blocks each write permanently. So
lines wait in a bounded queue, and a thread of their own writes them; what no longer fits is counted and lost.
"""

import os
import threading
from collections.abc import Callable
from io import UnsupportedOperation
from queue import SimpleQueue
from typing import Protocol, TextIO

# At one run per second on 200 targets: five seconds.
MOST_LINES = 1000


class LineStream(Protocol):
    """The output of lines."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> None: ...

    def isatty(self) -> bool: ...


class QueuedLines:
    """A stream for whole lines that never blocks and never raises. Every method may be called from any thread.

    `on_lost` is called for each line that was not written: in the caller's thread where too many are waiting, else
    in the writer's. It must return at once and not raise.
    """

    def __init__(self, stream: TextIO, on_lost: Callable[[], None], most: int = MOST_LINES) -> None:
        self._write = _writer(stream)
        self._terminal = stream.isatty()
        self._on_lost = on_lost
        self._most = most
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        # A thread that does not keep the process from ending, whatever happens to its last write.
        self._thread = threading.Thread(target=self._work, name="log", daemon=True)
        self._thread.start()

    def write(self, text: str) -> None:
        """Have some lines written."""
        if self._queue.qsize() >= self._most:
            self._on_lost()
        else:
            self._queue.put(text)

    def flush(self) -> None:
        """Only lines that can't be written are buffered."""

    def isatty(self) -> bool:
        return self._terminal

    def close(self, timeout_s: float) -> None:
        """Write what is waiting, for as long as that takes, and `timeout_s` at most."""
        self._queue.put(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while (text := self._queue.get()) is not None:
            try:
                self._write(text)
            except OSError:
                # A full disk or a closed pipe is no reason to stop measuring.
                self._on_lost()


def _writer(stream: TextIO) -> Callable[[str], object]:
    """Not through the stream: its lock is held while a write blocks, and Python would abort on it when it ends."""
    try:
        fd, encoding = stream.fileno(), stream.encoding
    except UnsupportedOperation:
        # It is in memory, and blocks nobody.
        return stream.write

    def write(text: str) -> None:
        left = text.encode(encoding, "replace")
        while left:
            left = left[os.write(fd, left) :]

    return write
