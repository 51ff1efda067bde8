"""Ctrl-C during a run: the first one ends it properly."""

import asyncio
import atexit
import os
import signal
import time
from contextlib import suppress

from probe.cli.exit_codes import INTERRUPTED_CODE
from probe.cli.output import say

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Interrupt:
    """The first signal ends the run properly, another one after a moment at once.

    Within that moment it is the same one: a wrapper such as make passes on what the terminal has sent to all.
    """

    MOMENT_S = 1.0

    def __init__(self, stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
        self._stop = stop
        # Called before anything is said.
        self.before = _nothing
        self._loop = loop
        self._first: float | None = None
        atexit.register(_ignore)

    def __call__(self, *_: object) -> None:
        now = time.monotonic()
        if self._first is not None and now - self._first > self.MOMENT_S:
            os._exit(INTERRUPTED_CODE)
        if self._first is None:
            self._first = now
            with suppress(RuntimeError):  # the run is over and its loop closed
                self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        self._stop.set()
        self.before()
        say("Interrupted: releasing the server's slot. Ctrl-C again stops at once.", err=True)


def _nothing() -> None:
    """There is nothing to do."""


def _ignore() -> None:
    """All is reported and released: a signal during Python's own exit would only change the exit code."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
