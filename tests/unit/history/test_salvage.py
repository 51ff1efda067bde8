"""A file some of whose pages are damaged: all other runs are read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from runs import record

from probe.history.file import FILE_NAME, HistoryError
from probe.history.reader import reading
from probe.history.writer import History

RUNS = 60
IDS = [record(number).plan.run_id for number in range(1, RUNS + 1)]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A history, all of it in its file."""
    history = History(tmp_path)
    for number in range(1, RUNS + 1):
        history.append(record(number, target="a" if number % 2 else "b"))
    history.close()
    return tmp_path


def pages(state_dir: Path, name: str, kind: str = "leaf") -> list[int]:
    """Pages of a table or an index; the first is page 1."""
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as db:
        found = db.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path", (name, kind))
        return [page for (page,) in found]


def damage(state_dir: Path, page: int) -> None:
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with (state_dir / FILE_NAME).open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def read(state_dir: Path, **wanted: object) -> tuple[list[str], list[str]]:
    """Ids of the runs that can be read, and what is noted of the others."""
    with reading(state_dir) as reader:
        return [run.plan.run_id for run in reader.runs(**wanted)], [*reader.unreadable]  # type: ignore[arg-type]


def has_dbstat() -> bool:
    with closing(sqlite3.connect(":memory:")) as db:
        return any(option == "ENABLE_DBSTAT_VTAB" for (option,) in db.execute("PRAGMA compile_options"))


needs_dbstat = pytest.mark.skipif(not has_dbstat(), reason="this SQLite does not say where a table's pages are")


@needs_dbstat
def test_what_is_on_one_damaged_page_is_lost_and_noted(kept: Path) -> None:
    leaves = pages(kept, "runs")
    assert len(leaves) > 2
    damage(kept, leaves[1])
    ids, lost = read(kept)
    assert 0 < len(lost) < RUNS / 2
    assert len(ids) + len(lost) == RUNS
    numbers = [int(each.removeprefix("row ")) for each in lost]
    assert ids == [each for number, each in enumerate(IDS, 1) if number not in numbers]


@needs_dbstat
def test_the_newest_are_the_newest_of_those_that_are_left(kept: Path) -> None:
    damage(kept, pages(kept, "runs")[0])
    assert read(kept, limit=10)[0] == IDS[-10:]
    assert read(kept, target="b", limit=3)[0] == [IDS[-5], IDS[-3], IDS[-1]]


@needs_dbstat
def test_a_damaged_index_costs_no_run(kept: Path) -> None:
    for leaf in pages(kept, "runs_series"):
        damage(kept, leaf)
    assert read(kept, target="a", scenario="default") == (IDS[::2], [])


def test_a_file_that_is_no_database_any_more_says_so(kept: Path) -> None:
    damage(kept, 1)
    with pytest.raises(HistoryError, match="not a database"):
        read(kept)
