"""The history: what is committed, what is found, what is forgotten, and what is said when it can't be used."""

import os
import re
import shutil
import sqlite3
import stat
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from runs import START, failed, on_a_machine, record, skipped

from probe.drift.circumstances import circumstances
from probe.drift.fingerprint import fingerprint
from probe.drift.series import point
from probe.history import writer
from probe.history.file import (
    _VERSION_1,
    _VERSION_2,
    FILE_NAME,
    VERSION,
    HistoryError,
    NoHistoryError,
    UnknownRunError,
    encode,
    encode_serving,
    found_version,
    migrate,
)
from probe.history.reader import reading
from probe.history.writer import History, Retention
from probe.record import RunRecord, ServerIdentity
from probe.server_state import ServerFigures

DAY = 86_400 * 10**9


@pytest.fixture
def db(tmp_path: Path) -> Iterator[History]:
    opened = History(tmp_path)
    yield opened
    opened.close()


def ids(state_dir: Path) -> list[str]:
    with reading(state_dir) as reader:
        return [each.plan.run_id[-2:] for each in reader.runs()]


def test_a_run_comes_back_as_it_was_while_the_writer_is_open(db: History, tmp_path: Path) -> None:
    runs = [record(1), failed(2), skipped(3)]
    for each in runs:
        db.append(each)
    with reading(tmp_path) as reader:
        assert list(reader.runs()) == runs
        assert reader.get(runs[1].plan.run_id) == runs[1]


def test_a_commit_is_synced_to_a_write_ahead_log(db: History) -> None:
    assert db._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert db._db.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_a_file_that_was_taken_away_begins_anew(db: History, tmp_path: Path) -> None:
    db.append(record(1))
    for file in tmp_path.iterdir():
        file.unlink()
    db.append(record(2))
    assert ids(tmp_path) == ["02"]


def test_a_run_is_kept_once(db: History, tmp_path: Path) -> None:
    db.append(record(1))
    db.append(record(1))
    assert ids(tmp_path) == ["01"]


def test_the_history_outlives_its_writer(tmp_path: Path) -> None:
    for number in (1, 2):
        opened = History(tmp_path)
        opened.append(record(number))
        opened.close()
    assert ids(tmp_path) == ["01", "02"]


def test_text_that_is_no_text_is_kept(db: History, tmp_path: Path) -> None:
    odd = record(1)
    odd = replace(odd, turns=(replace(odd.turns[0], user="half a smile: \ud83d"),))
    db.append(odd)
    with reading(tmp_path) as reader:
        assert list(reader.runs()) == [odd]


def test_runs_are_found_by_time_target_and_scenario(db: History, tmp_path: Path) -> None:
    for number in range(1, 7):
        target, scenario = ("spark", "joke") if number % 2 else ("local", "weather")
        db.append(record(number, started=START + number, target=target, scenario=scenario))
    with reading(tmp_path) as reader:

        def found(since: int | None = None, target: str | None = None, scenario: str | None = None) -> list[int]:
            return [each.started - START for each in reader.runs(since, target, scenario)]

        assert found(since=START + 4) == [4, 5, 6]
        assert found(target="spark") == [1, 3, 5]
        assert found(scenario="weather", since=START + 3) == [4, 6]
        assert found(target="nobody") == []
        assert [each.started - START for each in reader.runs(limit=2)] == [5, 6]


def test_a_run_is_found_by_the_beginning_or_end_of_its_id(db: History, tmp_path: Path) -> None:
    for number in (1, 0x10, 0x11):
        db.append(record(number))
    with reading(tmp_path) as reader:
        assert reader.get("20231114T221320Z-000001") == record(1)
        assert reader.get("20231114T221320Z-00000") == record(1)
        assert reader.get("000011") == record(0x11)
        with pytest.raises(UnknownRunError, match="more than one run begins or ends with"):
            reader.get("2023")
        with pytest.raises(UnknownRunError, match="no run '%'"):
            reader.get("%")


