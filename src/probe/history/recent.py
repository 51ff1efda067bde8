"""What a page about now needs of the history: columns, read through the index of series, and few records.

A day of twenty targets at one run per minute, beside 100,000 runs, takes less than 100 ms.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from probe.history.file import UnreadableRunError, decode, decode_failure
from probe.history.reader import HistoryReader
from probe.recent import ATTEMPTS, MISSED, Recent, Run
from probe.record import Failure, Outcome, RunRecord
from probe.timestamps import NS_PER_DAY, NS_PER_S

T = TypeVar("T")
Rows = list[tuple[Any, ...]]
DAYS = 3
# A series with fewer runs in so many hours is looked at for all of the three days.
HOURS, FEW = 6, 5
_STARTS = 20
# Failures whose reasons are read, which is in the record and in no column.
_MOST_FAILURES = 4
_COLD_SINCE_VERSION = 3


def recent(reader: HistoryReader, now: int) -> list[Recent]:
    """Every series of the history, up to `now` (nanoseconds since the epoch). Raises HistoryError."""
    firsts = [_first_since(reader, now - each) for each in (HOURS * 3600 * NS_PER_S, NS_PER_DAY, DAYS * NS_PER_DAY)]
    return [_Reading(reader, series, now, firsts).recent() for series in reader.series()]


def _first_since(reader: HistoryReader, since: int) -> int:
    """The lowest number of a run that started since then; above all numbers where there is none.

    `+seq` has SQLite look for it in the index of starts, instead of in the rows themselves.
    """
    found = rows(reader, "SELECT min(+seq) FROM runs WHERE started >= ?", (since,))
    return int(found[0][0]) if found and found[0][0] is not None else reader.newest() + 1


def rows(reader: HistoryReader, query: str, values: Sequence[object], salvaged: Callable[[], Rows] = list) -> Rows:
    """The rows of a query of ours; where that meets a damaged page, what `salvaged` finds: nothing, by default."""
    return reader.ask(lambda db, _: db.execute(query, values).fetchall(), lambda *_: salvaged())


class _Reading:
    """One series; `firsts` are the numbers where six hours, a day and three days begin."""

    def __init__(self, reader: HistoryReader, series: tuple[str, str], now: int, firsts: Sequence[int]) -> None:
        self._reader = reader
        self._series = series
        self._now = now
        self._hours, self._day, self._days = firsts

    def recent(self) -> Recent:
        few = self._is_rare()
        since = self._now - (DAYS if few else 1) * NS_PER_DAY
        first = self._days if few else self._day
        return Recent(
            *self._series,
            since=since,
            runs=self._runs(first, since),
            older={} if few else self._older(),
            starts=[each for (each,) in self._select("SELECT started {runs} ORDER BY seq DESC LIMIT ?", _STARTS)],
            cold=self._cold(first if few else self._hours),
            failing_since=self._row_since(("failed",), ("ok", "slow")),
            missing_since=self._row_since(MISSED, ("ok",)),
            failures=self._failures(first if few else self._hours),
            last=self._last(),
        )

    def _is_rare(self) -> bool:
        since = self._now - HOURS * 3600 * NS_PER_S
        found = self._select("SELECT seq {runs} AND seq >= ? AND started >= ? LIMIT ?", self._hours, since, FEW)
        return len(found) < FEW

    def _runs(self, first: int, since: int) -> list[Run]:
        def salvaged() -> list[Run]:
            return [
                (each.started, each.outcome, each.stages_ms[0]) for each in self._reader.points(*self._series, since)
            ]

        query = "SELECT started, outcome, response_ttfb_ms {runs} AND seq >= ? AND started >= ? ORDER BY seq"
        return self._select(query, first, since, salvaged=salvaged)

    def _older(self) -> dict[Outcome, int]:
        """Sums, and no GROUP BY: that takes twice as long."""
        sums = ", ".join(f"coalesce(sum(outcome = '{each}'), 0)" for each in ATTEMPTS)
        counts = self._select(f"SELECT {sums} {{runs}} AND seq >= ? AND seq < ?", self._days, self._day)
        return dict(zip(ATTEMPTS, counts[0], strict=True)) if counts else {}

    def _cold(self, first: int) -> list[int]:
        if self._reader.ask(lambda _, version: version, lambda *_: 0) < _COLD_SINCE_VERSION:
            return []
        return [each for (each,) in self._select("SELECT started {runs} AND seq >= ? AND cold", first)]

    def _row_since(self, those: Sequence[Outcome], others: Sequence[Outcome]) -> int | None:
        """When the first of the present row of runs with those outcomes started."""
        before = f"SELECT seq {{runs}} AND outcome IN ({_listed(others)}) ORDER BY seq DESC LIMIT 1"
        found = self._select(before)
        first = f"SELECT started {{runs}} AND seq > ? AND outcome IN ({_listed(those)}) ORDER BY seq LIMIT 1"
        after = self._select(first, found[0][0] if found else 0)
        return after[0][0] if after else None

    def _failures(self, first: int) -> list[Failure]:
        query = "SELECT run_id, record {runs} AND seq >= ? AND outcome = 'failed' ORDER BY seq DESC LIMIT ?"
        found = (_read(decode_failure, *row) for row in self._select(query, first, _MOST_FAILURES))
        return [each for each in found if each is not None]

    def _last(self) -> RunRecord | None:
        found = self._select("SELECT run_id, record {runs} ORDER BY seq DESC LIMIT 1")
        return _read(decode, *found[0]) if found else None

    def _select(self, query: str, *values: object, salvaged: Callable[[], Rows] = list) -> Rows:
        runs = "FROM runs WHERE target = ? AND scenario = ?"
        return rows(self._reader, query.format(runs=runs), (*self._series, *values), salvaged)


def _listed(outcomes: Sequence[Outcome]) -> str:
    return ", ".join(f"'{each}'" for each in outcomes)


def _read(decoder: Callable[[bytes, str], T], run_id: str, blob: bytes) -> T | None:
    """None for a run that can't be read."""
    try:
        return decoder(blob, run_id)
    except UnreadableRunError:
        return None
