"""Unit tests run on virtual time: a wait costs nothing, and every timestamp is exact."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

T = TypeVar("T")

# An example may take as long as the machine takes for it. `make fuzz`: as many examples as somebody has time for.
settings.register_profile("quick", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=30)
# `make test-long` and `make fuzz` look further.
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=300)
settings.register_profile("fuzz", settings.get_profile("quick"), max_examples=10_000)
settings.load_profile("quick")


class _InstantSelector(selectors.SelectSelector):
    """Passes the time that it was asked to wait, at once."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("deadlock: everybody waits and nothing is due")
        if not ready and timeout:
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only when everybody waits."""

    def __init__(self) -> None:
        self._instant = _InstantSelector()
        super().__init__(self._instant)

    def time(self) -> float:
        return self._instant.passed


@dataclass(frozen=True)
class LoopClock:
    """The virtual loop's time as nanoseconds since an epoch of its own."""

    loop: VirtualLoop
    epoch: int = 1_700_000_000_000_000_000

    def now(self) -> int:
        return self.epoch + round(self.loop.time() * 1e9)


@dataclass(frozen=True)
class VirtualTime:
    loop: VirtualLoop
    clock: LoopClock

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)


@pytest.fixture
def virtual() -> Any:
    loop = VirtualLoop()
    yield VirtualTime(loop, LoopClock(loop))
    loop.close()


Callback = Callable[[], None]
