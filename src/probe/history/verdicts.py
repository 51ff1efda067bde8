"""The daemon's verdicts on drift, kept from one look to the next: only the first costs 30 ms per series."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf
from time import monotonic

from probe.drift import Monitor, Verdict
from probe.history.drift_states import DriftStates, catch_up, saved
from probe.history.reader import HistoryReader

# A detector takes more than a megabyte: of further series it is read again when a run has come.
MOST_HELD = 6


@dataclass(frozen=True, slots=True)
class _Known:
    """A series' detector, the number of the last run that it has seen, and when the daemon saved what it came from.

    The verdict is that of the detector, which takes 10 ms to say. The detector is None where only that is held.
    """

    monitor: Monitor | None
    seen: int
    saved_at: int
    verdict: Verdict


class Verdicts:
    """For one process, and one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Known] = {}

    @property
    def known(self) -> Mapping[tuple[str, str], Verdict]:
        """How things stood, when it was refreshed last, with each series that the daemon has saved a state of."""
        return {series: each.verdict for series, each in self._known.items()}

    def refresh(self, reader: HistoryReader, at_most_s: float = inf, first: tuple[str, str] | None = None) -> bool:
        """Follow the history, and what the daemon has saved; what is not done after this time follows next time.

        `first` is the series that comes first. Returns whether every series was followed once. Raises HistoryError.
        """
        until = monotonic() + at_most_s
        states = DriftStates(reader.path.parent)
        before, self._known = self._known, {}
        done = True
        # Those that are not known, then those that were not followed for longest.
        seen = {series: each.seen for series, each in before.items()}
        for series in sorted(reader.series(), key=lambda each: (each != first, seen.get(each, -1))):
            known = before.get(series)
            if not self._known or monotonic() < until:
                known = _followed(reader, states, series, known)
            elif known is None:
                done = False
            if known is not None:
                held = sum(each.monitor is not None for each in self._known.values())
                self._known[series] = known if held < MOST_HELD else replace(known, monitor=None)
        return done


def _followed(
    reader: HistoryReader, states: DriftStates, series: tuple[str, str], known: _Known | None
) -> _Known | None:
    saved_at = states.saved_at(*series)
    if saved_at is None:
        return None
    is_same = known is not None and known.saved_at == saved_at
    if known is not None and is_same and not reader.page(*series, 0, known.seen):
        return known
    # The daemon may have started it again, by other settings.
    monitor, seen = (known.monitor, known.seen) if known is not None and is_same else (None, 0)
    if monitor is None:
        found = saved(reader, *series)
        if found is None:
            return None
        monitor, seen = found
    seen = catch_up(reader, *series, monitor, seen)
    return _Known(monitor, seen, saved_at, monitor.verdict())
