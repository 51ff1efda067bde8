"""Prints a run's events from a thread while it is in progress: a terminal that blocks must not delay a measurement."""

import queue
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from probe.progress import Event, EventKind

# How long a blocked terminal may hold up the end of a run.
_DRAIN_TIMEOUT_S = 2.0


class Live:
    """Give `observe` to a run inside the context; what `render` makes of each event is printed in order.

    Events of a kind in `unseen` are dropped at once: waking a thread for every frame would cost the measurement more
    than the frame itself.
    """

    def __init__(
        self,
        render: Callable[[Event], Iterable[str]],
        write: Callable[[str], None],
        unseen: frozenset[EventKind] = frozenset(),
    ) -> None:
        self._render = render
        self._unseen = unseen
        self._write = write
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._print_all, name="live-timeline", daemon=True)

    def observe(self, event: Event) -> None:
        if event.kind not in self._unseen:
            self._events.put(event)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._events.put(None)
        self._thread.join(_DRAIN_TIMEOUT_S)

    def _print_all(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                for line in self._render(event):
                    self._write(line)
            except OSError:
                # Nobody reads any more (a closed pipe); the run goes on and says so at its end.
                return