def test_old_runs_are_forgotten_a_few_at_a_time(tmp_path: Path) -> None:
    db = History(tmp_path, Retention(days=7), count_spans=lambda _record: 8)
    for number in range(15):
        db.append(record(number, started=START + number * DAY))
    now = START + 14 * DAY
    db.mark_sent([record(0).plan.run_id])
    first, second = db.prune(now), db.prune(now)
    assert (first.forgotten, first.unsent_spans, first.runs) == (7, 48, 8)
    assert (second.forgotten, second.unsent_spans, second.runs) == (0, 0, 8)
    assert (second.runs, second.bytes) == db.size()
    assert ids(tmp_path) == [f"{number:02x}" for number in range(7, 15)]
    db.close()


def test_a_clock_that_jumps_ahead_does_not_cost_the_history(db: History, tmp_path: Path) -> None:
    for number in range(30):
        db.append(record(number, started=START + number))
    db.prune(START + 10_000 * DAY)
    assert len(ids(tmp_path)) == 20


def test_a_history_that_is_too_large_loses_its_oldest_runs_and_shrinks(tmp_path: Path) -> None:
    db = History(tmp_path, Retention(megabytes=0.2))
    for number in range(400):
        db.append(replace(record(number), doubts=(os.urandom(2000).hex(),)))
        db.prune(START)
    left = ids(tmp_path)
    db.close()
    assert left[-1] == f"{399:x}"[-2:]
    assert 20 < len(left) < 200
    assert (tmp_path / FILE_NAME).stat().st_size < 300_000


def test_what_is_not_sent_yet_is_known_oldest_first(tmp_path: Path) -> None:
    def count(each: RunRecord) -> int:
        return 0 if each.skipped else 9

    db = History(tmp_path, count_spans=count)
    runs = [record(1), skipped(2), record(3), record(4)]
    for each in runs:
        db.append(each)
    assert db.unsent(2) == [runs[0], runs[2]]
    db.mark_sent([runs[0].plan.run_id])
    db.close()
    again = History(tmp_path)
    assert again.unsent(9) == [runs[2], runs[3]]
    assert again.contains(runs[0].plan.run_id) and not again.contains("nobody")
    again.close()


def test_no_history_is_said_so(tmp_path: Path) -> None:
    with (
        pytest.raises(NoHistoryError, match=r"there is no history in .*; `probe daemon` writes one"),
        reading(tmp_path),
    ):
        pass
    (tmp_path / FILE_NAME).touch()
    with pytest.raises(NoHistoryError, match="is empty"), reading(tmp_path):
        pass


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough to be looked at" * 9, b"SQLite format 3\0" * 99]
)
def test_a_file_that_is_no_database_is_said_so_and_measuring_goes_on_until_it_is_moved_away(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    problem = r"history\.sqlite3: (not a database|damaged).*; move it away"
    said: list[str] = []
    db = History(tmp_path, on_trouble=said.append)
    assert not db.is_open
    assert len(said) == 1 and re.search(problem, said[0])
    with pytest.raises(HistoryError, match=problem):
        db.append(record(1))
    with pytest.raises(HistoryError, match=problem), reading(tmp_path):
        pass
    assert (tmp_path / FILE_NAME).read_bytes() == content
    (tmp_path / FILE_NAME).rename(tmp_path / "old")
    db.append(record(1))
    assert ids(tmp_path) == ["01"]
    db.close()


def test_a_lock_at_the_start_is_waited_for_beside_the_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    History(tmp_path).close()
    monkeypatch.setattr(writer, "BUSY_TIMEOUT_S", 0.0)
    said: list[str] = []
    with sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        db = History(tmp_path, on_trouble=said.append)
        assert len(said) == 1 and "locked by another process" in said[0]
        other.execute("ROLLBACK")
    other.close()
    db.append(record(1))
    assert ids(tmp_path) == ["01"]
    db.close()


@pytest.mark.parametrize("removed", [("-wal", "-shm"), ("-wal",), ("-shm",)])
def test_a_write_ahead_log_that_is_taken_away_costs_no_run(removed: tuple[str, ...], tmp_path: Path) -> None:
    said: list[str] = []
    db = History(tmp_path, on_trouble=said.append)
    for number in (1, 2):
        db.append(record(number))
    for suffix in removed:
        (tmp_path / f"{FILE_NAME}{suffix}").unlink()
    db.look()
    assert ids(tmp_path) == ["01", "02"]
    db.append(record(3))
    # As if it had been killed now.
    shutil.copytree(tmp_path, tmp_path / "copy")
    assert ids(tmp_path / "copy") == ["01", "02", "03"]
    assert len(said) == 1
    assert all(f"{FILE_NAME}{suffix}" in said[0] for suffix in removed)
    db.close()


def test_what_was_said_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        db = History(tmp_path / "state")
        db.append(record(1))
        assert modes(tmp_path / "state") == {0o600}
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
        db.close()
    finally:
        os.umask(before)


def test_what_an_earlier_version_left_open_to_others_is_closed(tmp_path: Path) -> None:
    History(tmp_path).close()
    tmp_path.chmod(0o755)
    (tmp_path / FILE_NAME).chmod(0o644)
    db = History(tmp_path)
    assert modes(tmp_path) == {0o600}
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    db.close()
    # A folder that many share stays theirs.
    tmp_path.chmod(0o1777)
    History(tmp_path).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}


