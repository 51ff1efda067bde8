"""How things stand now, from the history: what `probe top` and the page *Now* look at again and again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from probe.config.expected import NextRun
from probe.drift import Verdict
from probe.history.reader import HistoryReader
from probe.history.recent import recent
from probe.history.silences import Silences
from probe.history.verdicts import Verdicts
from probe.history.whole_waits import WholeWaits
from probe.recent import Recent
from probe.report.now import Now, Series, now


@dataclass(slots=True)
class Overview:
    """The history is read only where a run has finished since the last look. For one thread at a time.

    `target` limits it to one. `next_runs` are those of a configuration, None where there is none.
    """

    target: str | None = None
    next_runs: Mapping[Series, NextRun] | None = None
    _series: Sequence[Recent] = ()
    # The number of the last run that was read, and of the history that it is in.
    _newest: int = -1
    _of: tuple[Path, int] | None = None
    _verdicts: Verdicts = field(default_factory=Verdicts)
    _silences: Silences = field(default_factory=Silences)
    _whole_waits: WholeWaits = field(default_factory=WholeWaits)
    # When the last look was.
    _at: int = 0

    def look(self, reader: HistoryReader, at: int) -> bool:
        """Read what is new; False where nothing is. Raises HistoryError."""
        newest, of = reader.newest(), (reader.path, reader.path.stat().st_ino)
        if (newest, of) == (self._newest, self._of):
            return False
        if of != self._of:
            self._verdicts, self._silences, self._whole_waits = Verdicts(), Silences(), WholeWaits()
        self._series = [each for each in recent(reader, at) if self.target in (None, each.target)]
        self._newest, self._of, self._at = newest, of, at
        return True

    def judge(self, reader: HistoryReader, at_most_s: float = inf, first: Series | None = None) -> bool:
        """Have the verdicts on drift follow, and the silences of the last runs: the first time takes 100 ms per series.

        Each ends after so many seconds, with one verdict at least: of the series `first`, where one is given.
        Returns whether all is done. Raises HistoryError.
        """
        judged = self._verdicts.refresh(reader, at_most_s, first)
        silent = self._silences.refresh(reader, at_most_s)
        return self._whole_waits.refresh(reader, self._series, self._at, at_most_s) and silent and judged

    @property
    def verdicts(self) -> Mapping[Series, Verdict]:
        """Those that are known."""
        return self._verdicts.known

    def now(self, at: int) -> Now:
        """As of the last look, at this time (nanoseconds since the epoch)."""
        silences = {
            series: self._silences.worst(series) for series in ((each.target, each.scenario) for each in self._series)
        }
        return now(self._series, self._verdicts.known, at, self.next_runs, silences, self._whole_waits.known)


def _name(recent: Recent) -> Series:
    return recent.target, recent.scenario
