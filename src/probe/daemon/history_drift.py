"""The history, with each run looked at for drift as soon as it is kept."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from probe.daemon.drift_sink import DriftSink
from probe.daemon.keeper import HISTORY
from probe.daemon.state_lock import Held
from probe.drift import Change
from probe.history.writer import History, Pruned
from probe.record import RunRecord


class WatchedHistory:
    """What `Dispatch` saves to, and what spans are made from. A run that can be read has been looked at for drift.

    `on_error(sink, what)` is called where that went wrong, `on_pruned` after each run with what the history holds.
    `held` is what says that its directory is taken.
    """

    def __init__(
        self,
        history: History,
        drift: DriftSink,
        *,
        on_error: Callable[[str, str], None],
        on_pruned: Callable[[Pruned], None] = lambda _pruned: None,
        held: Held | None = None,
    ) -> None:
        self._history = history
        self._drift = drift
        self._on_error = on_error
        self._on_pruned = on_pruned
        self._held = held
        # Held from the moment a run can be read until it has been looked at.
        self._keeping = threading.Lock()

    def append(self, record: RunRecord) -> None:
        """Keep a run, then look at it: in the order in which the history has them, and each once."""
        with self._keeping:
            self._history.append(record)
            try:
                self._drift.look(record)
            except Exception as error:  # noqa: BLE001 - whatever drift does, the run is kept
                self._on_error(self._drift.name, f"{type(error).__name__}: {error}")

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """While this lasts no run is kept: for the moment in which what was read of the history is all there is."""
        with self._keeping:
            yield

    def found_with(self, record: RunRecord) -> tuple[Change | None, Sequence[str]]:
        """The change that was found with this run, None if there was none, and what changed at the same time."""
        with self._keeping:
            found = self._drift.found_with(record.plan.run_id)
        # It may read the history for a second or two, while runs are kept.
        return found, self._drift.beside(record, found)

    def unsent(self, limit: int) -> list[RunRecord]:
        """The oldest runs whose spans can be sent: not before it is known whether a change was found with them."""
        return [each for each in self._history.unsent(limit) if not self._drift.is_rebuilding(each)]

    def contains(self, run_id: str) -> bool:
        return self._history.contains(run_id)

    def mark_sent(self, run_ids: Sequence[str]) -> None:
        self._history.mark_sent(run_ids)

    def prune(self, now: int) -> None:
        self._on_pruned(self._history.prune(now))
        self._keep_directory()

    def look(self) -> None:
        self._history.look()
        self._keep_directory()

    def close(self) -> None:
        self._history.close()

    def _keep_directory(self) -> None:
        """Where its directory was removed the history makes another one, which is not taken yet."""
        if self._held is not None and (complaint := self._held.keep()) is not None:
            self._on_error(HISTORY, complaint)
