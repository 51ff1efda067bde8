"""The list of runs: found, sorted and turned by columns alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from long_history import fill, run_id
from runs import START, record

from probe.history import listing
from probe.history.file import _VERSION_1, FILE_NAME, encode
from probe.history.listing import Listed, Order, Place, Wanted, query
from probe.history.reader import HistoryReader, reading
from probe.history.sample import sample, size
from probe.history.writer import History
from probe.timestamps import NEVER, NS_PER_S

RUNS = 230
SERIES = [("local", "default"), ("spark", "default"), ("spark", "long")]
EVERYTHING = Wanted()


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    # Whoever decodes a record here fails.
    fill(folder, RUNS, record(1), blob=b"no record")
    return folder


@pytest.fixture
def reader(state_dir: Path) -> Iterator[HistoryReader]:
    with reading(state_dir) as opened:
        yield opened


def key(run: Listed, order: Order) -> tuple[float, int]:
    return (run.started if order in ("newest", "oldest") else run.response_ttfb_ms or 0.0), run.seq


def walked(reader: HistoryReader, wanted: Wanted, order: Order) -> list[Listed]:
    """Every page from the first to the last."""
    found = listing.listing(reader, wanted, order, None)
    runs = [*found.runs]
    while found.has_after:
        found = listing.listing(reader, wanted, order, Place(False, *key(found.runs[-1], order)))
        assert found.has_before
        runs += found.runs
    return runs


@pytest.mark.parametrize("order", ["newest", "oldest", "slowest", "fastest"])
def test_turning_the_pages_shows_each_run_once_in_order(reader: HistoryReader, order: Order) -> None:
    runs = walked(reader, EVERYTHING, order)
    assert len({run.seq for run in runs}) == len(runs) == RUNS
    keys = [key(run, order) for run in runs]
    assert keys == sorted(keys, reverse=order in ("newest", "slowest"))


@pytest.mark.parametrize("order", ["newest", "oldest", "slowest", "fastest"])
def test_turning_back_shows_the_same_pages(reader: HistoryReader, order: Order) -> None:
    first = listing.listing(reader, EVERYTHING, order, None)
    second = listing.listing(reader, EVERYTHING, order, Place(False, *key(first.runs[-1], order)))
    back = listing.listing(reader, EVERYTHING, order, Place(True, *key(second.runs[0], order)))
    assert back.runs == first.runs and not back.has_before and back.has_after


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(target="spark"),
        Wanted(target="spark", scenario="long"),
        Wanted(outcome="slow"),
        Wanted(slower_than_ms=620.0),
        Wanted(since=1_764_000_000 * NS_PER_S + 2000 * NS_PER_S, until=1_764_000_000 * NS_PER_S + 4000 * NS_PER_S),
        Wanted(target="local", outcome="ok", slower_than_ms=500.0, until=1_764_000_000 * NS_PER_S + 4000 * NS_PER_S),
    ],
)
def test_a_filter_keeps_what_matches_and_nothing_else(reader: HistoryReader, wanted: Wanted) -> None:
    def matches(run: Listed) -> bool:
        return (
            wanted.target in (None, run.target)
            and wanted.scenario in (None, run.scenario)
            and wanted.outcome in (None, run.outcome)
            and (wanted.since or 0) <= run.started < (wanted.until or NEVER)
            and (run.response_ttfb_ms or 0.0) > (wanted.slower_than_ms or -1.0)
        )

    everything = walked(reader, EVERYTHING, "newest")
    found = walked(reader, wanted, "newest")
    assert found == [run for run in everything if matches(run)]
    assert 0 < len(found) < RUNS


def test_a_failed_run_has_no_place_in_an_order_by_wait(tmp_path: Path) -> None:
    fill(tmp_path, 1000, record(1), blob=b"no record")
    with reading(tmp_path) as reader:
        assert len(walked(reader, Wanted(outcome="failed"), "newest")) == 1
        assert walked(reader, Wanted(outcome="failed"), "slowest") == []


PLACES = (None, Place(False, 1.0, 1), Place(True, 1.0, 1))
WANTED = (
    Wanted(), Wanted(since=1, until=2), Wanted(target="a"), Wanted(target="a", scenario="b"), Wanted(outcome="ok"),
    Wanted(slower_than_ms=1.0), Wanted("a", "b", "ok", 1, 2, 3.0),
)  # fmt: skip


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("order", ["newest", "oldest", "slowest", "fastest"])
def test_no_page_walks_through_the_records(state_dir: Path, wanted: Wanted, place: Place | None, order: Order) -> None:
    """By start along its index, as far as the page is long; else within an index that has no records."""
    text, values = query(4, wanted, order, place)
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as db:
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    along_time = order in ("newest", "oldest") and wanted.only_by_time
    if along_time:
        assert len(plan) == 1 and "USING INDEX runs_by_start" in plan[0]
    else:
        assert "USING COVERING INDEX runs_series" in plan[0]


def test_a_history_of_the_first_version_is_listed(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as db:
        db.executescript(_VERSION_1)
        values = ("one", START, "local", "default", "ok", 300.0, 0, encode(record(1)))
        db.execute("INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    with reading(tmp_path) as reader:
        (run,) = listing.listing(reader, Wanted(target="local"), "slowest", None).runs
        assert (run.run_id, run.response_ttfb_ms, run.llm_ttft_ms, run.cold) == ("one", 300.0, None, None)
        assert reader.series() == [("local", "default")]


def test_series_are_named_once_each(reader: HistoryReader) -> None:
    assert reader.series() == SERIES


def test_runs_are_counted(reader: HistoryReader) -> None:
    assert listing.count(reader) == RUNS
    assert listing.count_newer(reader, EVERYTHING, RUNS - 10) == 10
    assert listing.count_newer(reader, Wanted(target="local"), 0) == len(walked(reader, Wanted("local"), "newest"))


def test_neighbours_are_of_the_same_series(reader: HistoryReader) -> None:
    assert listing.neighbours(reader, "spark", "long", run_id(4)) == (run_id(1), run_id(7))
    assert listing.neighbours(reader, "spark", "long", run_id(1)) == (None, run_id(4))
    assert listing.neighbours(reader, "spark", "long", run_id(5)) == (None, None)


def test_a_sample_is_the_newest_of_a_span(reader: HistoryReader) -> None:
    first = 1_764_000_000 * NS_PER_S
    since, until = first + 1000 * NS_PER_S, first + 4000 * NS_PER_S
    inside = [run.run_id for run in walked(reader, Wanted("spark", "default", since=since, until=until), "oldest")]
    found = [point.run_id for point in sample(reader, "spark", "default", since, until, 1000)]
    assert found == inside and len(found) == size(reader, "spark", "default", since, until)
    assert [point.run_id for point in sample(reader, "spark", "default", since, until, 7)] == inside[-7:]
    assert sample(reader, "spark", "default", until, since, 7) == []
    assert sample(reader, "nobody", "default", 0, NEVER - 1, 7) == []


def damaged(state_dir: Path, seq: int) -> None:
    """Overwrite the page of the table that holds a run, and the root of the index of the series."""
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as db:
        (page_size,) = db.execute("PRAGMA page_size").fetchone()
        (root,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'runs_series'").fetchone()
    whole = bytearray((state_dir / FILE_NAME).read_bytes())
    # Only the table's row has the record behind it.
    at = whole.index(b"record of %d;" % seq)
    for start in (at // page_size * page_size, (root - 1) * page_size):
        whole[start : start + page_size] = b"\xff" * page_size
    (state_dir / FILE_NAME).write_bytes(whole)


def test_of_a_damaged_file_what_can_be_read_is_listed(tmp_path: Path) -> None:
    fill(tmp_path, 120, record(1), blob=b"no record")
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("UPDATE runs SET record = CAST('record of ' || seq || ';' || hex(zeroblob(300)) AS BLOB)")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    damaged(tmp_path, 100)
    with reading(tmp_path) as reader:
        found = listing.listing(reader, Wanted(outcome="ok"), "slowest", None)
        assert found.damaged and 100 in found.lost
        seqs = [run.seq for run in found.runs]
        assert seqs == sorted(seqs, reverse=True) and {120, 60}.isdisjoint(found.lost)
        assert 119 in seqs and not set(seqs) & set(found.lost)
        behind = listing.listing(reader, Wanted(outcome="ok"), "slowest", Place(False, 0.0, min(seqs)))
        assert max(run.seq for run in behind.runs) < min(seqs)


def test_a_run_is_found_by_its_whole_id_without_a_look_at_the_others(tmp_path: Path) -> None:
    db = History(tmp_path)
    for number in (1, 2):
        db.append(record(number))
    longer = replace(record(1), plan=replace(record(1).plan, run_id=f"{record(1).plan.run_id}-2", trace_id="f" * 32))
    db.append(longer)
    db.close()
    with reading(tmp_path) as reader:
        assert reader.get(record(1).plan.run_id) == record(1)
        assert reader.get(longer.plan.run_id) == longer
