"""Which targets and scenarios have runs: found from one to the next, and not among all runs."""

import sqlite3


def series(db: sqlite3.Connection, version: int) -> list[tuple[str, str]]:
    """Every target and scenario that has runs. Raises sqlite3.Error."""
    if version == 1:
        # No index leads from one to the next.
        return db.execute("SELECT DISTINCT target, scenario FROM runs ORDER BY target, scenario").fetchall()
    of = "SELECT target, scenario FROM runs INDEXED BY runs_series"
    found: list[tuple[str, str]] = []
    last = db.execute(f"{of} ORDER BY target, scenario LIMIT 1").fetchone()
    while last is not None:
        found.append(last)
        last = (
            db.execute(f"{of} WHERE target = ? AND scenario > ? ORDER BY scenario LIMIT 1", last).fetchone()
            or db.execute(f"{of} WHERE target > ? ORDER BY target, scenario LIMIT 1", last[:1]).fetchone()
        )
    return found
