"""Which runs' spans are still to be sent, also where pages of the file are damaged."""

import sqlite3
from collections.abc import Sequence

from probe.history import salvage
from probe.history.file import UnreadableRunError, decode
from probe.record import RunRecord

# Runs, and ids of others that can't be read with how many spans are lost with each.
Found = tuple[list[RunRecord], list[tuple[str, int]]]


class Unsent:
    """What is known of it beside the file: that keeps it, wherever it can."""

    def __init__(self) -> None:
        # Rows that can't be read, which has been said.
        self._lost: set[int] = set()
        # Runs whose spans were sent, which could not be noted in the file.
        self._sent: set[str] = set()

    def oldest(self, db: sqlite3.Connection, limit: int) -> Found:
        """The oldest runs with spans to be sent. One that can't be read has none any more, and is reported once."""
        if self._sent:
            return self._salvaged(db, limit)
        try:
            return _quickly(db, limit)
        except sqlite3.DatabaseError as error:
            if not salvage.is_damage(error):
                raise
            return self._salvaged(db, limit)

    def mark_sent(self, db: sqlite3.Connection, run_ids: Sequence[str]) -> None:
        """In the file; in memory alone where a page that this needs is damaged."""
        try:
            db.executemany("UPDATE runs SET unsent_spans = 0 WHERE run_id = ?", [(each,) for each in run_ids])
        except sqlite3.DatabaseError as error:
            if not salvage.is_damage(error):
                raise
            self._sent.update(run_ids)

    def _salvaged(self, db: sqlite3.Connection, limit: int) -> Found:
        """What lies on damaged pages is lost, and holds up no other run's spans."""
        found: list[RunRecord] = []
        lost: list[int] = []
        for row in salvage.rows(db, {"unsent_spans > ?": 0}, None):
            if isinstance(row, salvage.Lost):
                lost.append(row.seq)
            elif row[0] not in self._lost and row[1] not in self._sent:
                try:
                    found.append(decode(row[2], row[1]))
                except UnreadableRunError:
                    lost.append(row[0])
            if len(found) == limit:
                break
        new = [each for each in lost if each not in self._lost]
        self._lost.update(new)
        return found, [(f"row {each}", 0) for each in new]


def _quickly(db: sqlite3.Connection, limit: int) -> Found:
    found: list[RunRecord] = []
    unreadable: list[tuple[str, int]] = []
    query = "SELECT run_id, unsent_spans, record FROM runs WHERE unsent_spans > 0 ORDER BY seq LIMIT ?"
    while not found and (rows := db.execute(query, (limit,)).fetchall()):
        for run_id, spans, blob in rows:
            try:
                found.append(decode(blob, run_id))
            except UnreadableRunError:
                unreadable.append((run_id, spans))
                db.execute("UPDATE runs SET unsent_spans = 0 WHERE run_id = ?", (run_id,))
    return found, unreadable
