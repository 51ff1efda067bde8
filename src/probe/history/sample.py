"""The newest runs of a series within a span of time: enough to compare, whatever the span holds."""

import sqlite3

from probe.drift.series import Point
from probe.history import salvage
from probe.history.reader import HistoryReader
from probe.timestamps import NEVER

_OF = "target = ? AND scenario = ? AND started >= ? AND started < ?"


def sample(reader: HistoryReader, target: str, scenario: str, since: int, until: int, most: int) -> list[Point]:
    """At most `most` runs, in the order of time. Raises HistoryError.

    `since` and `until` are nanoseconds since the epoch, `until` not included.
    """
    seq, last = _between(reader, target, scenario, since, until, most)
    found: list[Point] = []
    while seq < last and (rows := reader.page(target, scenario, since, seq)):
        found += (each for number, each in rows if number <= last and each is not None and each.started < until)
        seq = rows[-1][0]
    return sorted(found, key=lambda each: each.started)


def size(reader: HistoryReader, target: str, scenario: str, since: int, until: int) -> int | None:
    """How many runs the span holds; None where the file is too damaged to say."""
    text = f"SELECT count(*) FROM runs WHERE {_OF}"  # noqa: S608 - our own clause
    values = (target, scenario, since, min(until, NEVER - 1))
    return reader.ask(lambda db, _: int(db.execute(text, values).fetchone()[0]), lambda *_: None)


def _between(reader: HistoryReader, target: str, scenario: str, since: int, until: int, most: int) -> tuple[int, int]:
    """The numbers of the last run that is too old, and of the newest one."""
    values = (target, scenario, since, min(until, NEVER - 1))

    def read(db: sqlite3.Connection, _: int) -> tuple[int, int]:
        text = f"SELECT coalesce((SELECT seq FROM runs WHERE {_OF} ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)"  # noqa: S608 - the same
        before, newest = (int(db.execute(text, (*values, skipped)).fetchone()[0]) for skipped in (most, 0))
        return before, newest

    def salvaged(db: sqlite3.Connection, _: int) -> tuple[int, int]:
        wanted = dict(zip(("target = ?", "scenario = ?", "started >= ?", "started < ?"), values, strict=True))
        numbers = salvage.numbers(db, wanted, most + 1)
        return (numbers[0] if len(numbers) > most else 0), (numbers[-1] if numbers else 0)

    return reader.ask(read, salvaged)
