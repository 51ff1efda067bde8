"""The history, with each run looked at for drift as soon as it is kept."""

import threading
from collections.abc import Callable

from probe.daemon.drift_sink import DriftSink
from probe.drift import Change
from probe.history.writer import History, Pruned
from probe.record import RunRecord


class WatchedHistory:
    """What `Dispatch` saves to. Whoever finds a run in the history may ask at once what drift it gave away."""

    def __init__(self, history: History, drift: DriftSink, on_error: Callable[[str, str], None]) -> None:
        self._history = history
        self._drift = drift
        self._on_error = on_error
        # A run that can be read is one that has been looked at, for those who ask `found_with`.
        self._keeping = threading.Lock()

    def append(self, record: RunRecord) -> None:
        """Keep a run, then look at it: in the order in which the history has them, and each once."""
        with self._keeping:
            self._history.append(record)
            try:
                self._drift.look(record)
            except Exception as error:  # noqa: BLE001 - whatever drift does, the run is kept
                self._on_error(self._drift.name, f"{type(error).__name__}: {error}")

    def found_with(self, run_id: str) -> Change | None:
        """The change that a run gave away, if it did."""
        with self._keeping:
            return self._drift.found_with(run_id)

    def prune(self, now: int) -> Pruned:
        return self._history.prune(now)

    def close(self) -> None:
        self._history.close()
