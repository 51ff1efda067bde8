"""A series over time in so many bins, for a chart: as large for a hundred thousand runs as for a hundred."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from statistics import median

from probe.history.reader import HistoryReader
from probe.measures import STAGES, TRUSTED
from probe.waits import HEARING

# Medians are of so many runs at most: of more, every second, third, ... one counts. The ends are those of all.
MOST_RUNS = 12_000
_STAGES_SINCE, _COLD_SINCE, _HEARING_SINCE = 2, 3, 5


@dataclass(frozen=True, slots=True)
class Bin:
    """Runs that started within one bin.

    `stages` has, of each that was asked for, (lowest, median, highest) in milliseconds, None where unknown. Only warm
    runs that can be trusted have latencies; `failed` counts those that failed. A median is None where none of the runs
    is in the sample that medians are made of.
    """

    number: int
    runs: int
    failed: int
    stages: Sequence[tuple[float, float | None, float] | None]


def span(reader: HistoryReader, target: str, scenario: str) -> tuple[int, int] | None:
    """When the first and the last run of a series started; None without one."""
    of = "SELECT started FROM runs WHERE target = ? AND scenario = ?"
    first, last = f"{of} ORDER BY seq LIMIT 1", f"{of} ORDER BY seq DESC LIMIT 1"

    def read(db: sqlite3.Connection, _: int) -> tuple[int, int] | None:
        ends = [db.execute(each, (target, scenario)).fetchone() for each in (first, last)]
        return None if None in ends else (ends[0][0], ends[1][0])

    return reader.ask(read, lambda *_: None)


def binned(
    reader: HistoryReader, series: tuple[str, str], since: int, until: int, count: int, stages: Sequence[str] = STAGES
) -> list[Bin]:
    """The bins that have runs, in order: `count` of equal length from `since` to `until` (nanoseconds since the epoch).

    Of damaged pages nothing is shown, nor what only the record of an old run has. Raises HistoryError.
    """
    length = max(1, -(-(until - since) // count))
    of = (since, until, length)
    return reader.ask(
        lambda db, version: [*_bins(db, version, series, of, [_column(each, version) for each in stages])],
        lambda *_: [],
    )


def _column(stage: str, version: int) -> str:
    """What the history calls it; no column of an earlier version has the stages of targets that hear."""
    if stage in HEARING and version < _HEARING_SINCE:
        return "NULL"
    return "response_ttfb_ms" if stage == STAGES[0] else f"{stage}_ms"


def _bins(
    db: sqlite3.Connection, version: int, series: tuple[str, str], of: tuple[int, int, int], columns: Sequence[str]
) -> Iterator[Bin]:
    since, until, length = of
    if version < _STAGES_SINCE:
        return
    warm = "TRUE" if version < _COLD_SINCE else "cold IS NOT 1"
    trusted = f"outcome IN ({', '.join(repr(each) for each in TRUSTED)}) AND {warm}"
    first = db.execute("SELECT min(+seq) FROM runs WHERE started >= ?", (since,)).fetchone()[0] or 0
    where = "FROM runs WHERE target = ? AND scenario = ? AND seq >= ? AND started >= ? AND started < ?"
    values = (*series, first, since, until)
    ends = ", ".join(f"min({each}) FILTER (WHERE {trusted}), max({each}) FILTER (WHERE {trusted})" for each in columns)
    rows = db.execute(
        f"SELECT (started - ?) / ? AS bin, count(*), sum(outcome = 'failed'), {ends} {where} GROUP BY bin ORDER BY bin",
        (since, length, *values),
    ).fetchall()
    stride = -(-sum(row[1] for row in rows) // MOST_RUNS) or 1
    sampled = db.execute(
        f"SELECT (started - ?) / ?, {', '.join(columns)} {where} AND seq % ? = 0 AND {trusted} ORDER BY 1",
        (since, length, *values, stride),
    )
    medians = {number: [_median(each) for each in zip(*found, strict=True)] for number, *found in _grouped(sampled)}
    unknown: list[float | None] = [None] * len(columns)
    for number, runs, failed, *lows_and_highs in rows:
        pairs = zip(lows_and_highs[::2], lows_and_highs[1::2], medians.get(number, unknown), strict=True)
        stages = [None if low is None else (low, middle, high) for low, high, middle in pairs]
        yield Bin(number, runs, failed, stages)


def _grouped(rows: sqlite3.Cursor) -> Iterator[tuple[int, tuple[float | None, ...]]]:
    for number, group in groupby(rows, key=itemgetter(0)):
        yield number, *(row[1:] for row in group)


def _median(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return median(known) if known else None
