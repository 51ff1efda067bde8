"""Histories from before the whole wait had columns: they are read, go on, and are changed as a whole or not at all."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from runs import MS, START, hearing, record

from probe.drift.series import Point, point
from probe.history.file import (
    _VERSION_1,
    _VERSION_2,
    _VERSION_3,
    _VERSION_4,
    FILE_NAME,
    VERSION,
    encode,
    encode_serving,
    found_version,
)
from probe.history.reader import HistoryReader, reading
from probe.history.writer import History
from probe.record import RunRecord

MINUTES = 60_000 * MS
HEARS, READS = ("hears", "default"), ("local", "default")


def spoken(number: int, transcription_ms: int = 300) -> RunRecord:
    """A run of a target that hears, whose transcript took so long."""
    later = (300 - transcription_ms) * MS
    whole = hearing(number, speech_end=START - 900 * MS + later, speech_stopped=START - 400 * MS + later)
    target = replace(whole.plan.target, name="hears")
    return replace(whole, plan=replace(whole.plan, target=target), started=START + number * MINUTES)


def read_in_text(number: int) -> RunRecord:
    return record(number, started=START + number * MINUTES)


RUNS = [made(number) for number in range(1, 9) for made in (spoken, lambda number: read_in_text(number + 100))]


def write_version_4(folder: Path, runs: Sequence[RunRecord], blob: bytes | None = None) -> Path:
    """A history as the fourth version left it. `blob` is in place of every record."""
    path = folder / FILE_NAME
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for script in (_VERSION_1, _VERSION_2, _VERSION_3, _VERSION_4):
            db.executescript(script)
        db.execute("BEGIN")
        for each in runs:
            of = point(each)
            db.execute(
                "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record, serving,"
                " response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms, cold, chars, tokens)"
                " VALUES (?, ?, ?, 'default', ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (of.run_id, of.started, each.plan.target.name, of.outcome, encode(each) if blob is None else blob,
                 encode_serving(of.serving), *of.stages_ms, of.cold, of.chars, of.tokens),
            )  # fmt: skip
        db.execute("COMMIT")
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    write_version_4(tmp_path, RUNS)
    return tmp_path


def points(folder: Path) -> list[list[Point]]:
    with reading(folder) as reader:
        return [[*reader.points(*series)] for series in (HEARS, READS)]


EXPECTED = [[point(each) for each in RUNS if each.plan.target.name == name] for name in ("hears", "local")]


def test_the_whole_wait_is_read_from_records_before_a_daemon_has_seen_it(old: Path) -> None:
    assert points(old) == EXPECTED
    assert {each.asked for each in points(old)[0]} == {"speech"}
    assert [each.hearing_ms[2] for each in points(old)[0]] == [300.0] * 8


def test_it_goes_on_with_columns_and_loses_nothing(old: Path) -> None:
    with reading(old) as reader:
        before = [*reader.runs()]
    with closing(History(old)) as history:
        history.append(spoken(20, transcription_ms=400))
    assert points(old) == [[*EXPECTED[0], point(spoken(20, transcription_ms=400))], EXPECTED[1]]
    with reading(old) as reader:
        assert [*reader.runs()] == [*before, spoken(20, transcription_ms=400)]
    with closing(sqlite3.connect(old / FILE_NAME)) as db:
        rows = db.execute(
            "SELECT asked, voice_to_voice_ms, endpointing_ms, transcription_ms FROM runs ORDER BY seq"
        ).fetchall()
    *were, now = rows
    assert {*were} == {(None, None, None, None)}
    assert now == ("speech", point(spoken(20, transcription_ms=400)).hearing_ms[0], 500.0, 400.0)


def test_of_runs_that_were_asked_in_text_one_record_is_read(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    whole = HistoryReader._record

    def noted(reader: HistoryReader, seq: int, run_id: str) -> RunRecord:
        read.append(run_id)
        return whole(reader, seq, run_id)

    monkeypatch.setattr(HistoryReader, "_record", noted)
    with reading(old) as reader:
        assert len([*reader.points(*READS)]) == 8
        assert len(read) == 1
        assert len([*reader.points(*HEARS)]) == 8
    assert len(read) == 1 + 1 + 8
    with closing(History(old)) as history:
        for number in (20, 21):
            history.append(spoken(number))
    read.clear()
    with reading(old) as reader:
        assert len([*reader.points(*HEARS, limit=2)]) == 2
    assert read == []


def test_where_no_record_can_be_read_the_columns_are(tmp_path: Path) -> None:
    write_version_4(tmp_path, [read_in_text(1)], blob=b"no record")
    assert points(tmp_path)[1] == [point(read_in_text(1))]


def test_an_old_run_of_a_target_that_hears_that_can_not_be_read_is_left_out(old: Path) -> None:
    third = EXPECTED[0][2].run_id
    with closing(sqlite3.connect(old / FILE_NAME)) as db, db:
        db.execute("UPDATE runs SET record = x'00' WHERE run_id = ?", (third,))
    with reading(old) as reader:
        assert [*reader.points(*HEARS)] == [each for each in EXPECTED[0] if each.run_id != third]
        assert [*reader.unreadable] == [third]


def untouched(folder: Path) -> bool:
    """Whether it is one of the fourth version, and whole."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return found_version(db, folder / FILE_NAME) == 4


KILLED = """
import os, signal, sqlite3, sys
from pathlib import Path
from probe.history.file import migrate
path, steps = Path(sys.argv[1]), int(sys.argv[2])
db = sqlite3.connect(path, isolation_level=None)
left = [steps]
def kill():
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
db.set_progress_handler(kill, 100)
migrate(db, path)
"""


def killed_after(folder: Path, steps: int) -> bool:
    """Change it to today's version in another process; whether that was killed after so many steps, before its end."""
    done = subprocess.run([sys.executable, "-c", KILLED, str(folder / FILE_NAME), str(steps)], check=False, timeout=60)
    assert done.returncode in (0, -signal.SIGKILL)
    return done.returncode != 0


def test_a_change_that_is_killed_has_not_begun(tmp_path: Path) -> None:
    """At any place: until its commit the file is of the version before, and is changed afterwards."""
    write_version_4(tmp_path, RUNS)
    interrupted = 0
    for steps in (0, 1, 2, 4, 8, 16):
        if not killed_after(tmp_path, steps):
            break
        assert untouched(tmp_path)
        interrupted += 1
    assert interrupted >= 2, "it was never killed in the middle"
    with closing(History(tmp_path)):
        assert points(tmp_path) == EXPECTED
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        assert found_version(db, tmp_path / FILE_NAME) == VERSION


def large(number: int) -> Iterator[RunRecord]:
    return (replace(each, plan=replace(each.plan, run_id=f"{n:016x}")) for n, each in enumerate([RUNS[1]] * number))


@pytest.mark.skipif(sys.platform == "darwin", reason="there, it is in bytes")
def test_the_change_of_many_runs_takes_little_memory(tmp_path: Path) -> None:
    write_version_4(tmp_path, [*large(1000)], blob=os.urandom(32_000))
    size = (tmp_path / FILE_NAME).stat().st_size
    code = (
        "import resource, sqlite3, sys; from pathlib import Path; from probe.history.file import migrate\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "migrate(sqlite3.connect(sys.argv[1], isolation_level=None), Path(sys.argv[1]))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / FILE_NAME)], capture_output=True, check=True)
    assert size > 30_000_000
    assert int(done.stdout) * 1024 < size / 3
