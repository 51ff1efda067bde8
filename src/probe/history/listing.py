"""A page of the list of runs: searched, sorted and turned by columns alone, so that no record is decoded.

Pages are found by the key of their first or last run, which an index leads to, and not by counting the runs before
them. What the list shows is in the index of the series, too: where runs are searched for by anything but their start,
that index is read in place of the table, whose rows hold the records between the columns.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from probe.history import salvage
from probe.history.reader import HistoryReader
from probe.record import Outcome

Order = Literal["newest", "oldest", "slowest", "fastest"]
PAGE = 50
_COLUMNS = (
    "seq", "run_id", "started", "target", "scenario", "outcome", "response_ttfb_ms", "llm_ttft_ms", "tts_ttfb_ms",
    "cold",
)  # fmt: skip
# Of the schema, since which version they are there; what is older has NULL.
_SINCE = {"llm_ttft_ms": 2, "tts_ttfb_ms": 2, "cold": 3}
_INDEXED_SINCE = 4
_BY: Mapping[Order, tuple[str, bool]] = {
    "newest": ("started", True),
    "oldest": ("started", False),
    "slowest": ("response_ttfb_ms", True),
    "fastest": ("response_ttfb_ms", False),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A run in the list; milliseconds, None where unknown. `started` is nanoseconds since the epoch."""

    seq: int
    run_id: str
    started: int
    target: str
    scenario: str
    outcome: Outcome
    response_ttfb_ms: float | None
    llm_ttft_ms: float | None
    tts_ttfb_ms: float | None
    cold: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs: None is any. `since` and `until` are nanoseconds since the epoch, `until` not included."""

    target: str | None = None
    scenario: str | None = None
    outcome: str | None = None
    since: int | None = None
    until: int | None = None
    slower_than_ms: float | None = None

    def clauses(self) -> dict[str, object]:
        found = {
            "target = ?": self.target,
            "scenario = ?": self.scenario,
            "outcome = ?": self.outcome,
            "started >= ?": self.since,
            "started < ?": self.until,
            "response_ttfb_ms > ?": self.slower_than_ms,
        }
        return {clause: value for clause, value in found.items() if value is not None}

    @property
    def only_by_time(self) -> bool:
        return (self.target, self.scenario, self.outcome, self.slower_than_ms) == (None,) * 4


@dataclass(frozen=True, slots=True)
class Place:
    """Before or behind which run a page is: the value that runs are sorted by, and the run's number."""

    before: bool
    value: float
    seq: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One page, in the order wanted. `lost` are numbers of rows on damaged pages; then the order is that of numbers."""

    runs: tuple[Listed, ...]
    has_before: bool
    has_after: bool
    lost: tuple[int, ...] = ()
    damaged: bool = False


def listing(reader: HistoryReader, wanted: Wanted, order: Order, place: Place | None) -> Listing:
    """A page of the runs; of a damaged file as much as can be read. Raises HistoryError."""
    return reader.ask(
        lambda db, version: _quickly(db, version, wanted, order, place),
        lambda db, version: _salvaged(db, version, wanted, place),
    )


def count(reader: HistoryReader) -> int | None:
    """How many runs there are; None where the file is too damaged to say. Raises HistoryError."""
    return reader.ask(lambda db, _: int(db.execute("SELECT count(*) FROM runs").fetchone()[0]), lambda *_: None)


def count_newer(reader: HistoryReader, wanted: Wanted, after: int) -> int:
    """How many of these runs have been kept after the one of this number. Raises HistoryError."""
    # By their numbers: few are that new, and no index of their columns finds them sooner.
    clauses = {"seq > ?": after, **wanted.clauses()}
    text = f"SELECT count(*) FROM runs NOT INDEXED WHERE {' AND '.join(clauses)}"  # noqa: S608 - our own clauses
    return reader.ask(
        lambda db, _: int(db.execute(text, (*clauses.values(),)).fetchone()[0]),
        lambda db, _: len(salvage.numbers(db, clauses, None)),
    )


def neighbours(reader: HistoryReader, target: str, scenario: str, run_id: str) -> tuple[str | None, str | None]:
    """The ids of the runs of a series before and behind one of them. Raises HistoryError."""
    found = reader.place_of(target, scenario, run_id)
    seq = None if found is None else found[0]

    def read(db: sqlite3.Connection, _: int) -> tuple[str | None, str | None]:
        of = "SELECT run_id FROM runs WHERE target = ? AND scenario = ? AND"
        before, after = (
            db.execute(f"{of} seq {sign} ? ORDER BY seq {way} LIMIT 1", (target, scenario, seq)).fetchone()
            for sign, way in (("<", "DESC"), (">", "ASC"))
        )
        return before and before[0], after and after[0]

    return (None, None) if seq is None else reader.ask(read, lambda *_: (None, None))


def query(version: int, wanted: Wanted, order: Order, place: Place | None) -> tuple[str, tuple[object, ...]]:
    """The SQL of a page, one run more than it holds, and its values."""
    column, descending = _BY[order]
    clauses = wanted.clauses()
    backwards = place is not None and place.before
    values = list(clauses.values())
    conditions = [*clauses, f"{column} IS NOT NULL"] if column != "started" else [*clauses]
    if place is not None:
        conditions.append(f"({column}, seq) {'<' if descending != backwards else '>'} (?, ?)")
        values += [place.value, place.seq]
    way = "DESC" if descending != backwards else "ASC"
    by_series = version >= _INDEXED_SINCE and not (column == "started" and wanted.only_by_time)
    source = "runs INDEXED BY runs_series" if by_series else "runs"
    where = " AND ".join(conditions) or "TRUE"
    text = (
        f"SELECT {_columns(version)} FROM {source} WHERE {where}"  # noqa: S608 - our own columns and clauses
        f" ORDER BY {column} {way}, seq {way} LIMIT {PAGE + 1}"
    )
    return text, tuple(values)


def _quickly(db: sqlite3.Connection, version: int, wanted: Wanted, order: Order, place: Place | None) -> Listing:
    rows = [Listed(*row) for row in db.execute(*query(version, wanted, order, place))]
    more, page = len(rows) > PAGE, rows[:PAGE]
    if place is None:
        return Listing(tuple(page), has_before=False, has_after=more)
    if place.before:
        return Listing(tuple(reversed(page)), has_before=more, has_after=True)
    return Listing(tuple(page), has_before=True, has_after=more)


def _salvaged(db: sqlite3.Connection, version: int, wanted: Wanted, place: Place | None) -> Listing:
    """The newest runs behind the place by their numbers, whatever the order was."""
    clauses = wanted.clauses() | ({} if place is None else {"seq < ?": place.seq})
    numbers = salvage.numbers(db, clauses, PAGE + 1)
    found = [*_each(db, version, sorted(numbers, reverse=True)[:PAGE])]
    return Listing(
        tuple(each for each in found if isinstance(each, Listed)),
        has_before=False,
        has_after=len(numbers) > PAGE,
        lost=tuple(each for each in found if not isinstance(each, Listed)),
        damaged=True,
    )


def _each(db: sqlite3.Connection, version: int, numbers: list[int]) -> Iterator[Listed | int]:
    for number in numbers:
        try:
            row = db.execute(f"SELECT {_columns(version)} FROM runs WHERE seq = ?", (number,)).fetchone()  # noqa: S608 - as above
        except sqlite3.DatabaseError as error:
            if not salvage.is_damage(error):
                raise
            yield number
        else:
            if row is not None:
                yield Listed(*row)


def _columns(version: int) -> str:
    return ", ".join(name if version >= _SINCE.get(name, 1) else "NULL" for name in _COLUMNS)
