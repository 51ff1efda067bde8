"""The history file: its schema, how a run is stored in it, and the messages if it can't be used.

A run is one row: its record as compressed JSON (without the PCM), beside it the few columns that readers search by and
compute with. Version 1 had no `serving` and no stages: its rows have NULL there, and readers look into the record.
Version 2 did not know of cold runs, version 3 how long the first chunk's text was, nor version 4 how a target was
asked: a row with NULL there is of one of these, and its record says how, and what the whole wait was.
"""

import errno
import functools
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from probe.drift.fingerprint import Fingerprint
from probe.record import Failure, RunRecord
from probe.typed_json import typed

FILE_NAME = "history.sqlite3"
VERSION = 5
# How long another process that holds a lock may delay us.
BUSY_TIMEOUT_S = 5.0
# A server's JSON may hold half a character (\ud83d), and what it said is kept as it is.
_LONE_SURROGATES = "surrogatepass"
# Of a disk, and not of who may do what.
OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
_RIGHTS = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")

_VERSION_1 = """
PRAGMA auto_vacuum = INCREMENTAL;
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL UNIQUE,
    started INTEGER NOT NULL,
    target TEXT NOT NULL,
    scenario TEXT NOT NULL,
    outcome TEXT NOT NULL,
    response_ttfb_ms REAL,
    unsent_spans INTEGER NOT NULL,
    record BLOB NOT NULL
) STRICT;
CREATE INDEX runs_by_start ON runs (started);
CREATE INDEX runs_unsent ON runs (seq) WHERE unsent_spans > 0;
PRAGMA user_version = 1;
COMMIT;
"""
# The index holds all that a series needs: 90 days are read without a look at the records.
_VERSION_2 = """
BEGIN;
ALTER TABLE runs ADD COLUMN serving TEXT;
ALTER TABLE runs ADD COLUMN llm_ttft_ms REAL;
ALTER TABLE runs ADD COLUMN llm_decode_ms REAL;
ALTER TABLE runs ADD COLUMN tts_ttfb_ms REAL;
CREATE INDEX runs_series ON runs (
    target, scenario, seq, started, outcome, run_id, serving, response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms
);
PRAGMA user_version = 2;
COMMIT;
"""
_VERSION_3 = """
BEGIN;
ALTER TABLE runs ADD COLUMN cold INTEGER;
DROP INDEX runs_series;
CREATE INDEX runs_series ON runs (
    target, scenario, seq, started, outcome, run_id, serving, response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms,
    cold
);
PRAGMA user_version = 3;
COMMIT;
"""
_VERSION_4 = """
BEGIN;
ALTER TABLE runs ADD COLUMN chars INTEGER;
ALTER TABLE runs ADD COLUMN tokens INTEGER;
DROP INDEX runs_series;
CREATE INDEX runs_series ON runs (
    target, scenario, seq, started, outcome, run_id, serving, response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms,
    cold, chars, tokens
);
PRAGMA user_version = 4;
COMMIT;
"""
_VERSION_5 = """
BEGIN;
ALTER TABLE runs ADD COLUMN asked TEXT;
ALTER TABLE runs ADD COLUMN voice_to_voice_ms REAL;
ALTER TABLE runs ADD COLUMN endpointing_ms REAL;
ALTER TABLE runs ADD COLUMN transcription_ms REAL;
DROP INDEX runs_series;
CREATE INDEX runs_series ON runs (
    target, scenario, seq, started, outcome, run_id, serving, response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms,
    cold, chars, tokens, asked, voice_to_voice_ms, endpointing_ms, transcription_ms
);
PRAGMA user_version = 5;
COMMIT;
"""


class HistoryError(Exception):
    """The history can't be used; the message says what to do, in one line."""


class HistoryTroubleError(HistoryError):
    """The disk or the file is in a state that may be fixed while the daemon runs: full, damaged, locked."""


class UnreadableRunError(HistoryError):
    """A run exists, but its stored data can't be read."""


