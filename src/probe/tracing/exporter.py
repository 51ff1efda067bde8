"""Sends each run's spans to a collector, and missed ones when the collector is back.

The history knows which runs' spans are still to be sent, and spans are made from a record whenever they are needed: a
collector may be away for days, and the daemon may be killed meanwhile. A run counts as sent when the collector has said
so. (Where it took spans and its answer was lost, it gets the same spans, with the same ids, once more.)
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from probe.history.file import HistoryError
from probe.otlp.collector import RefusedError, UnavailableError
from probe.otlp.complaints import Complaints
from probe.record import RunRecord
from probe.tracing import spans
from probe.tracing.otlp import FoundWith, SpanCollector, export_request, later_request
from probe.transcription import Transcription

# Runs in one request.
BATCH = 20
FIRST_BACKOFF_S = 1.0
LONGEST_BACKOFF_S = 60.0
LONGEST_CLOSE_S = 5.0
_MOST_UNSAVED = 100
_NOTHING: Mapping[str, str] = {}


class Source(Protocol):
    """The part of the history's interface that this sink uses."""

    def unsent(self, limit: int) -> list[RunRecord]: ...

    def contains(self, run_id: str) -> bool: ...

    def mark_sent(self, run_ids: Sequence[str]) -> None: ...


class SpanSink:
    """Open the history with `count_spans=spans.count`, or there will be nothing to send.

    `found_with` gives the change that was found with a run, and `attributes` describe where it ran. `on_error` is
    called with an attempt that failed, and `on_repeat` in its place where the one before failed for the same reason;
    `on_dropped` with how many spans will never be sent; all from a thread of the sink.
    """

    name = "spans"

    def __init__(
        self,
        history: Source,
        collector: SpanCollector,
        version: str,
        *,
        on_error: Callable[[str, str], None],
        on_repeat: Callable[[str, str], None],
        on_dropped: Callable[[int], None],
        found_with: FoundWith = lambda _record: (None, ()),
        attributes: Mapping[str, str] = _NOTHING,
        first_backoff_s: float = FIRST_BACKOFF_S,
    ) -> None:
        self._history = history
        self._collector = collector
        self._version = version
        self._complaints = Complaints(self.name, on_error, on_repeat)
        self._on_dropped = on_dropped
        self._found_with = found_with
        self._attributes = attributes
        self._first_backoff_s = first_backoff_s
        self._backoff_s = 0.0
        self._close_until = 0.0
        self._batch = BATCH
        # Runs that the history could not take, and those of them that have been sent: it may get them later.
        self._unsaved: list[RunRecord] = []
        self._sent: set[str] = set()
        # Runs with what was understood of them, whose spans wait in memory alone.
        self._later: list[RunRecord] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._wake.set()
        self._thread = threading.Thread(target=self._work, name="span-export", daemon=True)
        self._thread.start()

    def write(self, record: RunRecord) -> None:
        """Have the run's spans sent. Returns at once, whatever the collector does."""
        if not self._is_saved(record):
            with self._lock:
                self._unsaved.append(record)
                lost = self._unsaved[:-_MOST_UNSAVED]
                del self._unsaved[:-_MOST_UNSAVED]
            for each in lost:
                self._on_dropped(spans.count(each))
        self._wake.set()

    def write_later(self, record: RunRecord, found: Transcription) -> None:
        """Have the span of a transcription sent, which is over after its run. Returns at once."""
        with self._lock:
            self._later.append(replace(record, transcription=found))
            lost = len(self._later[:-_MOST_UNSAVED])
            del self._later[:-_MOST_UNSAVED]
        if lost:
            self._on_dropped(lost)
        self._wake.set()

    def wake(self) -> None:
        """There may be more to send than there was."""
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """Stop sending: what a collector that is there can take within `timeout_s`, and 5 s at most, it still gets."""
        timeout_s = min(timeout_s, LONGEST_CLOSE_S)
        self._close_until = time.monotonic() + timeout_s
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            self._wake.clear()
            self._catch_up(self._closing.is_set)
            self._closing.wait(self._backoff_s)
        if not self._backoff_s:
            self._catch_up(lambda: time.monotonic() > self._close_until)

    def _catch_up(self, stop: Callable[[], bool]) -> None:
        """Send what there is, oldest first. After a failed attempt, say so and how long to wait for the next one."""
        try:
            more = True
            while more and not stop():
                more = self._send_some()
                self._backoff_s = 0.0
        except Exception as error:  # noqa: BLE001 - what goes wrong here must not end the thread
            after = error.retry_after_s if isinstance(error, UnavailableError) else 0.0
            backoff = min(max(2 * self._backoff_s, self._first_backoff_s), LONGEST_BACKOFF_S)
            self._backoff_s = max(backoff, after)
            self._wake.set()
            self._complaints.add(str(error), f"{error}; next attempt in {self._backoff_s:g} s")

    def _send_some(self) -> bool:
        """Send one batch; False where there is nothing to send."""
        with self._lock:
            batch, later = self._unsaved[: self._batch], self._later[: self._batch]
        if later:
            self._send_later(later)
            return True
        if batch:
            if self._deliver(batch):
                self._sent.update(each.plan.run_id for each in batch)
                with self._lock:
                    self._unsaved = [each for each in self._unsaved if each not in batch]
            return True
        batch = self._history.unsent(self._batch)
        new = [each for each in batch if each.plan.run_id not in self._sent]
        if not new or self._deliver(new):
            run_ids = [each.plan.run_id for each in batch]
            self._history.mark_sent(run_ids)
            self._sent.difference_update(run_ids)
        return bool(batch)

    def _send_later(self, batch: Sequence[RunRecord]) -> None:
        """They are few and small: where a collector refuses some, all of them are given up."""
        try:
            response = self._collector.send(later_request(batch, self._version, self._attributes))
        except RefusedError as error:
            self._on_dropped(len(batch))
            self._complaints.add(str(error), f"transcriptions of {len(batch)} answers: {error}")
        else:
            self._note(len(batch), response.partial_success.rejected_spans, response.partial_success.error_message)
        with self._lock:
            self._later = [each for each in self._later if each not in batch]

    def _deliver(self, batch: Sequence[RunRecord]) -> bool:
        """Send some runs; False where they have to be sent one by one, to find out which of them is refused.

        That one is given up, so that it doesn't hold up those after it.
        """
        try:
            response = self._collector.send(export_request(batch, self._version, self._found_with, self._attributes))
        except RefusedError as error:
            if len(batch) > 1:
                self._batch = 1
                return False
            self._batch = BATCH
            self._on_dropped(spans.count(batch[0]))
            self._complaints.add(str(error), f"run {batch[0].plan.run_id}: {error}")
            return True
        sent = sum(spans.count(each) for each in batch)
        self._note(sent, response.partial_success.rejected_spans, response.partial_success.error_message)
        return True

    def _note(self, sent: int, rejected: int, said: str) -> None:
        """Count what the collector rejected: as it likes, but no more than it was sent."""
        rejected = min(rejected, sent)
        if rejected > 0:
            self._on_dropped(rejected)
            why = self._collector.reason(said)
            self._complaints.add(why, f"the collector rejected {rejected} spans: {why or 'it does not say why'}")
        else:
            self._complaints.clear()

    def _is_saved(self, record: RunRecord) -> bool:
        try:
            return self._history.contains(record.plan.run_id)
        except HistoryError:
            return False
