"""Reads the machine before, during and after a run, in threads of its own; no run waits for a reading that hangs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

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
    """What is read before a run, during it, and after it. Each of it may hang, and raise anything.

    One thread reads for all runs, however many there are at once: of one that hangs nothing but this thread is lost.
    """

    def __init__(self, name: str, first: Callable[[], T], brief: Callable[[], T], last: Callable[[], T]) -> None:
        self.name = name
        self.first = first
        self.brief = brief
        self.last = last
        self._wanted: SimpleQueue[Callable[[], T]] = SimpleQueue()
        # Readings that have not begun yet.
        self._asked: dict[Callable[[], T], Future[T | None]] = {}
        self._lock = threading.Lock()
        self._has_thread = False
        self._began: float | None = None

    @property
    def hangs(self) -> bool:
        """Whether a reading has exceeded its deadline."""
        began = self._began
        return began is not None and time.monotonic() - began > PATIENCE_S

    def ask(self, kind: Callable[[], T]) -> Future[T | None]:
        """A reading that begins after this call; runs that ask at once share it. None where nothing can read."""
        with self._lock:
            answer = None if self.hangs else self._asked.get(kind)
            if answer is None:
                answer = Future()
                # One run that no longer waits must not cancel it for the others.
                answer.set_running_or_notify_cancel()
                if self.hangs or not self._can_read():
                    answer.set_result(None)
                else:
                    self._asked[kind] = answer
                    self._wanted.put(kind)
            return answer

    def _can_read(self) -> bool:
        if not self._has_thread:
            try:
                threading.Thread(target=self._work, name=f"machine-{self.name}", daemon=True).start()
            except RuntimeError:  # no thread can be started
                return False
            self._has_thread = True
        return True

    def _work(self) -> None:
        while True:
            kind = self._wanted.get()
            with self._lock:
                answer = self._asked.pop(kind)
            self._began = time.monotonic()
            found = _attempted(kind)
            self._began = None
            answer.set_result(found)


def _attempted(kind: Callable[[], T]) -> T | None:
    try:
        return kind()
    except Exception:  # noqa: BLE001 - a figure of the machine is never worth a run
        return None


class _Sampling(Generic[T]):
    """The readings of one source during one run, on the run's event loop."""

    def __init__(self, source: Source[T]) -> None:
        self._source = source
        self._loop = asyncio.get_running_loop()
        self._readings = [source.ask(source.first)]
        self._timer = self._loop.call_later(EVERY_S, self._again)

    @property
    def newest(self) -> Future[T | None]:
        return self._readings[-1]

    def _again(self) -> None:
        self._readings.append(self._source.ask(self._source.brief))
        if len(self._readings) < _MOST_READINGS:
            self._timer = self._loop.call_later(EVERY_S, self._again)

    def stop(self) -> None:
        self._timer.cancel()

    def finish(self) -> None:
        """Have the last reading taken."""
        self.stop()
        self._readings.append(self._source.ask(self._source.last))

    def found(self) -> list[T]:
        """The readings until now; later ones are dropped."""
        answers = [each.result() for each in self._readings if each.done()]
        return [each for each in answers if each is not None]


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
        host = None if self._host is None else _Sampling(self._host)
        gpus = None if self._gpus is None else _Sampling(self._gpus)
        both = [each for each in (host, gpus) if each is not None]
        try:
            await _patiently(each.newest for each in both)
            yield watched
            for each in both:
                each.finish()
            await _patiently(each.newest for each in both)
            watched.state = machine_state(host.found() if host else (), gpus.found() if gpus else ())
        finally:
            for each in both:
                each.stop()


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


async def _patiently(awaited: Iterable[Future[Any]]) -> None:
    waits = [asyncio.wrap_future(each) for each in awaited]
    try:
        if waits:
            await asyncio.wait(waits, timeout=PATIENCE_S)
    finally:
        for each in waits:
            # Its loop may be closed by the time that there is an answer.
            each.cancel()
