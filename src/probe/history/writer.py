"""Every finished run, in one SQLite file: written by the daemon, read by any other process at the same time.

Write-ahead logging lets readers read while the daemon writes. `synchronous=FULL` syncs every commit to the disk: a
committed run survives `kill -9` and a power cut too, and at a run every few seconds that costs nothing. (With NORMAL it
would survive the kill, but not the power cut.)
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from probe.drift.series import point
from probe.history import salvage, transcripts
from probe.history.file import (
    BUSY_TIMEOUT_S,
    FILE_NAME,
    VERSION,
    HistoryTroubleError,
    UnreadableRunError,
    decode,
    encode,
    encode_serving,
    explained,
    migrate,
)
from probe.history.private import make_file, make_folder, tighten
from probe.history.unsent import Unsent
from probe.record import RunRecord
from probe.timestamps import NS_PER_DAY
from probe.transcription import Transcription

_Identity = tuple[int, int] | None

# A clock that jumps ahead makes every run look old: it must cost a few of them, not the history.
_MOST_FORGOTTEN_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept: runs that started within `days`, as long as the file stays below `megabytes` (10^6 bytes)."""

    days: float = 90.0
    megabytes: float = 1000.0


@dataclass(frozen=True, slots=True)
class Pruned:
    """What `prune` took away, runs and the spans among them that no collector had got, and what is left."""

    forgotten: int
    unsent_spans: int
    runs: int
    bytes: int


