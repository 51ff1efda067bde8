"""Passes each finished run to the sinks: the history first, then every other sink through its own queue and thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from probe.daemon.keeper import HISTORY, Keeper, Saver, Waiting, without_audio
from probe.daemon.sink_lock import one_at_a_time
from probe.record import RunRecord
from probe.transcription import Transcription

OnError = Callable[[str, str], None]
T = TypeVar("T")

# A disk that hangs must not stop the daemon from measuring: for so long nothing is written before nobody waits for it.
HISTORY_PATIENCE_S = 2.0
# To close a file that is whole already.
_CLOSE_S = 0.5


class Sink(Protocol):
    """A reader of finished runs."""

    # The label of voice_probe_sink_errors_total{sink}.
    name: str

    def write(self, record: RunRecord) -> None:
        """Take one record. Called in the sink's own thread, one at a time; may block, may raise."""

    def close(self, timeout_s: float) -> None:
        """Called once in the sink's own thread, after the last write; must return within `timeout_s`."""


class Dispatch:
    """Compose at start-up, with the daemon's event loop not needed yet:

        dispatch = Dispatch(History(state_dir), [spans, metrics, log], on_error=report)
        await dispatch.submit(record)      after each run
        await dispatch.drain(timeout_s)    once, at shutdown; nothing may be submitted after it

    `on_error(sink, what)` is called from any thread whenever a sink raised, or a record could not be given to it: count
    and log it. It must return at once and not raise.
    """

    def __init__(
        self,
        history: Saver,
        sinks: Sequence[Sink],
        *,
        on_error: OnError,
        queue_size: int = 1000,
    ) -> None:
        self._history = history
        self._on_error = on_error
        self._others = [_Worker(sink.name, sink.write, sink.close, queue_size, on_error) for sink in sinks]
        self._keeper = Keeper(history, on_error)

    async def submit(self, record: RunRecord) -> None:
        """Return when the run is on disk; the other sinks get it then. Never raises, never waits for a slow sink.

        Where the history can't be written, or stands still for `HISTORY_PATIENCE_S`, that is an error of the sink
        `history`, and the others get the record anyway. Until it works again nobody waits for it.
        """
        loop = asyncio.get_running_loop()
        saved: asyncio.Future[None] = loop.create_future()
        hand_on = _HandOn(record, self._others)

        def settled() -> None:
            hand_on()
            _resolve(loop, saved)

        self._keeper.put(Waiting(without_audio(record), settled))
        await self._patiently(saved, record.plan.run_id)
        hand_on()

    def add_transcription(self, run_id: str, found: Transcription) -> bool:
        """Keep it with a run that the history has refused so far; False where it has refused no such run."""
        return self._keeper.amend(run_id, lambda record: replace(record, transcription=found))

    async def _patiently(self, saved: asyncio.Future[None], run_id: str) -> None:
        while not self._keeper.in_trouble:
            kept = self._keeper.kept
            with suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(saved), HISTORY_PATIENCE_S)
            if self._keeper.kept == kept:
                self._keeper.give_up(f"run {run_id} not written within {HISTORY_PATIENCE_S:g} s; it waits in memory")
        return None

    async def drain(self, timeout_s: float, history_s: float = 0.0) -> None:
        """Let the queues run empty, then close the sinks; items that are not done after `timeout_s` are dropped.

        The history may take longer, `history_s`, where many runs wait for it.
        """
        start = time.monotonic()
        # A disk that hangs must leave the others some of the time.
        await _finish([self._keeper], start + max(history_s, timeout_s / 2))
        await _finish(self._others, max(start + timeout_s, time.monotonic() + timeout_s / 2))
        closing = _Worker[None](HISTORY, lambda _nothing: None, lambda _s: self._history.close(), 1, self._on_error)
        await _finish([closing], max(start + timeout_s, time.monotonic() + _CLOSE_S))


class _HandOn:
    """Gives a record to the sinks: once, whether the history is quick or late. Then it holds the record no longer."""

    def __init__(self, record: RunRecord, workers: "Sequence[_Worker[RunRecord]]") -> None:
        self._record: RunRecord | None = record
        self._workers = workers
        self._lock = threading.Lock()

    def __call__(self) -> None:
        with self._lock:
            record, self._record = self._record, None
        if record is not None:
            for worker in self._workers:
                worker.offer(record)


def _resolve(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
    def set_result() -> None:
        if not future.done():
            future.set_result(None)

    # The loop may be gone by the time a stuck disk answers.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(set_result)


async def _finish(workers: "Sequence[_Worker[Any] | Keeper]", until: float) -> None:
    for worker in workers:
        worker.finish(until)
    await asyncio.gather(*(asyncio.to_thread(worker.join, until) for worker in workers))


class _Worker(Generic[T]):
    """A bounded queue, and a thread that gives its items to `take` one by one.

    The thread is a daemon thread: one that blocks permanently must not keep the process from ending.
    """

    def __init__(
        self,
        name: str,
        take: Callable[[T], None],
        close: Callable[[float], None],
        size: int,
        on_error: OnError,
    ) -> None:
        self._name = name
        self._take = take
        self._close = close
        self._size = size
        self._on_error = on_error
        # Bounded by `offer` and not by itself, so that the end mark always fits.
        self._queue: SimpleQueue[T | None] = SimpleQueue()
        self._until = 0.0
        self._taking = self._closing = False
        self._thread = threading.Thread(target=self._work, name=f"sink-{name}", daemon=True)
        self._thread.start()

    def offer(self, item: T) -> bool:
        """Queue an item; False, and an error reported, where the queue is full."""
        if self._queue.qsize() >= self._size:
            self._on_error(self._name, f"dropped a run: {self._size} are waiting already")
            return False
        self._queue.put(item)
        return True

    def finish(self, until: float) -> None:
        """End the thread after what is queued; `close` has until then (monotonic seconds)."""
        self._until = until
        self._queue.put(None)

    def join(self, until: float) -> None:
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            self._on_error(self._name, f"it did not end in time: {self._left()}")

    def _left(self) -> str:
        """What is lost with the thread. The end mark in its queue is no run, the one that it has taken is."""
        left = 0 if self._closing else self._queue.qsize() - 1 + self._taking
        return f"{left} {'run' if left == 1 else 'runs'} not processed" if left else "all runs are processed"

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            self._taking = True
            with one_at_a_time():
                self._guarded(self._take, item)
            self._taking = False
        self._closing = True
        self._guarded(self._close, max(0.0, self._until - time.monotonic()))

    def _guarded(self, work: Callable[[T], None] | Callable[[float], None], argument: T | float) -> None:
        try:
            work(argument)  # type: ignore[arg-type]  # each is called with its own argument
        except Exception as error:  # noqa: BLE001 - whatever a sink does, the others and the runs go on
            self._on_error(self._name, f"{type(error).__name__}: {error}")