def test_another_run_of_the_same_id_is_noticed(db: History, tmp_path: Path) -> None:
    db.append(record(1))
    other = replace(record(1), plan=replace(record(1).plan, trace_id="f" * 32))
    with pytest.raises(ValueError, match=r"another run in .* has the id 20231114T221320Z-000001"):
        db.append(other)
    db.append(record(1))
    assert ids(tmp_path) == ["01"]


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    other.close()
    with pytest.raises(HistoryError, match="no history of voice-probe"):
        History(tmp_path)


def test_a_newer_history_is_not_touched(db: History, tmp_path: Path) -> None:
    db._db.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match=r"newer voice-probe \(version 99\)"):
        History(tmp_path)
    with pytest.raises(HistoryError, match=r"newer voice-probe \(version 99\)"), reading(tmp_path):
        pass


def test_a_damaged_history_is_said_so(tmp_path: Path) -> None:
    db = History(tmp_path)
    for number in range(50):
        db.append(record(number))
    db.close()
    path = tmp_path / FILE_NAME
    data = path.read_bytes()
    path.write_bytes(data[:8192] + b"\xa5" * (len(data) - 8192))
    with pytest.raises(HistoryError, match="damaged"), reading(tmp_path) as reader:
        list(reader.runs())


def test_a_schema_that_is_no_text_any_more_is_damage_too(tmp_path: Path) -> None:
    """SQLite quotes it in the message of its error, which is then no text either."""
    History(tmp_path).close()
    path = tmp_path / FILE_NAME
    written = path.read_bytes()
    assert b"runs_by_startruns" in written
    # The name, and the statement that makes it.
    path.write_bytes(
        written.replace(b"runs_by_startruns", b"runs\x98by_startruns").replace(b"CREATE INDEX", b"DREATE INDEX")
    )
    said: list[str] = []
    assert not History(tmp_path, on_trouble=said.append).is_open
    assert said == [f"{path}: damaged (its schema); move it away, and `sqlite3 FILE .recover` may save what is in it"]
    with pytest.raises(HistoryError, match="damaged"), reading(tmp_path):
        pass