class History:
    """The daemon's connection. All methods may be called from any thread, and raise HistoryError.

    `count_spans` says how many spans of a new run will be sent, 0 for none. `on_trouble` is called with what is worth
    a complaint and no caller's error; `on_unreadable` with the id of a run that can't be read, and how many spans of it
    can't be sent.
    """

    def __init__(
        self,
        state_dir: Path,
        retention: Retention | None = None,
        count_spans: Callable[[RunRecord], int] = lambda _record: 0,
        on_trouble: Callable[[str], None] = lambda _what: None,
        on_unreadable: Callable[[str, int], None] = lambda _run_id, _spans: None,
    ) -> None:
        """Open or create the history. What the disk or a lock refuses is tried again whenever the history is wanted."""
        self.path = state_dir / FILE_NAME
        self._retention = retention or Retention()
        self._count_spans = count_spans
        self._on_trouble = on_trouble
        self._on_unreadable = on_unreadable
        self._lock = threading.Lock()
        self._unsent = Unsent()
        self._prunes = True
        self._connection: sqlite3.Connection | None = None
        try:
            with explained(self.path):
                self._open()
        except HistoryTroubleError as error:
            on_trouble(str(error))

    @property
    def is_open(self) -> bool:
        """Whether it can be used, as far as is known."""
        return self._connection is not None

    def append(self, record: RunRecord) -> None:
        """Commit a run. Once this returns the run is on disk; a run that is there already stays as it is.

        Where the file has been removed, another one is begun. Raises ValueError where another run has this id.
        """
        added = point(record)
        row = (
            added.run_id,
            added.started,
            record.plan.target.name,
            record.plan.scenario.name,
            added.outcome,
            self._count_spans(record),
            encode(record),
            encode_serving(added.serving),
            *added.stages_ms,
            added.cold,
            added.chars,
            added.tokens,
            added.asked,
            *added.hearing_ms,
        )
        with self._lock, explained(self.path):
            self._see_to_files()
            added_rows = self._db.execute(
                "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record, serving,"
                " response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms, cold, chars, tokens, asked,"
                " voice_to_voice_ms, endpointing_ms, transcription_ms)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING",
                row,
            ).rowcount
            if not added_rows:
                self._compare(record)

    def add_transcription(self, run_id: str, found: Transcription) -> bool:
        """Keep with a run what was understood of its answer; False where the history has no such run."""
        with self._lock, explained(self.path):
            return transcripts.add(self._db, run_id, found)

    def look(self) -> None:
        """See whether the files are still those that were opened."""
        with self._lock, explained(self.path):
            if self._connection is not None:
                self._see_to_files()

    def prune(self, now: int) -> Pruned:
        """Forget the oldest runs as the retention says, a few at a time. `now` is nanoseconds since the epoch.

        Where the pages that this needs are damaged nothing is forgotten any more, which is said once.
        """
        try:
            with self._lock, explained(self.path):
                return self._prune(now)
        except HistoryTroubleError as error:
            if not isinstance(error.__cause__, sqlite3.DatabaseError) or not salvage.is_damage(error.__cause__):
                raise
            if self._prunes:
                self._prunes = False
                self._on_trouble(f"no run is forgotten any more: {error}")
            with self._lock, explained(self.path):
                return Pruned(0, 0, salvage.newest(self._db), self._bytes())

    def _prune(self, now: int) -> Pruned:
        oldest = self._db.execute(
            "SELECT seq, started, unsent_spans FROM runs ORDER BY seq LIMIT ?", (_MOST_FORGOTTEN_AT_ONCE,)
        ).fetchall()
        too_old = now - round(self._retention.days * NS_PER_DAY)
        too_large = self._bytes() > self._retention.megabytes * 1e6
        gone = [row for row in oldest if too_large or row[1] < too_old]
        if gone:
            self._db.execute(
                f"DELETE FROM runs WHERE seq IN ({', '.join('?' * len(gone))})",  # noqa: S608 - placeholders only
                [seq for seq, _, _ in gone],
            )
            self._db.execute("PRAGMA incremental_vacuum").fetchall()
        return Pruned(len(gone), sum(unsent for _, _, unsent in gone), self._runs(), self._bytes())

    def size(self) -> tuple[int, int]:
        """How many runs it holds, and its bytes."""
        with self._lock, explained(self.path):
            return self._runs(), self._bytes()

    def unsent(self, limit: int) -> list[RunRecord]:
        """The oldest runs whose spans no collector has got yet. One that can't be read has none any more."""
        with self._lock, explained(self.path):
            found, unreadable = self._unsent.oldest(self._db, limit)
        for run_id, spans in unreadable:
            self._on_unreadable(run_id, spans)
        return found

    def contains(self, run_id: str) -> bool:
        with self._lock, explained(self.path):
            return self._db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None

    def mark_sent(self, run_ids: Sequence[str]) -> None:
        """Note that a collector has got these runs' spans."""
        with self._lock, explained(self.path):
            self._unsent.mark_sent(self._db, run_ids)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    @property
    def _db(self) -> sqlite3.Connection:
        """The connection, opened now where the disk has not let us before."""
        return self._open() if self._connection is None else self._connection

    def _open(self) -> sqlite3.Connection:
        make_folder(self.path.parent)
        make_file(self.path)
        for each in (self.path.parent, *_beside(self.path)):
            tighten(each)
        db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        self._files = _identities(self.path)
        self._connection = db
        return db

    def _see_to_files(self) -> None:
        """Reopen files that were removed while in use: data in them is lost when the last process closes them."""
        old = self._db
        found = zip(_beside(self.path), self._files, _identities(self.path), strict=True)
        gone = [path.name for path, then, now in found if then != now]
        if not gone:
            return
        with suppress(sqlite3.Error):
            # A write-ahead log without a name still holds what was committed.
            old.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        old.close()
        self._connection = None
        self._on_trouble(f"{', '.join(gone)} in {self.path.parent}: removed or replaced while in use; opened again")
        self._open()

    def _compare(self, record: RunRecord) -> None:
        """Raise ValueError where the run that has this record's id is another one."""
        run_id = record.plan.run_id
        (blob,) = self._db.execute("SELECT record FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        with suppress(UnreadableRunError):
            if decode(blob, run_id).plan.trace_id == record.plan.trace_id:
                return
        raise ValueError(f"another run in {self.path} has the id {run_id}")

    def _prepare(self, db: sqlite3.Connection) -> None:
        migrate(db, self.path)
        db.execute("PRAGMA journal_mode = WAL").fetchall()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA journal_size_limit = 4000000").fetchall()
        # A file that may be read and not written opens anyway, and even begins a transaction.
        db.execute(f"PRAGMA user_version = {VERSION}")

    def _runs(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM runs").fetchone()[0])

    def _bytes(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def _beside(path: Path) -> tuple[Path, ...]:
    """The file, its write-ahead log, and what is shared of that between processes."""
    return path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _identities(path: Path) -> tuple[_Identity, ...]:
    return tuple(map(_identity, _beside(path)))


def _identity(path: Path) -> _Identity:
    """Which file is there: one that was removed is written to as before."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
