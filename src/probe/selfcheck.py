"""Can our own measurement be trusted? Watches the event loop and the garbage collector while a run goes on."""

import asyncio
import gc
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from probe.clock import Clock
from probe.record import RunRecord

# A stall is seen from the first tick that it delays: up to this much of it can go unnoticed. A tick costs some 15 us.
TICK_S = 0.005
NS_A_MS = 1e6


@dataclass(frozen=True, slots=True)
class Stall:
    """A time in which nothing could be stamped, in nanoseconds of the run's clock."""

    what: str
    start: int
    end: int

    def within_ms(self, start: int, end: int) -> float:
        """How much of it lies in a span of time; 0 or less where nothing does."""
        return (min(self.end, end) - max(self.start, start)) / NS_A_MS


class Watch:
    """Use as a context around a run, on its loop and its clock; then `judge` the record."""

    def __init__(self, clock: Clock, max_lag_ms: float) -> None:
        self._clock = clock
        self._max_lag_ms = max_lag_ms
        self._stalls: list[Stall] = []
        self._due = 0
        self._collecting: int | None = None

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        gc.callbacks.append(self._on_collection)
        self._schedule_tick()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._timer.cancel()
        gc.callbacks.remove(self._on_collection)
        # A stall that lasts until now has no tick after it.
        self._note("event-loop lag", self._due, self._clock.now())

    def longest_ms(self, record: RunRecord) -> dict[str, float]:
        """The longest stall of each kind while something was measured: connecting is part of no measure."""
        began = min((chunk.inference_start for turn in record.turns for chunk in turn.chunks), default=record.started)
        longest: dict[str, float] = {}
        for stall in self._stalls:
            lasted = stall.within_ms(began, record.ended)
            longest[stall.what] = max(longest.get(stall.what, 0.0), lasted)
        return longest

    def judge(self, record: RunRecord) -> RunRecord:
        """Return the record, with a doubt for each kind of stall that was over the limit while it was measured."""
        doubts = tuple(
            f"{what} of {lasted:.0f} ms (limit {self._max_lag_ms:g} ms)"
            for what, lasted in self.longest_ms(record).items()
            if lasted > self._max_lag_ms
        )
        return replace(record, doubts=record.doubts + doubts) if doubts else record

    def _schedule_tick(self) -> None:
        self._due = self._clock.now() + round(TICK_S * 1e9)
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._note("event-loop lag", self._due, self._clock.now())
        self._schedule_tick()

    def _on_collection(self, phase: str, _info: dict[str, Any]) -> None:
        if phase == "start":
            self._collecting = self._clock.now()
        elif self._collecting is not None:
            self._note("garbage collection", self._collecting, self._clock.now())
            self._collecting = None

    def _note(self, what: str, start: int, end: int) -> None:
        if end - start > NS_A_MS:
            self._stalls.append(Stall(what, start, end))