GARBAGE = {
    "no compression": b"\0\1",
    "no JSON": zlib.compress(b"{"),
    "no text": zlib.compress(b"\xff"),
    "another JSON": zlib.compress(b"[]"),
    "nothing in it": zlib.compress(b"{}"),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_a_run_that_can_not_be_read_is_left_out_and_known(garbage: bytes, tmp_path: Path) -> None:
    lost: list[tuple[str, int]] = []
    db = History(tmp_path, count_spans=lambda _: 9, on_unreadable=lambda *each: lost.append(each))
    for number in range(1, 5):
        db.append(record(number))
    spoilt = [record(number).plan.run_id for number in (1, 3)]
    for run_id in spoilt:
        db._db.execute("UPDATE runs SET record = ?, serving = NULL WHERE run_id = ?", (garbage, run_id))
    with reading(tmp_path) as reader:
        assert list(reader.runs()) == [record(2), record(4)]
        assert list(reader.points("local", "default")) == [point(record(2)), point(record(4))]
        assert [*reader.unreadable] == spoilt
        with pytest.raises(HistoryError, match=f"run {spoilt[0]} can't be read"):
            reader.get(spoilt[0])
    # With the first batch there is nothing but one that can't be read.
    assert db.unsent(1) == [record(2)]
    db.mark_sent([record(2).plan.run_id])
    assert db.unsent(5) == [record(4)]
    assert lost == [(run_id, 9) for run_id in spoilt]
    db.close()


def test_what_served_may_be_unreadable(db: History, tmp_path: Path) -> None:
    db.append(record(1))
    db._db.execute("UPDATE runs SET serving = '{'")
    with reading(tmp_path) as reader:
        assert reader.serving_since("local", "default") is None
        assert list(reader.points("local", "default")) == []
        assert [*reader.unreadable] == [record(1).plan.run_id]


def test_a_state_directory_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError, match="see who may read and write this directory"):
        History(tmp_path / "file" / "state")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write anything")
def test_what_may_not_be_read_or_written_is_said_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(HistoryError, match="see who may read and write"):
        History(tmp_path)
    tmp_path.chmod(0o700)
    History(tmp_path).close()
    (tmp_path / FILE_NAME).chmod(0o400)
    with pytest.raises(HistoryError, match="see who may read and write"):
        History(tmp_path)
    tmp_path.chmod(0)
    with pytest.raises(HistoryError, match="see who may read and write"), reading(tmp_path):
        pass
    tmp_path.chmod(0o700)


def test_a_reader_needs_no_right_to_write(db: History, tmp_path: Path) -> None:
    db.append(record(1))
    db.close()
    tmp_path.chmod(0o500)
    (tmp_path / FILE_NAME).chmod(0o400)
    assert ids(tmp_path) == ["01"]
    tmp_path.chmod(0o700)


def test_a_lock_that_stays_is_said_so(db: History, tmp_path: Path) -> None:
    db._db.execute("PRAGMA busy_timeout = 0")
    with sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryError, match="locked by another process"):
            db.append(record(1))
        other.execute("ROLLBACK")
    other.close()
    db.append(record(1))
    assert ids(tmp_path) == ["01"]


def test_a_full_disk_is_said_so(db: History) -> None:
    db._db.execute("PRAGMA max_page_count = 8")
    with pytest.raises(HistoryError, match="no space left"):
        db.append(replace(record(1), doubts=(os.urandom(100_000).hex(),)))


def test_a_series_is_read_without_its_records(db: History, tmp_path: Path) -> None:
    runs = [record(1), failed(2), replace(record(3), served=ServerIdentity("small.gguf", "b1")), skipped(4)]
    for each in runs:
        db.append(each)
    db.append(record(5, target="spark"))
    db._db.execute("UPDATE runs SET record = x'00'")
    with reading(tmp_path) as reader:
        assert list(reader.points("local", "default")) == [point(each) for each in runs]
        assert list(reader.points("spark", "default")) == [point(record(5, target="spark"))]
        assert list(reader.points("local", "default", since=START + 1)) == []
        assert list(reader.points("local", "default", limit=2)) == [point(each) for each in runs[-2:]]


def test_a_series_says_which_runs_were_cold(db: History, tmp_path: Path) -> None:
    for number, cold in enumerate((True, False, None)):
        db.append(replace(record(number), cold=cold))
    with reading(tmp_path) as reader:
        assert [each.cold for each in reader.points("local", "default")] == [True, False, False]
        assert [each.cold for each in reader.runs()] == [True, False, None]


def test_since_when_the_fingerprint_is_the_same(db: History, tmp_path: Path) -> None:
    models = ("small", "large", "large", "large")
    for number, model in enumerate(models):
        db.append(replace(record(number, started=START + number), served=ServerIdentity(model)))
    db.append(record(9, started=START + 9, target="spark"))
    with reading(tmp_path) as reader:
        found = reader.serving_since("local", "default")
        assert found is not None and (found[0].llm, found[1] - START) == ("large", 1)
        assert reader.serving_since("nobody", "default") is None


