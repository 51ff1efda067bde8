"""Writes each run to the history, in order, in a thread of its own; runs that the history refuses wait in memory.

While the history works nothing is ever dropped: the caller waits until its run is on disk. While it does not
(a disk that is full or hangs, a lock, a damaged file) nobody waits, and the runs do, up to a bound.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from probe.daemon.sink_lock import one_at_a_time
from probe.history.file import HistoryError
from probe.record import RunRecord

HISTORY = "history"
# Without their audio they take some 50 kB each.
MOST_WAITING = 1000
# A history that refused a run is asked again after so long, and then less and less often.
RETRY_S = 2.0
LONGEST_RETRY_S = 30.0
# How often to see whether the history's files are still there.
LOOK_S = 5.0


class Saver(Protocol):
    """The part of the history's interface that is used here."""

    def append(self, record: RunRecord) -> None:
        """Keep a run. One that raises HistoryError is offered again; any other error says that it can't be kept."""

    def prune(self, now: int) -> object:
        """Called after each run with its end (nanoseconds since the epoch): forget what is too old."""

    def look(self) -> None:
        """Called now and then: see whether the files are still there."""

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A run to be kept. `settled` is called in the keeper's thread when it is kept, and whenever it is refused."""

    record: RunRecord
    settled: Callable[[], None]


class Keeper:
    """`on_error(sink, what)` is called from any thread; it must return at once and not raise."""

    def __init__(self, history: Saver, on_error: Callable[[str, str], None]) -> None:
        self._history = history
        self._on_error = on_error
        self._waiting: deque[Waiting] = deque()
        # The one of them that is at the disk.
        self._offered: Waiting | None = None
        self._changed = threading.Condition()
        self._ending = False
        self._pause_s = self._retry_at = 0.0
        # How many runs have been kept: a history that is slow is none that stands still.
        self.kept = 0
        # Whether the history refused the last run, or took too long for it.
        self.in_trouble = False
        self._thread = threading.Thread(target=self._work, name=f"sink-{HISTORY}", daemon=True)
        self._thread.start()

    def put(self, waiting: Waiting) -> None:
        """Have a run kept."""
        lost = None
        with self._changed:
            self._waiting.append(waiting)
            if self.in_trouble and len(self._waiting) > MOST_WAITING:
                # The first may be at the disk just now.
                lost = self._waiting[1]
                del self._waiting[1]
            self._changed.notify()
        if lost is not None:
            self._on_error(HISTORY, f"run {lost.record.plan.run_id} is lost: {MOST_WAITING} wait in memory already")

    def amend(self, run_id: str, amended: Callable[[RunRecord], RunRecord]) -> bool:
        """Replace the record of a run that waits to be kept; False where there is none that does."""
        with self._changed:
            for at, each in enumerate(self._waiting):
                if each.record.plan.run_id == run_id and each is not self._offered:
                    self._waiting[at] = replace(each, record=amended(each.record))
                    return True
        return False

    def give_up(self, why: str) -> None:
        """The history stands still: nobody waits for it until it has kept a run again."""
        self.in_trouble = True
        self._on_error(HISTORY, why)
        self._settle_all()

    def finish(self, _until: float) -> None:
        """End the thread after one more attempt to keep what is waiting."""
        with self._changed:
            self._ending = True
            self._changed.notify()

    def join(self, until: float) -> None:
        self._thread.join(max(0.0, until - time.monotonic()))
        if left := len(self._waiting):
            self._on_error(HISTORY, f"{left} runs are lost: the history could not be written until the end")

    def _work(self) -> None:
        while not self._ending:
            if self._is_one_due():
                with one_at_a_time():
                    self._offer()
            else:
                self._guarded(self._history.look)
        self.in_trouble = False
        while self._waiting and not self.in_trouble:
            self._offer()

    def _is_one_due(self) -> bool:
        """Whether a run should be offered, once one should; False where it is time to look at the files, or to end."""
        look_at = time.monotonic() + LOOK_S
        with self._changed:
            while not self._ending and (now := time.monotonic()) < look_at:
                if self._waiting and now >= self._retry_at:
                    return True
                until = min(look_at, self._retry_at) if self._waiting else look_at
                self._changed.wait(until - now)
        return False

    def _offer(self) -> None:
        """Have the oldest run kept."""
        with self._changed:
            item = self._offered = self._waiting[0]
        try:
            self._history.append(item.record)
        except HistoryError as error:
            self._pause_s = min(max(2 * self._pause_s, RETRY_S), LONGEST_RETRY_S)
            self._retry_at = time.monotonic() + self._pause_s
            self._offered = None
            self.give_up(f"HistoryError: {error}")
            return
        except Exception as error:  # noqa: BLE001 - what can't be kept must not hold up the runs after it
            self._on_error(HISTORY, f"run {item.record.plan.run_id} is lost: {type(error).__name__}: {error}")
        else:
            self._pause_s = 0.0
            self.in_trouble = False
        with self._changed:
            self._waiting.remove(item)
            self._offered = None
            self.kept += 1
        item.settled()
        self._guarded(lambda: self._history.prune(item.record.ended))

    def _settle_all(self) -> None:
        """Nobody waits for a history that refuses runs."""
        with self._changed:
            waiting = [*self._waiting]
        for each in waiting:
            each.settled()

    def _guarded(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever the history does, runs go on
            self._on_error(HISTORY, f"{type(error).__name__}: {error}")


def without_audio(record: RunRecord) -> RunRecord:
    """A sink that is behind keeps many records: without their samples they are small."""
    if not any(chunk.pcm for turn in record.turns for chunk in turn.chunks):
        return record
    turns = (replace(turn, chunks=tuple(replace(chunk, pcm=b"") for chunk in turn.chunks)) for turn in record.turns)
    return replace(record, turns=tuple(turns))
