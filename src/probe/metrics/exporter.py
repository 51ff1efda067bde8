"""Sends what the metrics page shows to a collector, at intervals.

An export that fails is not repeated: the next one has everything that it had. Values are read when they are sent, so
nothing waits in memory while a collector is away.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Protocol

from probe.metrics.daemon import OTLP_METRICS
from probe.metrics.exposition import Part
from probe.metrics.otlp import MetricsCollector, export_request
from probe.metrics.points import TEMPORALITIES, Delivered, Point, points
from probe.metrics.registry import Metrics
from probe.otlp.collector import RefusedError, UnavailableError
from probe.otlp.complaints import Complaints, Report
from probe.record import RunRecord

# Receivers take 4 MB over gRPC unless configured otherwise; this is a quarter of it.
POINTS_PER_REQUEST = 2000
LONGEST_CLOSE_S = 5.0


class Source(Protocol):
    """The part of the metrics' interface that this sink uses."""

    def write(self, record: RunRecord) -> None: ...

    def parts(self) -> Sequence[Part]: ...


class MetricsExport:
    """The metrics' sink, if they are sent too: so the last export has the last run.

    `attributes` describe where it runs, and `temporality` is OpenTelemetry's: `cumulative` or `delta`.
    `on_error` is called with an export that failed, and `on_repeat` in its place where the one before failed for the
    same reason, both from a thread of the sink.
    """

    name = Metrics.name

    def __init__(
        self,
        metrics: Source,
        collector: MetricsCollector,
        version: str,
        *,
        attributes: Mapping[str, str],
        temporality: str,
        every_s: float,
        on_error: Report,
        on_repeat: Report,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._metrics = metrics
        self._collector = collector
        self._version = version
        self._attributes = attributes
        self._temporality = temporality
        self._every_s = every_s
        self._now_ns = now_ns
        self._complaints = Complaints(OTLP_METRICS, on_error, on_repeat)
        self._delivered = Delivered()
        self._start = now_ns()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="metrics-export", daemon=True)
        self._thread.start()

    def write(self, record: RunRecord) -> None:
        """Count a run; it is sent with the next export."""
        self._metrics.write(record)

    def close(self, timeout_s: float) -> None:
        """Stop: what a collector that is there can take within `timeout_s`, and 5 s at most, it still gets."""
        self._closing.set()
        self._thread.join(min(timeout_s, LONGEST_CLOSE_S))

    def _work(self) -> None:
        pause = self._every_s
        while not self._closing.wait(pause):
            pause = max(self._every_s, self._export())
        if pause == self._every_s:
            self._export()

    def _export(self) -> float:
        """Send everything; how long to wait for the next attempt at least, in seconds."""
        try:
            self._send_all()
        except UnavailableError as error:
            self._complaints.add(str(error), str(error))
            return error.retry_after_s
        except Exception as error:  # noqa: BLE001 - what goes wrong here must not end the thread
            self._complaints.add(str(error), f"{type(error).__name__}: {error}")
        return 0.0

    def _send_all(self) -> None:
        now = self._now_ns()
        # The clock may have been set back. A start that moved with it would say at each export that all began again.
        self._start = min(self._start, now)
        found = points((part.registry for part in self._metrics.parts()), self._start, now)
        lost = 0
        for batch in _batched(found, POINTS_PER_REQUEST):
            lost += self._send(batch)
            self._delivered.add(batch)
        if not lost:
            self._complaints.clear()

    def _send(self, batch: Sequence[Point]) -> int:
        """Send some points; how many of them the collector will never take. Raises UnavailableError."""
        read = TEMPORALITIES[self._temporality]
        sent = [read(self._delivered, point) for point in batch]
        try:
            response = self._collector.send(export_request(sent, self._version, self._temporality, self._attributes))
        except RefusedError as error:
            # They are given up, so that they do not hold up those after them.
            self._complaints.add(str(error), str(error))
            return len(sent)
        # A collector may count as it likes, but no more than it was sent.
        rejected: int = min(max(response.partial_success.rejected_data_points, 0), len(sent))
        if rejected:
            why = self._collector.reason(response.partial_success.error_message)
            self._complaints.add(why, f"the collector rejected {rejected} points: {why or 'it does not say why'}")
        return rejected


def _batched(found: Iterable[Point], size: int) -> Iterable[Sequence[Point]]:
    rest = iter(found)
    while batch := tuple(islice(rest, size)):
        yield batch