@pytest.fixture
def first_version(tmp_path: Path) -> Path:
    """A history as the first version left it, with two runs."""
    with sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None) as db:
        db.executescript(_VERSION_1)
        for each in (record(1), record(2, started=START + 1)):
            values = (each.plan.run_id, each.started, "local", "default", "ok", 300.0, 0, encode(each))
            db.execute("INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", values)
    db.close()
    return tmp_path


def test_a_history_of_the_first_version_can_be_read_before_a_daemon_has_seen_it(first_version: Path) -> None:
    with reading(first_version) as reader:
        assert list(reader.points("local", "default")) == [point(record(1)), point(record(2, started=START + 1))]
        assert reader.serving_since("local", "default") is None
        assert list(reader.runs()) == [record(1), record(2, started=START + 1)]


def test_a_history_of_the_first_version_goes_on(first_version: Path) -> None:
    db = History(first_version)
    with reading(first_version) as reader:
        assert reader.serving_since("local", "default") is None
    added = replace(record(3, started=START + 2), served=ServerIdentity("small"))
    db.append(added)
    db.close()
    with reading(first_version) as reader:
        assert [each.run_id[-2:] for each in reader.points("local", "default")] == ["01", "02", "03"]
        assert next(reader.points("local", "default")) == point(record(1))
        assert reader.serving_since("local", "default") == (fingerprint(added), START + 2)


@pytest.fixture
def second_version(tmp_path: Path) -> Path:
    """A history as the second version left it, with one run."""
    with sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None) as db:
        db.executescript(_VERSION_1)
        db.executescript(_VERSION_2)
        one = point(record(1))
        values = (one.run_id, one.started, "local", "default", "ok", 0, encode(record(1)), encode_serving(one.serving))
        db.execute(
            "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record, serving,"
            " response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, *one.stages_ms),
        )
    db.close()
    return tmp_path


def test_a_history_of_the_second_version_can_be_read_and_goes_on(second_version: Path) -> None:
    with reading(second_version) as reader:
        # Nor how long its text was.
        assert list(reader.points("local", "default")) == [replace(point(record(1)), chars=None, tokens=None)]
    db = History(second_version)
    db.append(replace(record(2), cold=True))
    db.close()
    with reading(second_version) as reader:
        points = list(reader.points("local", "default"))
        assert [each.cold for each in points] == [False, True]
        assert [each.chars for each in points] == [None, len(record(2).turns[0].chunks[0].text)]


def test_what_runs_were_measured_under_is_read_without_the_rest(db: History, tmp_path: Path) -> None:
    turns = tuple(replace(turn, prompt_tokens=200, cached_tokens=150) for turn in record(5).turns)
    asked = [replace(record(4), reported={"llm": ServerFigures(1, 0, started=5.5)}), replace(record(5), turns=turns)]
    runs = [record(1), on_a_machine(2), on_a_machine(3), *asked]
    for each in runs:
        db.append(each)
    db._db.execute("UPDATE runs SET record = x'00' WHERE run_id = ?", (runs[2].plan.run_id,))
    wanted = [each.plan.run_id for each in runs]
    with reading(tmp_path) as reader:
        assert reader.circumstances([*wanted, "no such run"]) == [circumstances(each) for each in (*runs[:2], *asked)]
        assert reader.circumstances(wanted[:1])[0].machine is None


def test_a_history_that_is_being_made_is_nobody_elses(tmp_path: Path) -> None:
    """A reader finds a file without a version, or one with: never the first one's version with the other's tables."""
    path = tmp_path / "history.sqlite3"
    maker, looker = sqlite3.connect(path), sqlite3.connect(path)
    maker.execute("PRAGMA journal_mode = WAL")
    statements: list[str] = []

    def made_in_between(statement: str) -> None:
        statements.append(statement)
        if len(statements) == 2:
            migrate(maker, path)

    looker.set_trace_callback(made_in_between)
    assert found_version(looker, path) == 0
    migrate(maker, path)
    assert found_version(looker, path) == VERSION
    maker.close()
    looker.close()
