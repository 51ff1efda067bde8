"""The history, with each run looked at for drift just before it is kept."""

from collections import deque
from collections.abc import Callable

from probe.record import RunRecord
from probe.sinks.drift import DriftSink
from probe.sinks.history import History, Pruned

# More than `Dispatch` keeps for a history that refuses them.
_OFFERED_AGAIN = 200


class WatchedHistory:
    """What `Dispatch` saves to. Whoever finds a run in the history can ask at once what drift it gave away."""

    def __init__(self, history: History, drift: DriftSink, on_error: Callable[[str, str], None]) -> None:
        self._history = history
        self._drift = drift
        self._on_error = on_error
        self._looked_at: deque[str] = deque(maxlen=_OFFERED_AGAIN)

    def append(self, record: RunRecord) -> None:
        """Look at a run, and keep it. One that could not be kept is offered again, and is looked at once."""
        if record.plan.run_id not in self._looked_at:
            self._looked_at.append(record.plan.run_id)
            try:
                self._drift.look(record)
            except Exception as error:  # noqa: BLE001 - whatever drift does, the run is kept
                self._on_error(self._drift.name, f"{type(error).__name__}: {error}")
        self._history.append(record)

    def prune(self, now: int) -> Pruned:
        return self._history.prune(now)

    def close(self) -> None:
        self._history.close()
