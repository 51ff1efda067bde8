"""What a run waits for, in one line of a terminal that is written again and again."""

import os
import sys
import time
from collections.abc import Callable
from typing import TextIO

from probe.cli.output import terminal_width
from probe.plan import Plan
from probe.progress import Event
from probe.report.waiting import Waiting

# To the line's start, and nothing behind what was written.
_BACK, _ERASE = "\r", "\x1b[K"


class StatusLine:
    """On stderr, below the last line that was printed. Its texts are our own: no server's words reach the terminal."""

    def __init__(self, plan: Plan, stream: TextIO, label: str = "", now: Callable[[], int] = time.time_ns) -> None:
        """`label` begins the line; `now` is in epoch nanoseconds, as the events' times are."""
        self._waiting = Waiting(plan, now())
        self._label = label
        self._stream = stream
        self._now = now
        self._shown = ""

    def note(self, event: Event) -> None:
        self._waiting.note(event)

    def show(self) -> None:
        text = self._waiting.text(self._now())
        if text is None:
            self.clear()
        else:
            self._write(f"{self._label}{text}"[: terminal_width(self._stream) - 1])

    def clear(self) -> None:
        self._write("")

    def _write(self, text: str) -> None:
        if text != self._shown:
            self._stream.write(f"{_BACK}{text}{_ERASE}")
            self._stream.flush()
            self._shown = text


def status_line(plan: Plan, label: str = "") -> StatusLine | None:
    """One where stderr is a terminal that can write a line again, else none."""
    able = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return StatusLine(plan, sys.stderr, label) if able else None
