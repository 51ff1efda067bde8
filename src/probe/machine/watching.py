"""Reads the machine before, during and after a run, in threads of its own; no run waits for a reading that hangs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import replace
from queue import SimpleQueue
from typing import Generic, TypeVar

from probe.machine import gpu
from probe.machine.gpu import GpuReading
from probe.machine.host import Host
from probe.machine.state import Exporter, MachineState
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

    def __init__(
        self,
        name: str,
        first: Callable[[], T],
        brief: Callable[[], T],
        last: Callable[[], T],
        patience_s: float | None = None,
    ) -> None:
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
        self._patience_s = patience_s
        self._failed = False

    @property
    def hangs(self) -> bool:
        """Whether a reading has exceeded its deadline."""
        began = self._began
        return began is not None and time.monotonic() - began > (self._patience_s or PATIENCE_S)

    @property
    def patience_s(self) -> float:
        """For how long a run waits for a reading: not for one that takes its time, where the one before failed."""
        return PATIENCE_S if self._failed else self._patience_s or PATIENCE_S

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
            self._failed = found is None
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

    async def patiently(self) -> None:
        """Wait for the newest reading, as long as it is worth it."""
        answer = asyncio.wrap_future(self._readings[-1])
        try:
            await asyncio.wait([answer], timeout=self._source.patience_s)
        finally:
            # Its loop may be closed by the time that there is an answer.
            answer.cancel()

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
    """One machine, opened once per process: this one, or another by its exporters, which has a name."""

    def __init__(
        self,
        host: Source[HostReading] | None,
        gpus: Source[GpuReading] | None,
        name: str | None = None,
        exporters: Collection[Exporter] = (),
    ) -> None:
        self.host = host
        self.gpus = gpus
        self.name = name
        self._exporters = exporters

    @property
    def silent(self) -> tuple[str, ...]:
        """What does not answer: its figures are missing until it does."""
        return tuple(each.name for each in (self.host, self.gpus) if each is not None and each.hangs)

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[Watched]:
        """Read the machine while the body lasts; what it was like is known when that has ended."""
        watched = Watched()
        host = None if self.host is None else _Sampling(self.host)
        gpus = None if self.gpus is None else _Sampling(self.gpus)
        both = [each for each in (host, gpus) if each is not None]
        try:
            await asyncio.gather(*(each.patiently() for each in both))
            yield watched
            for each in both:
                each.finish()
            await asyncio.gather(*(each.patiently() for each in both))
            watched.state = self._state(host.found() if host else (), gpus.found() if gpus else ())
        finally:
            for each in both:
                each.stop()

    def _state(self, host: Sequence[HostReading], gpus: Sequence[GpuReading]) -> MachineState | None:
        found = machine_state(host, gpus)
        if not self._exporters:
            return found
        read: dict[Exporter, bool] = {"node": bool(host), "dcgm": bool(gpus)}
        silent = tuple(each for each in self._exporters if not read[each])
        return replace(found or MachineState(), name=self.name, silent=silent)


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
