"""Checks whether our own measurement can be trusted: watches the event loop and the garbage collector during a run.

Where the kernel does not stamp what arrives, a stall of ours is in every latency. Where it does, a stall is in none:
the next request leaves that much later, which is known, and taken off. But servers that are asked so late are no longer
those that a person would have met: idle for longer, their caches colder.
"""

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from probe import delays, whole_wait
from probe.clock import Clock
from probe.record import RunRecord
from probe.timestamps import milliseconds
from probe.tolerance import Tolerance

# How often the loop is looked at. A look costs some 20 us, however many runs are watched.
TICK_S = 0.002
# Timers are rounded up to the millisecond, and no machine is better than that all the time.
NOTED_MS = 2.0


class Stall(Struct, frozen=True):
    """A time in which nothing could be read or answered, in nanoseconds of its lookout's clock."""

    what: str
    start: int
    end: int

    def within_ms(self, start: int, end: int) -> float:
        """How much of it lies in a span of time; 0 or less where nothing does."""
        return milliseconds(min(self.end, end) - max(self.start, start))


class Watch:
    """Use as a context around a run, on its loop and its clock; then `judge` the record."""

    def __init__(self, clock: Clock, tolerance: Tolerance) -> None:
        self._clock = clock
        self._tolerance = tolerance
        # By the lookout's clock, and how far ours is ahead of it.
        self._stalls: list[Stall] = []
        self._ahead = 0

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._lookout = _lookouts.setdefault(loop, _Lookout(loop, self._clock))
        self._ahead = self._clock.now() - self._lookout.clock.now()
        self._lookout.join(self._stalls)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._lookout.leave(self._stalls)

    def longest_ms(self, record: RunRecord) -> dict[str, float]:
        """The longest stall of each kind while something was measured: connecting is part of no measure."""
        began = min((chunk.began for turn in record.turns for chunk in turn.chunks), default=record.started)
        longest: dict[str, float] = {}
        for stall in self._stalls:
            lasted = stall.within_ms(began - self._ahead, record.ended - self._ahead)
            longest[stall.what] = max(longest.get(stall.what, 0.0), lasted)
        return longest

    def judge(self, record: RunRecord) -> RunRecord:
        """Return the record, with a doubt for each way in which we were held up, and a figure may show it."""
        stalls = self._of_stalls(record) if record.unstamped else ()
        doubts = (*stalls, *self._of_delays(record), *self._of_pace(record))
        return replace(record, doubts=record.doubts + doubts) if doubts else record

    def _of_stalls(self, record: RunRecord) -> Iterator[str]:
        limit = self._tolerance.max_lag_ms
        for what, lasted in self.longest_ms(record).items():
            if lasted > limit:
                yield f"{what} of {lasted:.0f} ms, and arrivals without a stamp (limit {limit:g} ms)"

    def _of_delays(self, record: RunRecord) -> Iterator[str]:
        limit = self._tolerance.max_delay_ms
        for turn in record.turns:
            longest = milliseconds(max([whole_wait.question_delay(turn), *delays.slowness(turn.chunks)]))
            if longest > limit:
                yield f"turn {turn.turn_num}: the probe held up a sound for {longest:.0f} ms (limit {limit:g} ms)"

    def _of_pace(self, record: RunRecord) -> Iterator[str]:
        """Speech that was written late was not heard as it was said, and its end was heard that much later."""
        for turn in record.turns:
            if turn.heard is None:
                continue
            parts = (
                ("the end", turn.heard.end_late_ns, self._tolerance.max_error_ms),
                ("a part", turn.heard.longest_late_ns, self._tolerance.max_delay_ms),
            )
            for what, late, limit in parts:
                if late is not None and milliseconds(late) > limit:
                    written = f"{what} of the speech was sent {milliseconds(late):.0f} ms late"
                    yield f"turn {turn.turn_num}: {written} (limit {limit:g} ms)"


class _Lookout:
    """Looks at one event loop for all that watch it: a tick costs the same for one and for hundreds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self.clock = clock
        self._loop = loop
        # Where each watch keeps its stalls. Replaced and never changed: a collection in another thread may be going
        # through it.
        self._watching: tuple[list[Stall], ...] = ()
        # When the loop last asked for what has arrived, as far as we know, and when before that.
        self._asked = self._asked_before = clock.now()
        self._collecting: int | None = None

    def join(self, stalls: list[Stall]) -> None:
        """Add every stall from now on to `stalls`."""
        if not self._watching:
            gc.callbacks.append(self._on_collection)
            self._timer = self._loop.call_later(TICK_S, self._tick)
        self._watching = (*self._watching, stalls)

    def leave(self, stalls: list[Stall]) -> None:
        # A stall that lasts until now has no tick after it.
        self._ticked()
        self._watching = tuple(each for each in self._watching if each is not stalls)
        if not self._watching:
            gc.callbacks.remove(self._on_collection)
            self._timer.cancel()
            del _lookouts[self._loop]

    def _tick(self) -> None:
        """Timers are the last that the loop gets to after it has asked; what is called soon is the first."""
        self._ticked()
        self._loop.call_soon(self._ask)
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _ticked(self) -> None:
        """What had arrived when the loop last asked has been read by now.

        A frame may have come just after the loop had asked, waited for all that the loop then did, and for what it did
        with the frames before it the next time: so a stall lasts from the time before last that it asked until now.
        That may be two ticks more than the truth, and is never less.
        """
        self._note("event-loop lag", self._asked_before, self.clock.now(), 2 * TICK_S * 1e3)

    def _ask(self) -> None:
        """The loop has just asked for what has arrived."""
        self._asked_before, self._asked = self._asked, self.clock.now()

    def _on_collection(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._collecting = self.clock.now()
        elif self._collecting is not None:
            self._note("garbage collection", self._collecting, self.clock.now())
            self._collecting = None

    def _note(self, what: str, start: int, end: int, usual_ms: float = 0.0) -> None:
        if milliseconds(end - start) - usual_ms > NOTED_MS:
            stall = Stall(what, start, end)
            for stalls in self._watching:
                stalls.append(stall)


_lookouts: dict[asyncio.AbstractEventLoop, _Lookout] = {}
