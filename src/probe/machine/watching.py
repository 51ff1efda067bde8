"""The machine is read in threads of its own, before, during and after a run, and no run waits for one that hangs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeVar

from probe.machine import gpu
from probe.machine.gpu import GpuReading
from probe.machine.host import Host
from probe.machine.state import MachineState
from probe.machine.summary import HostReading, machine_state

# Within a run, a reading costs some tens of microseconds.
EVERY_S = 1.0
# For how long a run waits for its first reading, and its record for the last. They take some milliseconds.
PATIENCE_S = 0.1
# A run is minutes at most, and a figure of its first ten is as good.
_MOST_READINGS = 600

T = TypeVar("T")


class Source(Generic[T]):
    """What is read before a run, during it, and after it. Each of it may hang, and raise anything."""

    def __init__(self, name: str, first: Callable[[], T], brief: Callable[[], T], last: Callable[[], T]) -> None:
        self.name = name
        self.first = first
        self.brief = brief
        self.last = last
        # When each reading that goes on began, by its thread.
        self._going: dict[int, float] = {}

    @property
    def hangs(self) -> bool:
        """Whether a reading takes longer than anybody waits for it: then no further thread is sacrificed."""
        now = time.monotonic()
        return any(now - began > PATIENCE_S for began in list(self._going.values()))

    def read(self, kind: Callable[[], T]) -> T | None:
        """One reading; None where it fails. For one thread at a time of those that are known here."""
        self._going[threading.get_ident()] = time.monotonic()
        try:
            return kind()
        except Exception:  # noqa: BLE001 - a figure of the machine is never worth a run
            return None
        finally:
            del self._going[threading.get_ident()]


class Sampling(Generic[T]):
    """The readings of one source during one run."""

    def __init__(self, source: Source[T]) -> None:
        self._source = source
        self._found: list[T] = []
        self._over = threading.Event()
        self.first: Future[None] = Future()
        self.last: Future[None] = Future()
        try:
            threading.Thread(target=self._work, name=f"machine-{source.name}", daemon=True).start()
        except RuntimeError:  # no thread can be started
            self.first.set_result(None)
            self.last.set_result(None)

    @property
    def hangs(self) -> bool:
        return self._source.hangs

    def end(self) -> None:
        """Have the last reading taken."""
        self._over.set()

    def so_far(self) -> list[T]:
        """What has been read until now: the thread may go on, and its later readings are nobody's."""
        return list(self._found)

    def _work(self) -> None:
        self._take(self._source.first)
        _settle(self.first)
        for _ in range(_MOST_READINGS):
            if self._over.wait(EVERY_S):
                break
            self._take(self._source.brief)
        self._over.wait()
        self._take(self._source.last)
        _settle(self.last)

    def _take(self, kind: Callable[[], T]) -> None:
        found = self._source.read(kind)
        if found is not None:
            self._found.append(found)


class Watched:
    """What a run leaves: the machine during it, once that is over."""

    state: MachineState | None = None


class Machine:
    """This machine, opened once per process."""

    def __init__(self, host: Source[HostReading] | None, gpus: Source[GpuReading] | None) -> None:
        self._host = host
        self._gpus = gpus

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Watched]:
        """Read the machine while the body lasts; what it was like is known when that has ended."""
        watched = Watched()
        host, gpus = _begun(self._host), _begun(self._gpus)
        both = [each for each in (host, gpus) if each is not None]
        try:
            await _patiently(each.first for each in both)
            yield watched
            for each in both:
                each.end()
            await _patiently(each.last for each in both if not each.hangs)
            watched.state = machine_state(host.so_far() if host else (), gpus.so_far() if gpus else ())
        finally:
            for each in both:
                each.end()


def opened() -> Machine:
    """This machine. Its GPUs are looked for where there is NVIDIA's library and the module that reads it."""
    host = Host()
    module = gpu.nvml() if gpu.library_found() else None
    gpus = None if module is None else gpu.Gpus(module)
    return Machine(
        Source(
            "host",
            lambda: HostReading(time.monotonic(), host.levels(), host.counters()),
            lambda: HostReading(time.monotonic(), host.levels()),
            lambda: HostReading(time.monotonic(), host.levels(), host.counters(), host.conditions()),
        ),
        None if gpus is None else Source("gpu", gpus.first, gpus.brief, gpus.last),
    )


def _begun(source: Source[T] | None) -> Sampling[T] | None:
    return None if source is None or source.hangs else Sampling(source)


async def _patiently(awaited: Iterable[Future[None]]) -> None:
    waits = [asyncio.wrap_future(each) for each in awaited]
    if waits:
        _, left_behind = await asyncio.wait(waits, timeout=PATIENCE_S)
        for each in left_behind:
            # Its loop may be closed by the time that there is an answer.
            each.cancel()


def _settle(future: Future[None]) -> None:
    """Whoever waits for it may have left, and its loop may be closed."""
    with suppress(Exception):
        future.set_result(None)
