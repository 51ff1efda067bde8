"""Prints a run's events from a thread while it is in progress: a terminal that blocks must not delay a measurement."""

import queue
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol, Self

from probe.progress import Event, EventKind

# How long a blocked terminal may hold up the end of a run.
_DRAIN_TIMEOUT_S = 2.0
# How often a status is renewed while nothing happens.
TICK_S = 0.2


class Status(Protocol):
    """What stands below the last line until the next one is printed."""

    def note(self, event: Event) -> None:
        """Something happened; called from within the run, so that it must return at once."""

    def show(self) -> None:
        """Write it, or renew it."""

    def clear(self) -> None:
        """Leave the line empty for what comes."""


class Live:
    """Give `observe` to a run inside the context; what `render` makes of each event is printed in order.

    Events of a kind in `unseen` are dropped at once: waking a thread for every frame would cost the measurement more
    than the frame itself. A `status` hears of every event, and is renewed by that thread while nothing happens.
    """

    def __init__(
        self,
        render: Callable[[Event], Iterable[str]],
        write: Callable[[str], None],
        unseen: frozenset[EventKind] = frozenset(),
        status: Status | None = None,
    ) -> None:
        self._render = render
        self._unseen = unseen
        self._write = write
        self._status = status
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._print_all, name="live-timeline", daemon=True)

    def observe(self, event: Event) -> None:
        if self._status is not None:
            self._status.note(event)
        if event.kind not in self._unseen:
            self._events.put(event)

    def end_status(self) -> None:
        """Leave the line empty, permanently: the run is given up, and waits for nothing that was waited for."""
        status, self._status = self._status, None
        if status is not None:
            status.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._events.put(None)
        self._thread.join(_DRAIN_TIMEOUT_S)

    def _print_all(self) -> None:
        try:
            while (event := self._next()) is not None:
                for line in self._render(event):
                    self._write(line)
        except OSError:
            # Nobody reads any more (a closed pipe); the run goes on and says so at its end.
            return

    def _next(self) -> Event | None:
        while (status := self._status) is not None:
            try:
                event = self._events.get(timeout=TICK_S)
            except queue.Empty:
                if status is self._status:
                    status.show()
            else:
                status.clear()
                return event
        return self._events.get()
