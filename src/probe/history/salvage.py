"""Runs of a file with damaged pages: the runs on those pages are lost, and the others are read.

SQLite gives up a query at the first damaged page that it meets. Asked for a few rows at a time, and for fewer where
that fails, it gives up only the rows there. An index is left out: what it holds may be what is damaged.
"""

import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

# Rows that are asked for at once, and numbers that are looked through for rows.
_AT_ONCE, _WINDOW = 100, 2000


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that lies on a damaged page."""

    seq: int


# A row's number, the run's id and its record.
Row = tuple[int, str, bytes]


def rows(db: sqlite3.Connection, wanted: Mapping[str, object], limit: int | None) -> Iterator[Row | Lost]:
    """The newest `limit` runs, oldest first; `wanted` are conditions with the value of each."""
    found = numbers(db, wanted, limit)
    for at in range(0, len(found), _AT_ONCE):
        yield from _read(db, found[at : at + _AT_ONCE])


def after(db: sqlite3.Connection, wanted: Mapping[str, object], number: int, limit: int) -> Iterator[Row | Lost]:
    """The first `limit` runs behind the row of this number."""
    yield from _read(db, [*islice(_walk(db, wanted, number + 1, newest(db)), limit)])


def newest(db: sqlite3.Connection) -> int:
    """The number of the last row that there ever was."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'runs'").fetchone()
    return 0 if found is None else int(found[0])


def series(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every target and scenario that has runs which can be read."""
    found: set[tuple[str, str]] = set()
    for number in _walk(db, {}, 1, newest(db)):
        with suppress(sqlite3.DatabaseError):
            found.update(db.execute("SELECT target, scenario FROM runs WHERE seq = ?", (number,)))
    return sorted(found)


def is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_CORRUPT")


def numbers(db: sqlite3.Connection, wanted: Mapping[str, object], limit: int | None) -> Sequence[int]:
    """The rows' numbers, ascending."""
    query = f"SELECT seq FROM runs WHERE {_all(wanted)} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - our own clauses
    found = array("q")
    try:
        for (seq,) in db.execute(query, (*wanted.values(), -1 if limit is None else limit)):
            found.append(seq)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        found = array("q", _walk(db, wanted, 1, newest(db)))
        return found if limit is None else found[max(0, len(found) - limit) :]
    found.reverse()
    return found


def _walk(db: sqlite3.Connection, wanted: Mapping[str, object], first: int, last: int) -> Iterator[int]:
    """The numbers of the rows between these two, ascending; those that can't be decided are among them."""
    for start in range(first, last + 1, _WINDOW):
        yield from _window(db, wanted, start, min(last, start + _WINDOW - 1))


def _window(db: sqlite3.Connection, wanted: Mapping[str, object], first: int, last: int) -> Iterator[int]:
    # One by its number alone: to see where a range ends takes a look at the row behind it, whose page may be damaged.
    which, between = ("seq = ?", (first,)) if first == last else ("seq BETWEEN ? AND ?", (first, last))
    query = f"SELECT seq FROM runs NOT INDEXED WHERE {which} AND {_all(wanted)} ORDER BY seq"  # noqa: S608 - the same
    try:
        found = [seq for (seq,) in db.execute(query, (*between, *wanted.values()))]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        if first == last:
            yield first
            return
        middle = (first + last) // 2
        yield from _window(db, wanted, first, middle)
        yield from _window(db, wanted, middle + 1, last)
    else:
        yield from found


def _read(db: sqlite3.Connection, numbers: Sequence[int]) -> Iterator[Row | Lost]:
    query = f"SELECT seq, run_id, record FROM runs WHERE seq IN ({', '.join('?' * len(numbers))}) ORDER BY seq"  # noqa: S608
    try:
        found = db.execute(query, numbers).fetchall()
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        if len(numbers) == 1:
            yield Lost(numbers[0])
            return
        middle = len(numbers) // 2
        yield from _read(db, numbers[:middle])
        yield from _read(db, numbers[middle:])
    else:
        yield from found


def _all(wanted: Mapping[str, object]) -> str:
    return " AND ".join(wanted) or "TRUE"
