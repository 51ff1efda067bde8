"""The run's clock: one reading of the wall clock, then monotonic nanoseconds."""

import time
from dataclasses import dataclass
from typing import Protocol, Self


class Clock(Protocol):
    """Where timestamps come from; tests bring their own."""

    def now(self) -> int:
        """Nanoseconds since the epoch, never stepping back."""


class Timeline(Clock, Protocol):
    """A clock that also says what the monotonic one's time is on it: no second look at a clock, which may come late."""

    def at(self, monotonic_ns: int) -> int:
        """The moment at which `time.monotonic_ns()` was that."""


@dataclass(frozen=True, slots=True)
class AnchoredClock:
    """The wall clock as it stood once, moved on by the monotonic one: a step of the wall clock changes nothing."""

    wall_ns: int
    monotonic_ns: int

    @classmethod
    def anchored_now(cls) -> Self:
        return cls(time.time_ns(), time.monotonic_ns())

    def now(self) -> int:
        return self.at(time.monotonic_ns())

    def at(self, monotonic_ns: int) -> int:
        return self.wall_ns + monotonic_ns - self.monotonic_ns
