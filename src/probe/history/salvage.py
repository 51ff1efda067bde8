"""Runs of a file with damaged pages: the runs on those pages are lost, and the others are read.

SQLite gives up a query at the first damaged page that it meets. Asked for a few rows at a time, and for fewer where
that fails, it gives up only the rows there.
"""

import sqlite3
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

# Rows that are asked for at once.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that lies on a damaged page."""

    seq: int


def rows(db: sqlite3.Connection, wanted: Mapping[str, object], limit: int | None) -> Iterator[tuple[str, bytes] | Lost]:
    """Id and record of the newest `limit` runs, oldest first; `wanted` are conditions with the value of each."""
    found = _numbers(db, wanted, limit)
    for at in range(0, len(found), _AT_ONCE):
        yield from _read(db, found[at : at + _AT_ONCE])


def _numbers(db: sqlite3.Connection, wanted: Mapping[str, object], limit: int | None) -> Sequence[int]:
    """The rows' numbers, ascending."""
    query = f"SELECT seq FROM runs WHERE {_all(wanted)} ORDER BY seq DESC LIMIT ?"  # noqa: S608 - our own clauses
    newest = array("q")
    try:
        for (seq,) in db.execute(query, (*wanted.values(), -1 if limit is None else limit)):
            newest.append(seq)
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        newest = array("q", _walk(db, wanted, 1, _last(db)))
        newest.reverse()
        del newest[len(newest) if limit is None else limit :]
    newest.reverse()
    return newest


def _walk(db: sqlite3.Connection, wanted: Mapping[str, object], first: int, last: int) -> Iterator[int]:
    """The numbers of the rows between these two, ascending; those that can't be decided are included."""
    # By the table itself: what an index holds may be what is damaged.
    query = f"SELECT seq FROM runs NOT INDEXED WHERE seq BETWEEN ? AND ? AND {_all(wanted)} ORDER BY seq"  # noqa: S608 - the same
    try:
        found = [seq for (seq,) in db.execute(query, (first, last, *wanted.values()))]
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        if first == last:
            yield first
            return
        middle = (first + last) // 2
        yield from _walk(db, wanted, first, middle)
        yield from _walk(db, wanted, middle + 1, last)
    else:
        yield from found


def _read(db: sqlite3.Connection, numbers: Sequence[int]) -> Iterator[tuple[str, bytes] | Lost]:
    query = f"SELECT run_id, record FROM runs WHERE seq IN ({', '.join('?' * len(numbers))}) ORDER BY seq"  # noqa: S608
    try:
        found = db.execute(query, numbers).fetchall()
    except sqlite3.DatabaseError as error:
        if not _is_damage(error):
            raise
        if len(numbers) == 1:
            yield Lost(numbers[0])
            return
        middle = len(numbers) // 2
        yield from _read(db, numbers[:middle])
        yield from _read(db, numbers[middle:])
    else:
        yield from found


def _last(db: sqlite3.Connection) -> int:
    """The number of the last row that there ever was."""
    found = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'runs'").fetchone()
    return 0 if found is None else int(found[0])


def _all(wanted: Mapping[str, object]) -> str:
    return " AND ".join(wanted) or "TRUE"


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorname", "").startswith("SQLITE_CORRUPT")
