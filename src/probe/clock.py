"""The run's clock: one look at the wall, then monotonic nanoseconds."""

import time
from dataclasses import dataclass
from typing import Protocol, Self


class Clock(Protocol):
    """Where timestamps come from; tests bring their own."""

    def now(self) -> int:
        """Nanoseconds since the epoch, never stepping back."""


@dataclass(frozen=True, slots=True)
class AnchoredClock:
    """The wall clock as it stood once, moved on by the monotonic one: a step of the wall clock changes nothing."""

    wall_ns: int
    monotonic_ns: int

    @classmethod
    def anchored_now(cls) -> Self:
        return cls(time.time_ns(), time.monotonic_ns())

    def now(self) -> int:
        return self.wall_ns + time.monotonic_ns() - self.monotonic_ns
