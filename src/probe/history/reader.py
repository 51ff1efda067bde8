"""Reading the history while the daemon writes it."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from probe.drift.circumstances import Circumstances
from probe.drift.fingerprint import Fingerprint
from probe.drift.series import Point, point
from probe.history import names, salvage, surroundings
from probe.history.file import (
    BUSY_TIMEOUT_S,
    FILE_NAME,
    NoHistoryError,
    UnknownRunError,
    UnreadableRunError,
    decode,
    decode_serving,
    explained,
    found_version,
)
from probe.history.points import Points, columns
from probe.record import Outcome, RunRecord

# Runs of a series that are read at once.
PAGE = 100
T = TypeVar("T")


class HistoryReader:
    """A reader's connection: opened read-only, so that it can't disturb the daemon. For one thread.

    Of several runs, one that can't be read is left out, and noted in `unreadable`: by its id or, where its page of the
    file is damaged, by the number of its row.
    """

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE_NAME
        # Ids, in the order in which they were come across.
        self.unreadable: dict[str, None] = {}
        with explained(self.path):
            if not self.path.exists():
                raise NoHistoryError(
                    f"there is no history in {state_dir}; `probe daemon` writes one, --state-dir says where it is"
                )
            self._db = _open_to_read(self.path)
            self._version = found_version(self._db, self.path)
        self._columns, self._points = columns(self._version), Points(self._record)

    def runs(
        self, since: int | None = None, target: str | None = None, scenario: str | None = None,
        limit: int | None = None, outcome: Outcome | None = None,
    ) -> Iterator[RunRecord]:  # fmt: skip
        """Runs, oldest first. `since` is nanoseconds since the epoch; `limit` keeps the newest so many."""
        wanted = {"started >= ?": since, "target = ?": target, "scenario = ?": scenario, "outcome = ?": outcome}
        given = {clause: value for clause, value in wanted.items() if value is not None}
        with explained(self.path):
            yield from (record for _, record in self._decoded(salvage.rows(self._db, given, limit)) if record)

    def _decoded(self, rows: Iterable[salvage.Row | salvage.Lost]) -> Iterator[tuple[int, RunRecord | None]]:
        """Each row's number and its run; None, and noted, for one that can't be read."""
        for row in rows:
            if isinstance(row, salvage.Lost):
                self.unreadable[f"row {row.seq}"] = None
                yield row.seq, None
                continue
            number, run_id, blob = row
            try:
                yield number, decode(blob, run_id)
            except UnreadableRunError:
                self.unreadable[run_id] = None
                yield number, None

    def newest(self) -> int:
        """The number of the run that was kept last, 0 where there is none; later ones have larger numbers."""
        with explained(self.path):
            return salvage.newest(self._db)

    def newer(self, after: int, target: str | None, scenario: str | None) -> Iterator[tuple[int, RunRecord]]:
        """The runs that were kept after the one of this number, each with its own. Unreadable ones are left out."""
        wanted = {"seq > ?": after, "target = ?": target, "scenario = ?": scenario}
        given = {clause: value for clause, value in wanted.items() if value is not None}
        with explained(self.path):
            yield from (
                (number, record) for number, record in self._decoded(salvage.rows(self._db, given, None)) if record
            )

    def recent(self, target: str, scenario: str, limit: int) -> list[RunRecord]:
        """The last runs of a series, the oldest first. Unreadable ones are left out."""
        return [record for _, record in self.newer(self.before(target, scenario, limit), target, scenario)]

    def last(self) -> RunRecord:
        """The run that was kept last, of those on sound pages. Raises UnknownRunError and UnreadableRunError."""
        with explained(self.path):
            for row in reversed([*salvage.rows(self._db, {}, PAGE)]):
                if not isinstance(row, salvage.Lost):
                    return decode(row[2], row[1])
                self.unreadable[f"row {row.seq}"] = None
        raise UnknownRunError(
            f"no runs in {self.path} that can be read" if self.unreadable else f"no runs in {self.path} yet"
        )

    def series(self) -> list[tuple[str, str]]:
        """Every target and scenario that has runs."""
        with explained(self.path):
            return self._or_salvaged(lambda: names.series(self._db, self._version), lambda: salvage.series(self._db))

    def _or_salvaged(self, read: Callable[[], T], salvaged: Callable[[], T]) -> T:
        """What the quick way finds, or, where that meets a damaged page, the slow one."""
        try:
            return read()
        except sqlite3.DatabaseError as error:
            if not salvage.is_damage(error):
                raise
            return salvaged()

    def points(self, target: str, scenario: str, since: int = 0, limit: int | None = None) -> Iterator[Point]:
        """The series of a target and a scenario, in the order in which its runs ended; `limit` keeps the newest.

        Read in pages: nothing of it is held but a page, and no lock between two of them.
        """
        seq = self.before(target, scenario, limit)
        while rows := self.page(target, scenario, since, seq):
            yield from (each for _, each in rows if each is not None)
            seq = rows[-1][0]

    def before(self, target: str, scenario: str, limit: int | None) -> int:
        """The number of the last run that is not among the newest `limit` of a series; 0 where all are."""
        query = (
            "SELECT coalesce((SELECT seq FROM runs WHERE target = ? AND scenario = ?"
            " ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)"
        )
        if limit is None:
            return 0

        def salvaged() -> int:
            numbers = salvage.numbers(self._db, _of(target, scenario), limit + 1)
            return numbers[0] if len(numbers) > limit else 0

        with explained(self.path):
            return self._or_salvaged(
                lambda: int(self._db.execute(query, (target, scenario, limit)).fetchone()[0]), salvaged
            )

    def place_of(self, target: str, scenario: str, run_id: str) -> tuple[int, Point | None] | None:
        """A run of a series as in `page`; None where that is not there (any more)."""
        query = f"SELECT {self._columns} FROM runs WHERE run_id = ? AND target = ? AND scenario = ?"  # noqa: S608 - ours
        with explained(self.path):
            found = self._db.execute(query, (run_id, target, scenario)).fetchone()
            return None if found is None else (found[0], self._point(found))

    def page(self, target: str, scenario: str, since: int, after: int) -> list[tuple[int, Point | None]]:
        """The next runs of a series, `PAGE` at most, with their rows' numbers; None for one that can't be read."""
        query = (
            f"SELECT {self._columns} FROM runs"  # noqa: S608 - our own columns
            f" WHERE target = ? AND scenario = ? AND seq > ? AND started >= ? ORDER BY seq LIMIT {PAGE}"
        )

        def quickly() -> list[tuple[int, Point | None]]:
            rows = self._db.execute(query, (target, scenario, after, since)).fetchall()
            return [(row[0], self._point(row)) for row in rows]

        def salvaged() -> list[tuple[int, Point | None]]:
            wanted = {**_of(target, scenario), "started >= ?": since}
            rows = self._decoded(salvage.after(self._db, wanted, after, PAGE))
            return [(number, point(record) if record else None) for number, record in rows]

        with explained(self.path):
            return self._or_salvaged(quickly, salvaged)

    def _point(self, row: tuple[Any, ...]) -> Point | None:
        """None, and noted, for a run that can't be read."""
        try:
            return self._points.of_row(row)
        except UnreadableRunError:
            self.unreadable[row[1]] = None
            return None

    def serving_since(self, target: str, scenario: str) -> tuple[Fingerprint, int] | None:
        """The last run's fingerprint, and the start of the run since which all had it; None where none can be read."""
        if self._version == 1:
            return None
        with explained(self.path):
            return self._or_salvaged(lambda: self._serving_since(target, scenario), lambda: None)

    def _serving_since(self, target: str, scenario: str) -> tuple[Fingerprint, int] | None:
        runs, of = "FROM runs WHERE target = ?1 AND scenario = ?2", (target, scenario)
        last = self._db.execute(f"SELECT serving {runs} ORDER BY seq DESC LIMIT 1", of).fetchone()
        if last is None or last[0] is None:
            return None
        (since,) = self._db.execute(
            f"SELECT started {runs} AND seq > (SELECT coalesce(max(seq), 0) {runs} AND serving IS NOT ?3)"
            " ORDER BY seq LIMIT 1",
            (*of, last[0]),
        ).fetchone()
        try:
            return decode_serving(last[0]), since
        except UnreadableRunError:
            return None

    def get(self, run_id: str) -> RunRecord:
        """One run by its id, or by the beginning or end of it where only one has that.

        Raises UnknownRunError and UnreadableRunError.
        """
        with explained(self.path):
            rows = self._or_salvaged(lambda: self._named(run_id), lambda: self._named_salvaged(run_id))
        if not rows:
            lost = f" that can be read ({len(self.unreadable)} can't)" if self.unreadable else ""
            raise UnknownRunError(f"no run {run_id!r} in {self.path}{lost}; `probe history` lists what is there")
        if len(rows) > 1 and rows[0][0] != run_id:
            raise UnknownRunError(
                f"more than one run begins or ends with {run_id!r}: {', '.join(row[0] for row in rows)}, ..."
            )
        return decode(rows[0][1], rows[0][0])

    def _named(self, run_id: str) -> list[tuple[str, bytes]]:
        whole = self._db.execute("SELECT run_id, record FROM runs WHERE run_id = ?", (run_id,)).fetchall()
        return (
            whole
            or self._db.execute(
                # The ids alone are looked through: in the table they lie between the records.
                "SELECT run_id, record FROM runs WHERE seq IN (SELECT seq FROM runs"
                " WHERE ?1 IN (substr(run_id, 1, length(?1)), substr(run_id, -length(?1))))"
                " ORDER BY run_id = ?1 DESC, seq LIMIT 3",
                (run_id,),
            ).fetchall()
        )

    def _named_salvaged(self, run_id: str) -> list[tuple[str, bytes]]:
        found = []
        for row in salvage.rows(self._db, {}, None):
            if isinstance(row, salvage.Lost):
                self.unreadable[f"row {row.seq}"] = None
            elif row[1].startswith(run_id) or row[1].endswith(run_id):
                found.append((row[1], row[2]))
        return sorted(found, key=lambda each: each[0] != run_id)[:3]

    def circumstances(self, run_ids: Sequence[str]) -> list[Circumstances]:
        """What these runs were measured under. Those that can't be read are left out, in a damaged file all."""
        if self._version == 1:
            return []
        with explained(self.path):
            return self._or_salvaged(lambda: [*surroundings.of_runs(self._db, run_ids)], list)

    def ask(self, read: Callable[[sqlite3.Connection, int], T], salvaged: Callable[[sqlite3.Connection, int], T]) -> T:
        """What a query of this room finds, given the connection and the schema's version.

        `salvaged` is called in its place where that meets a damaged page.
        """
        with explained(self.path):
            return self._or_salvaged(lambda: read(self._db, self._version), lambda: salvaged(self._db, self._version))

    def close(self) -> None:
        self._db.close()

    def _record(self, seq: int, run_id: str) -> RunRecord:
        return decode(self._db.execute("SELECT record FROM runs WHERE seq = ?", (seq,)).fetchone()[0], run_id)


def _of(target: str, scenario: str) -> dict[str, object]:
    return {"target = ?": target, "scenario = ?": scenario}


@contextmanager
def reading(state_dir: Path) -> Iterator[HistoryReader]:
    """Open the history in a state directory to read it. Raises HistoryError."""
    with closing(HistoryReader(state_dir)) as reader:
        yield reader


def _open_to_read(path: Path) -> sqlite3.Connection:
    """Open read-only, and check that it is a history.

    A reader who may not write beside the file can't set up its shared memory, and needs it only while a daemon writes:
    without a write-ahead log the file is all there is.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    try:
        return _checked(sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S), path)
    except sqlite3.OperationalError:
        if path.with_name(path.name + "-wal").exists():
            raise
        return _checked(sqlite3.connect(f"{address}&immutable=1", uri=True), path)


def _checked(db: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    try:
        version = found_version(db, path)
    except BaseException:
        db.close()
        raise
    if version == 0:
        db.close()
        raise NoHistoryError(f"{path} is empty; has the daemon started?")
    return db
