"""llama.cpp's slots: each holds the KV cache of one stream."""

import asyncio
import time
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Slot:
    """One slot; its next request has to wait until `ready_at`, on the monotonic clock."""

    index: int
    ready_at: float = 0.0

    async def cooled_down(self) -> None:
        await asyncio.sleep(max(0.0, self.ready_at - time.monotonic()))

    def cool_down(self, seconds: float) -> None:
        self.ready_at = time.monotonic() + seconds


class Slots:
    """The slots that no stream owns, out of `size`; the one used last is taken first, its cache may still serve."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = [Slot(index) for index in reversed(range(size))]

    @property
    def taken(self) -> int:
        return self.size - len(self.free)

    def take(self) -> Slot | None:
        return self.free.pop() if self.free else None

    def give_back(self, slot: Slot) -> None:
        self.free.append(slot)
