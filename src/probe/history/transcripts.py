"""What a recogniser understood of a run's answer, added to the run that is kept already."""

import sqlite3
from dataclasses import replace

from probe.history.file import decode, encode
from probe.transcription import Transcription


def add(db: sqlite3.Connection, run_id: str, found: Transcription) -> bool:
    """Rewrite the record with it; nothing that is searched by changes. False where there is no such run (any more).

    Raises sqlite3.Error, and UnreadableRunError.
    """
    row = db.execute("SELECT record FROM runs WHERE run_id = ?", (run_id,)).fetchone()
    if row is None:
        return False
    record = replace(decode(row[0], run_id), transcription=found)
    db.execute("UPDATE runs SET record = ? WHERE run_id = ?", (encode(record), run_id))
    return True
