"""Which series (target and scenario) there are, without a look at each of their runs."""

import sqlite3
from collections.abc import Iterator

_FIRST = "SELECT target, scenario FROM runs"
_NEXT_SCENARIO = f"{_FIRST} WHERE target = ? AND scenario > ? ORDER BY scenario LIMIT 1"
_NEXT_TARGET = f"{_FIRST} WHERE target > ? ORDER BY target, scenario LIMIT 1"


def walk(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Every series in order: by the index from one to the next, where DISTINCT would go through all of it."""
    last = db.execute(f"{_FIRST} ORDER BY target, scenario LIMIT 1").fetchone()
    while last is not None:
        yield last
        last = db.execute(_NEXT_SCENARIO, last).fetchone() or db.execute(_NEXT_TARGET, last[:1]).fetchone()
