"""Lets only one sink's thread work at a time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

# A sink at work takes some milliseconds.
_TURN_S = 0.05
_AT_WORK = threading.Lock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Wait for the sink that is at work, but not for long: one that hangs holds up no other for more than a moment.

    Each would take the interpreter from the event loop in turn, and a frame that arrives meanwhile wait for them all.
    """
    mine = _AT_WORK.acquire(timeout=_TURN_S)
    try:
        yield
    finally:
        if mine:
            _AT_WORK.release()
