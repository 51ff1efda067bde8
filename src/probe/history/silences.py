"""The silences inside the speech of the last runs: no column has them, so that each record is read, once."""

from collections.abc import Callable
from time import monotonic

from probe.history.file import UnreadableRunError, decode
from probe.history.reader import HistoryReader
from probe.measures import longest_silence_ms, summarise
from probe.recent import Silence

# Of so many runs of each series, which is an hour at one per minute.
RUNS = 60
_LAST = "SELECT seq FROM runs WHERE target = ? AND scenario = ? ORDER BY seq DESC LIMIT ?"


class Silences:
    """For one process, and one thread at a time. A run is read once; one that can't be read has no silence."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._read: dict[tuple[str, str], dict[int, Silence | None]] = {}

    def worst(self, series: tuple[str, str]) -> Silence | None:
        """The longest one of the last runs, of those that were read; None where nothing was silent."""
        found = [each for each in self._read.get(series, {}).values() if each is not None]
        return max(found, key=lambda each: each.ms, default=None)

    def refresh(self, reader: HistoryReader, at_most_s: float) -> bool:
        """Read the last runs that are new, for so long; the rest follows next time. Raises HistoryError.

        Returns whether all of them are read.
        """
        until = self._clock() + at_most_s
        before, self._read = self._read, {}
        done = True
        for series in reader.series():
            known = before.get(series, {})
            found = self._read[series] = {}
            for seq in _last(reader, series):
                if seq in known:
                    found[seq] = known[seq]
                elif self._clock() < until:
                    found[seq] = _silence(reader, seq)
                else:
                    done = False
        return done


def _last(reader: HistoryReader, series: tuple[str, str]) -> list[int]:
    rows = reader.ask(lambda db, _: db.execute(_LAST, (*series, RUNS)).fetchall(), lambda *_: [])
    return [seq for (seq,) in rows]


def _silence(reader: HistoryReader, seq: int) -> Silence | None:
    query = "SELECT run_id, record FROM runs WHERE seq = ?"
    rows = reader.ask(lambda db, _: db.execute(query, (seq,)).fetchall(), lambda *_: [])
    for run_id, blob in rows:
        try:
            record = decode(blob, run_id)
        except UnreadableRunError:
            return None
        ms = longest_silence_ms(summarise(record))
        return Silence(run_id, record.started, ms) if ms else None
    return None
