"""The daemon's verdicts on drift, kept from one look to the next: only the first costs 30 ms per series."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from time import monotonic

from probe.drift import Monitor, Verdict
from probe.history.drift_states import DriftStates, catch_up, saved
from probe.history.reader import HistoryReader


@dataclass(frozen=True, slots=True)
class _Known:
    """A series' detector, the number of the last run that it has seen, and when the daemon saved what it came from."""

    monitor: Monitor
    seen: int
    saved_at: int


class Verdicts:
    """For one process, and one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Known] = {}

    @property
    def known(self) -> Mapping[tuple[str, str], Verdict]:
        """How things stood, when it was refreshed last, with each series that the daemon has saved a state of."""
        return {series: each.monitor.verdict() for series, each in self._known.items()}

    def refresh(self, reader: HistoryReader, at_most_s: float = inf) -> None:
        """Follow the history, and what the daemon has saved, for so long: the rest follows next time.

        Raises HistoryError.
        """
        until = monotonic() + at_most_s
        states = DriftStates(reader.path.parent)
        before, self._known = self._known, {}
        for series in reader.series():
            saved_at = states.saved_at(*series)
            known = before.get(series)
            if saved_at is None:
                continue
            if monotonic() > until:
                if known is not None:
                    self._known[series] = known
                continue
            if known is None or known.saved_at != saved_at:
                # The daemon may have started it again, by other settings.
                found = saved(reader, *series)
                known = None if found is None else _Known(*found, saved_at)
            if known is not None:
                seen = catch_up(reader, *series, known.monitor, known.seen)
                self._known[series] = _Known(known.monitor, seen, saved_at)
