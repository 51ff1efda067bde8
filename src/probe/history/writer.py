"""Every finished run, in one SQLite file: written by the daemon, read by anyone beside it.

Write-ahead logging lets readers read while the daemon writes. `synchronous=FULL` syncs every commit to the disk: a
committed run survives `kill -9` and a power cut too, and at a run every few seconds that costs nothing. (With NORMAL it
would survive the kill, but not the power cut.)
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from probe.drift.series import point
from probe.history.file import BUSY_TIMEOUT_S, FILE_NAME, VERSION, decode, encode, encode_serving, explained, migrate
from probe.record import RunRecord
from probe.timestamps import NS_PER_DAY

# A clock that jumps ahead makes every run look old: it shall cost a few of them, not the history.
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
        with explained(self.path):
            self._open()

    def append(self, record: RunRecord) -> None:
        """Commit a run. Once this returns the run is on disk; a run that is there already stays as it is.

        Where the file has been removed, another one is begun.
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
        )
        with self._lock, explained(self.path):
            if self._file != _identity(self.path):
                self._db.close()
                self._open()
            self._db.execute(
                "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record, serving,"
                " response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms, cold)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id) DO NOTHING",
                row,
            )

    def prune(self, now: int) -> Pruned:
        """Forget the oldest runs as the retention says, a few at a time. `now` is nanoseconds since the epoch."""
        with self._lock, explained(self.path):
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
        """The oldest runs whose spans no collector has got yet."""
        with self._lock, explained(self.path):
            rows = self._db.execute(
                "SELECT record FROM runs WHERE unsent_spans > 0 ORDER BY seq LIMIT ?", (limit,)
            ).fetchall()
        return [decode(row[0]) for row in rows]

    def contains(self, run_id: str) -> bool:
        with self._lock, explained(self.path):
            return self._db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None

    def mark_sent(self, run_ids: Sequence[str]) -> None:
        """Note that a collector has got these runs' spans."""
        with self._lock, explained(self.path):
            self._db.executemany("UPDATE runs SET unsent_spans = 0 WHERE run_id = ?", [(each,) for each in run_ids])

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise
        self._file = _identity(self.path)

    def _prepare(self) -> None:
        migrate(self._db, self.path)
        self._db.execute("PRAGMA journal_mode = WAL").fetchall()
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA journal_size_limit = 4000000").fetchall()
        # A file that may be read and not written opens all the same, and even begins a transaction.
        self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _runs(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM runs").fetchone()[0])

    def _bytes(self) -> int:
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is there: one that was deleted is written to as before, and lost with the last who has it open."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
