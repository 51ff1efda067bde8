"""Every finished run, in one SQLite file: written by the daemon, read by anyone beside it.

A run is one row: its record as compressed JSON (without the PCM), beside it the few columns that readers search by.
Write-ahead logging lets readers read while the daemon writes. `synchronous=FULL` syncs every commit to the disk: a
committed run survives `kill -9` and a power cut too, and at a run every few seconds that costs nothing. (With NORMAL it
would survive the kill, but not the power cut.)
"""

import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from probe.measures import measure_run, outcome
from probe.record import RunRecord

FILE_NAME = "history.sqlite3"
VERSION = 1
# How long a reader that holds a lock may delay us.
_BUSY_TIMEOUT_S = 5.0
# A clock that jumps ahead makes every run look old: it shall cost a few of them, not the history.
_MOST_FORGOTTEN_AT_ONCE = 10
# A server's JSON may hold half a character (\ud83d), and what it said is kept as it is.
_LONE_SURROGATES = "surrogatepass"
_NS_A_DAY = 86_400 * 10**9

_SCHEMA = """
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


class HistoryError(Exception):
    """The history can't be used; the message says what to do, in one line."""


class NoHistoryError(HistoryError):
    """There is none where it was looked for."""


class UnknownRunError(HistoryError):
    """No run, or more than one, has this id."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept: runs that started within `days`, as long as the file stays below `megabytes` (10^6 bytes)."""

    days: float = 90.0
    megabytes: float = 1000.0


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What `prune` took away: runs, and the spans among them that no collector had got."""

    runs: int = 0
    unsent_spans: int = 0


class History:
    """The daemon's connection. All methods may be called from any thread, and raise HistoryError."""

    def __init__(
        self,
        state_dir: Path,
        retention: Retention | None = None,
        count_spans: Callable[[RunRecord], int] = lambda _record: 0,
    ) -> None:
        """Open or create the history. `count_spans` says how many spans of a new run are to be sent, 0 for none."""
        self.path = state_dir / FILE_NAME
        self._retention = retention or Retention()
        self._count_spans = count_spans
        self._lock = threading.Lock()
        with _explained(self.path):
            state_dir.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                self.path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def append(self, record: RunRecord) -> None:
        """Commit a run. Once this returns the run is on disk; a run that is there already stays as it is."""
        measured = measure_run(record)
        row = (
            record.plan.run_id,
            record.started,
            record.plan.target.name,
            record.plan.scenario.name,
            outcome(record),
            measured[0].response_ttfb_ms if measured else None,
            self._count_spans(record),
            zlib.compress(record.to_json().encode("utf-8", _LONE_SURROGATES), level=1),
        )
        with self._lock, _explained(self.path):
            self._db.execute(
                "INSERT INTO runs (run_id, started, target, scenario, outcome, response_ttfb_ms, unsent_spans, record)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING",
                row,
            )

    def prune(self, now: int) -> Forgotten:
        """Forget the oldest runs as the retention says, a few at a time. `now` is nanoseconds since the epoch."""
        with self._lock, _explained(self.path):
            oldest = self._db.execute(
                "SELECT seq, started, unsent_spans FROM runs ORDER BY seq LIMIT ?", (_MOST_FORGOTTEN_AT_ONCE,)
            ).fetchall()
            too_old = now - round(self._retention.days * _NS_A_DAY)
            too_large = self._bytes() > self._retention.megabytes * 1e6
            gone = [row for row in oldest if too_large or row[1] < too_old]
            if gone:
                self._db.execute(
                    f"DELETE FROM runs WHERE seq IN ({', '.join('?' * len(gone))})",  # noqa: S608 - placeholders only
                    [seq for seq, _, _ in gone],
                )
                self._db.execute("PRAGMA incremental_vacuum").fetchall()
        return Forgotten(len(gone), sum(unsent for _, _, unsent in gone))

    def unsent(self, limit: int) -> list[RunRecord]:
        """The oldest runs whose spans no collector has got yet."""
        with self._lock, _explained(self.path):
            rows = self._db.execute(
                "SELECT record FROM runs WHERE unsent_spans > 0 ORDER BY seq LIMIT ?", (limit,)
            ).fetchall()
        return [_decode(row[0]) for row in rows]

    def contains(self, run_id: str) -> bool:
        with self._lock, _explained(self.path):
            return self._db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None

    def mark_sent(self, run_ids: Sequence[str]) -> None:
        """Note that a collector has got these runs' spans."""
        with self._lock, _explained(self.path):
            self._db.executemany("UPDATE runs SET unsent_spans = 0 WHERE run_id = ?", [(each,) for each in run_ids])

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _prepare(self) -> None:
        version = _version(self._db, self.path)
        if version == 0:
            self._db.executescript(_SCHEMA)
        self._db.execute("PRAGMA journal_mode = WAL").fetchall()
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA journal_size_limit = 4000000").fetchall()
        # A file that may be read and not written opens all the same, and even begins a transaction.
        self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _bytes(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


class HistoryReader:
    """A reader's connection: opened read-only, so that it can't disturb the daemon. For one thread."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE_NAME
        with _explained(self.path):
            if not self.path.exists():
                raise NoHistoryError(
                    f"there is no history in {state_dir}; `probe daemon` writes one, --state-dir says where it is"
                )
            self._db = _open_to_read(self.path)

    def runs(
        self, since: int | None = None, target: str | None = None, scenario: str | None = None, limit: int | None = None
    ) -> Iterator[RunRecord]:
        """Runs, oldest first. `since` is nanoseconds since the epoch; `limit` keeps the newest so many."""
        wanted = {"started >= ?": since, "target = ?": target, "scenario = ?": scenario}
        given = {clause: value for clause, value in wanted.items() if value is not None}
        where = " AND ".join(given) or "TRUE"
        query = (
            f"SELECT record FROM runs WHERE seq IN (SELECT seq FROM runs WHERE {where}"  # noqa: S608 - our own clauses
            " ORDER BY seq DESC LIMIT ?) ORDER BY seq"
        )
        with _explained(self.path):
            for row in self._db.execute(query, (*given.values(), -1 if limit is None else limit)):
                yield _decode(row[0])

    def get(self, run_id: str) -> RunRecord:
        """One run by its id, or by the beginning of it where only one has that. Raises UnknownRunError."""
        with _explained(self.path):
            rows = self._db.execute(
                "SELECT run_id, record FROM runs WHERE substr(run_id, 1, length(?1)) = ?1"
                " ORDER BY run_id = ?1 DESC, seq LIMIT 3",
                (run_id,),
            ).fetchall()
        if not rows:
            raise UnknownRunError(f"no run {run_id!r} in {self.path}; `probe history` lists what is there")
        if len(rows) > 1 and rows[0][0] != run_id:
            raise UnknownRunError(f"more than one run begins with {run_id!r}: {', '.join(row[0] for row in rows)}, ...")
        return _decode(rows[0][1])

    def close(self) -> None:
        self._db.close()


@contextmanager
def reading(state_dir: Path) -> Iterator[HistoryReader]:
    """Open the history in a state directory to read it. Raises HistoryError."""
    with closing(HistoryReader(state_dir)) as reader:
        yield reader


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open read-only, and check that it is a history.

    A reader who may not write beside the file can't set up its shared memory, and needs it only while somebody writes:
    without a write-ahead log the file is all there is.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        return _checked(sqlite3.connect(address, uri=True, timeout=_BUSY_TIMEOUT_S), path)
    except sqlite3.OperationalError:
        if path.with_name(path.name + "-wal").exists():
            raise
        return _checked(sqlite3.connect(f"{address}&immutable=1", uri=True), path)


def _checked(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    try:
        version = _version(db, path)
    except BaseException:
        db.close()
        raise
    if version == 0:
        db.close()
        raise NoHistoryError(f"{path} is empty; has the daemon started?")
    return db


def _version(db: sqlite3.Connection, path: Path) -> int:
    """The schema's version, 0 for a new file. Raises HistoryError for a file that isn't ours, or not yet."""
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise HistoryError(f"{path} was written by a newer voice-probe (version {version}); this one reads {VERSION}")
    if version == 0 and db.execute("SELECT 1 FROM sqlite_schema").fetchone():
        raise HistoryError(f"{path} is a database, but no history of voice-probe; move it away")
    return version


def _decode(blob: bytes) -> RunRecord:
    try:
        return RunRecord.from_json(zlib.decompress(blob).decode("utf-8", _LONE_SURROGATES))
    except (zlib.error, ValueError) as error:
        raise sqlite3.DatabaseError(f"a run can't be read: {error}") from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system say into one line that says what to do."""
    try:
        yield
    except OSError as error:
        raise HistoryError(f"{path.parent}: {error.strerror}; see who may read and write this directory") from error
    except sqlite3.Error as error:
        raise HistoryError(f"{path}: {_advice(error, path)}") from error


def _advice(error: sqlite3.Error, path: Path) -> str:
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_NOTADB"):
        return "not a database; move it away and start again"
    if name.startswith("SQLITE_BUSY"):
        return f"locked by another process for over {_BUSY_TIMEOUT_S:g} s; is a second daemon running?"
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return f"can't be used ({error}); see who may read and write {path.parent} and what is in it"
    if name.startswith("SQLITE_FULL"):
        return "no space left on the disk"
    if name.startswith("SQLITE_CORRUPT") or not name:
        return f"damaged ({error}); move it away, and `sqlite3 FILE .recover` may save what is in it"
    return f"{error} ({name})"
