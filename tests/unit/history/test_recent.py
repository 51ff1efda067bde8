"""What a page about now reads of the history: by indexes, from columns, and from damaged files as far as it goes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from a_day import stalled
from many_runs import fill
from runs import START, failed, record, skipped

from probe.drift import Monitor
from probe.drift.state import Kept, encode
from probe.history import recent as module
from probe.history import verdicts as verdicts_module
from probe.history.drift_states import DriftStates
from probe.history.file import FILE_NAME
from probe.history.reader import HistoryReader, reading
from probe.history.recent import recent
from probe.history.silences import Silences
from probe.history.verdicts import Verdicts
from probe.history.writer import History
from probe.recent import Recent

S = 10**9
MINUTE = 60 * S
NOW = START + 10 * 86_400 * S


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path)) as found:
        yield found


def read(history: History) -> list[Recent]:
    with reading(history.path.parent) as reader:
        return recent(reader, NOW)


def test_a_series_in_brief(history: History) -> None:
    for number in range(1, 31):
        history.append(record(number, started=NOW - (31 - number) * MINUTE, ttfb_ms=100 + number, target="a"))
    for number, ago in ((31, 5), (32, 3)):
        history.append(failed(number, started=NOW - ago * MINUTE, target="a"))
    history.append(replace(skipped(33), started=NOW - MINUTE))
    a, local = read(history)
    assert (a.target, local.target, len(a.runs), a.runs[0]) == ("a", "local", 32, (NOW - 30 * MINUTE, "ok", 101.0))
    assert [each.reason for each in a.failures] == ["no_audio"] * 2
    assert (a.failing_since, a.missing_since, a.in_a_row(["failed"])) == (NOW - 5 * MINUTE, NOW - 5 * MINUTE, 2)
    assert (a.starts[0], len(a.starts), a.cold) == (NOW - 3 * MINUTE, 20, [])
    assert a.last is not None and a.last.plan.run_id.endswith("000020")
    assert (local.failing_since, local.runs) == (None, [(NOW - MINUTE, "skipped", None)])


def test_a_day_of_a_usual_schedule_and_three_of_a_rare_one(history: History) -> None:
    for number in range(70):
        history.append(record(number + 1, started=NOW - (70 - number) * 3600 * S, target="hourly"))
        if number % 24 == 0:
            history.append(record(1000 + number, started=NOW - (70 - number) * 3600 * S, target="daily"))
    daily, hourly = read(history)
    assert (len(daily.runs), daily.older) == (3, {})
    assert (len(hourly.runs), hourly.older) == (24, {"ok": 46, "slow": 0, "failed": 0})


def test_a_row_that_is_older_than_a_day(history: History) -> None:
    for number in range(50):
        history.append(failed(number + 1, started=NOW - (50 - number) * 3600 * S))
    (found,) = read(history)
    assert (found.failing_since, len(found.runs)) == (NOW - 50 * 3600 * S, 24)


def test_a_cold_run(history: History) -> None:
    history.append(replace(record(1, started=NOW - MINUTE), cold=True))
    assert read(history)[0].cold == [NOW - MINUTE]


def test_nothing(history: History) -> None:
    assert read(history) == []


def test_every_query_has_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that goes through all rows would read 150 MB at 100,000 runs."""
    fill(tmp_path, runs=300, targets=["a", "b"], until=NOW)
    plans: list[str] = []
    asked = module.rows

    def explained(reader: HistoryReader, query: str, values: tuple[object, ...], *rest: Any) -> list[tuple[Any, ...]]:
        plans.extend(step for *_, step in asked(reader, f"EXPLAIN QUERY PLAN {query}", values))
        return asked(reader, query, values, *rest)

    monkeypatch.setattr(module, "rows", explained)
    with reading(tmp_path) as reader:
        assert len(recent(reader, NOW)) == 2
    assert len(plans) > 15
    assert [each for each in plans if not each.startswith("SEARCH runs USING")] == []
    rows = "SEARCH runs USING INDEX"
    # Only two queries read rows: those for the records of the last run and of the last failures.
    assert sum(each.startswith(rows) for each in plans) == 4


def test_damaged_pages_cost_their_runs_only(tmp_path: Path) -> None:
    fill(tmp_path, runs=2000, targets=["a", "b"], until=NOW, every_s=60)
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as db:
        (page,) = db.execute(
            "SELECT max(pageno) FROM dbstat WHERE name = 'runs_series' AND pagetype = 'leaf'"
        ).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    with reading(tmp_path) as reader:
        found = recent(reader, NOW)
    assert [each.target for each in found] == ["a", "b"]
    assert min(len(each.runs) for each in found) > 900


def test_the_verdict_is_that_of_the_daemon_and_follows_the_runs(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    state_dir = history.path.parent
    history.append(record(1, started=NOW))
    monitor = Monitor()
    with reading(state_dir) as reader:
        for each in reader.points("local", "default"):
            monitor.add(each)
    kept = Kept(record(1).plan.run_id, monitor, {})
    DriftStates(state_dir).save("local", "default", encode(("local", "default"), kept))
    verdicts = Verdicts()

    def runs() -> list[int]:
        with reading(state_dir) as reader:
            verdicts.refresh(reader)
        return [each.runs + each.cold_runs for each in verdicts.known.values()]

    assert runs() == [1]
    history.append(record(2, started=NOW + MINUTE))
    history.append(record(3, started=NOW + MINUTE, target="other"))
    assert (runs(), runs()) == ([2], [2])
    # Where only the verdict is held, the detector is read again.
    monkeypatch.setattr(verdicts_module, "MOST_HELD", 0)
    history.append(record(4, started=NOW + 2 * MINUTE))
    assert (runs(), runs()) == ([3], [3])
    history.append(record(5, started=NOW + 3 * MINUTE))
    assert runs() == [4]


def test_the_longest_silence_of_the_last_runs(history: History) -> None:
    """A record is read once; what there was no time for follows with the next look."""
    for number in range(1, 4):
        history.append(record(number, started=NOW - (4 - number) * MINUTE))
    history.append(stalled(4, NOW, "local"))
    times = iter(range(1000))
    silences = Silences(lambda: float(next(times)))
    with reading(history.path.parent) as reader:
        silences.refresh(reader, 0)
        assert silences.worst(("local", "default")) is None
        silences.refresh(reader, 100)
        found = silences.worst(("local", "default"))
        assert found is not None and (found.run_id, round(found.ms)) == (stalled(4, NOW, "local").plan.run_id, 2421)
        history.append(record(5, started=NOW + MINUTE))
        silences.refresh(reader, 100)
        assert silences.worst(("local", "default")) == found
        assert silences.worst(("nobody", "default")) is None
