"""A file some of whose pages are damaged: all other runs are read."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from runs import record

from probe.history.file import FILE_NAME, HistoryError, UnknownRunError
from probe.history.reader import reading
from probe.history.writer import History, Retention
from probe.timestamps import NS_PER_DAY

RUNS = 60
IDS = [record(number).plan.run_id for number in range(1, RUNS + 1)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    kept_runs(folder)
    return folder


@pytest.fixture
def kept(whole: Path, tmp_path: Path) -> Path:
    """A history, all of it in its file."""
    return shutil.copytree(whole, tmp_path, dirs_exist_ok=True)


def kept_runs(state_dir: Path, spans: int = 0) -> None:
    history = History(state_dir, None, lambda _: spans)
    for number in range(1, RUNS + 1):
        history.append(record(number, target="a" if number % 2 else "b"))
    history.close()


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


def damage_all(state_dir: Path, name: str) -> None:
    """Every page of a table or an index but its root, which says how to get at the others."""
    for leaf in pages(state_dir, name):
        damage(state_dir, leaf)


@needs_dbstat
@pytest.mark.parametrize("index", ["runs_series", "sqlite_autoindex_runs_1", "runs_by_start"])
def test_with_a_damaged_index_everything_is_found_by_the_table(kept: Path, index: str) -> None:
    with reading(kept) as reader:
        points = list(reader.points("a", "default"))
    damage_all(kept, index)
    with reading(kept) as reader:
        assert reader.series() == [("a", "default"), ("b", "default")]
        assert list(reader.points("a", "default")) == points
        assert list(reader.points("a", "default", limit=3)) == points[-3:]
        assert reader.get(IDS[7]) == reader.get(IDS[7][-6:]) == record(8, target="b")
        assert (reader.newest(), reader.last().plan.run_id) == (RUNS, IDS[-1])
        assert [number for number, _ in reader.newer(RUNS - 4, "a", None)] == [RUNS - 3, RUNS - 1]
        reader.serving_since("a", "default")
        assert not reader.unreadable


@needs_dbstat
def test_a_damaged_page_of_the_table_costs_drift_and_comparison_no_more_than_its_runs(kept: Path) -> None:
    damage_all(kept, "runs_series")
    damage(kept, pages(kept, "runs")[1])
    with reading(kept) as reader:
        found = [each.run_id for each in reader.points("a", "default")]
        lost = [int(each.removeprefix("row ")) for each in reader.unreadable]
        assert lost and found == [each for each in IDS[::2] if IDS.index(each) + 1 not in lost]
        assert reader.series() == [("a", "default"), ("b", "default")]
        with pytest.raises(UnknownRunError, match=r"that can be read \(\d+ can't\)"):
            reader.get(IDS[lost[0] - 1])


@needs_dbstat
def test_where_the_end_of_the_table_is_damaged_the_last_run_is_the_last_that_can_be_read(kept: Path) -> None:
    damage(kept, pages(kept, "runs")[-1])
    with reading(kept) as reader:
        last = reader.last().plan.run_id
        lost = len(reader.unreadable)
        assert lost and last == IDS[-1 - lost]
        assert reader.newest() == RUNS, "what comes later has a larger number anyway"
        assert [each.plan.run_id for _, each in reader.newer(RUNS - lost - 1, None, None)] == [last]


@needs_dbstat
@pytest.mark.parametrize("name", ["runs", "runs_unsent"])
def test_spans_of_all_other_runs_are_sent_and_once(tmp_path: Path, name: str) -> None:
    unreadable, trouble = list[str](), list[str]()
    kept_runs(tmp_path, spans=1)
    page = pages(tmp_path, name)[-2 if name == "runs" else 0]
    damage(tmp_path, page)
    history = History(tmp_path, None, lambda _: 1, trouble.append, lambda run_id, _spans: unreadable.append(run_id))
    sent: list[str] = []
    while batch := history.unsent(7):
        sent += [each.plan.run_id for each in batch]
        history.mark_sent([each.plan.run_id for each in batch])
        assert len(sent) <= RUNS, "the same again"
    history.close()
    lost = [IDS[int(each.removeprefix("row ")) - 1] for each in unreadable]
    assert sent == [each for each in IDS if each not in lost]
    assert bool(lost) == (name == "runs") and len(lost) < RUNS / 2


@needs_dbstat
def test_what_can_not_be_forgotten_is_said_once(tmp_path: Path) -> None:
    trouble = list[str]()
    kept_runs(tmp_path)
    damage(tmp_path, pages(tmp_path, "runs")[0])
    history = History(tmp_path, Retention(0.001), on_trouble=trouble.append)
    for _ in range(3):
        assert history.prune(record(RUNS).ended + NS_PER_DAY).forgotten == 0
    history.close()
    assert len(trouble) == 1 and "no run is forgotten any more" in trouble[0]


def test_a_file_that_is_no_database_any_more_says_so(kept: Path) -> None:
    damage(kept, 1)
    with pytest.raises(HistoryError, match="not a database"):
        read(kept)