class NoHistoryError(HistoryError):
    """There is no history at this place."""


class UnknownRunError(HistoryError):
    """No run, or more than one, has this id."""


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Make a new file, or one of an earlier version, one of this version. Raises HistoryError for what isn't ours."""
    for version, script in enumerate((_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4, _VERSION_5)):
        if found_version(db, path) == version:
            db.executescript(script)


def found_version(db: sqlite3.Connection, path: Path) -> int:
    """The schema's version, 0 for a new file. Raises HistoryError for a file that isn't ours, or not yet."""
    # Both at one moment: a daemon may be making the file just now.
    version, has_tables = db.execute(
        "SELECT user_version, EXISTS (SELECT 1 FROM sqlite_schema) FROM pragma_user_version"
    ).fetchone()
    if version > VERSION:
        raise HistoryError(f"{path} was written by a newer voice-probe (version {version}); this one reads {VERSION}")
    if version == 0 and has_tables:
        raise HistoryError(f"{path} is a database, but no history of voice-probe; move it away")
    return int(version)


def encode(record: RunRecord) -> bytes:
    return zlib.compress(record.to_json().encode("utf-8", _LONE_SURROGATES), level=1)


def encode_serving(serving: Fingerprint) -> str:
    return json.dumps(astuple(serving))


@functools.lru_cache(maxsize=100)
def decode_serving(text: str) -> Fingerprint:
    """Raises UnreadableRunError."""
    try:
        return Fingerprint(*json.loads(text))
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableRunError(f"the model and settings can't be read:  {error}") from error


def decode(blob: bytes, run_id: str) -> RunRecord:
    """Raises UnreadableRunError."""
    try:
        return RunRecord.from_json(zlib.decompress(blob).decode("utf-8", _LONE_SURROGATES))
    except Exception as error:  # whatever a damaged disk holds, it concerns this run only
        raise UnreadableRunError(f"run {run_id} can't be read: {type(error).__name__}: {error}") from error


def decode_failure(blob: bytes, run_id: str) -> Failure | None:
    """Why a run failed, in a third of the time that the whole record takes. Raises UnreadableRunError."""
    try:
        found = json.loads(zlib.decompress(blob))["failure"]
        return None if found is None else typed(Failure, found)
    except Exception as error:  # as above
        raise UnreadableRunError(f"run {run_id} can't be read: {type(error).__name__}: {error}") from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into one line that says what to do."""
    try:
        yield
    except OSError as error:
        kind = HistoryTroubleError if error.errno in OF_THE_DISK else HistoryError
        raise kind(f"{path.parent}: {error.strerror}; see who may read and write this directory") from error
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        kind = HistoryError if name.startswith(_RIGHTS) else HistoryTroubleError
        raise kind(f"{path}: {_advice(error, name, path)}") from error
    except UnicodeDecodeError as error:
        # SQLite quotes a damaged schema in its message, and Python can't read that.
        raise HistoryTroubleError(f"{path}: {_damaged('its schema')}") from error


def _advice(error: sqlite3.Error, name: str, path: Path) -> str:
    if name.startswith("SQLITE_NOTADB"):
        return "not a database; move it away, and a new one is created"
    if name.startswith("SQLITE_BUSY"):
        return f"locked by another process for over {BUSY_TIMEOUT_S:g} s; is a second daemon running?"
    if name.startswith(_RIGHTS):
        return f"can't be used ({error}); see who may read and write {path.parent} and what is in it"
    if name.startswith("SQLITE_IOERR"):
        return f"{error} ({name}); is the disk full, or broken?"
    if name.startswith("SQLITE_FULL"):
        return "no space left on the disk"
    if name.startswith("SQLITE_CORRUPT") or not name:
        return _damaged(str(error))
    return f"{error} ({name})"


def _damaged(what: str) -> str:
    return f"damaged ({what}); move it away, and `sqlite3 FILE .recover` may save what is in it"
