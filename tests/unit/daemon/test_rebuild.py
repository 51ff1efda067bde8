"""Detectors are where they were before a restart, while runs go on."""

import math
import os
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from reported import LEARNT, SLOW, Reported, run, runs
from runs import MS, START, hearing

from probe.daemon.history_drift import WatchedHistory
from probe.daemon.rebuild import Rebuild
from probe.drift import Monitor
from probe.drift.series import Point, point
from probe.drift.state import Kept, encode
from probe.history.drift_states import FOLDER, DriftStates
from probe.history.reader import PAGE, HistoryReader, reading
from probe.history.writer import History
from probe.record import RunRecord

SERIES = ("local", "default")
PATIENCE_S = 60.0


class Restarted:
    """A daemon's history and sink with a rebuild of them."""

    def __init__(self, folder: Path, new_monitor: Callable[[], Monitor] = Monitor) -> None:
        self.reported = Reported(DriftStates(folder).save)
        self.errors: list[tuple[str, str]] = []
        self.rebuilt = 0
        self.kept = WatchedHistory(History(folder), self.reported.sink, on_error=self._failed)
        self.rebuild = Rebuild(
            folder, self.reported.sink, self.kept, new_monitor, [SERIES], on_error=self._failed, on_rebuilt=self._done
        )

    def take(self, record: RunRecord) -> None:
        self.kept.append(record)
        self.reported.sink.write(record)

    def finish(self) -> None:
        self.rebuild.start()
        self.rebuild.join(PATIENCE_S)

    def _failed(self, *error: str) -> None:
        self.errors.append((error[0], error[1]))

    def _done(self) -> None:
        self.rebuilt += 1


@pytest.fixture(autouse=True)
def recent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runs of these tests are of 2023."""
    monkeypatch.setattr("probe.daemon.rebuild.REBUILT_DAYS", 100 * 365)


Past = tuple[Reported, Path]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Past:
    folder = tmp_path_factory.mktemp("watched")
    reported, history = Reported(), History(folder)
    for each in runs():
        history.append(each)
        reported.take(each)
    history.close()
    return reported, folder


@pytest.fixture
def before(watched: Past, tmp_path: Path) -> Reported:
    """What was reported of the runs, which are in the history."""
    reported, folder = watched
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return reported


def comparable(samples: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """All but the counter, which begins at zero."""
    return {key: value for key, value in samples.items() if key[0] != "changes_total"}


def test_the_state_survives_a_restart(before: Reported, tmp_path: Path) -> None:
    again = Restarted(tmp_path)
    again.finish()
    assert comparable(again.reported.samples()) == comparable(before.samples())
    # What was reported is not reported again.
    assert again.reported.samples()["changes_total", "tts_ttfb"] == 0
    assert again.reported.lines() == []
    assert [again.kept.found_with(each)[0] for each in runs()] == [
        before.sink.found_with(each.plan.run_id) for each in runs()
    ]
    assert (again.errors, again.rebuilt) == ([], 1)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Past:
    folder = tmp_path_factory.mktemp("ended")
    reported, history = Reported(DriftStates(folder).save), History(folder)
    for each in runs()[:-10]:
        history.append(each)
        reported.take(each)
    reported.sink.close(PATIENCE_S)
    for each in runs()[-10:]:
        history.append(each)
        reported.take(each)
    history.close()
    return reported, folder


@pytest.fixture
def saved(ended: Past, tmp_path: Path) -> Reported:
    """As `before`, and it was saved in the middle of what became slow, when the daemon ended."""
    reported, folder = ended
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return reported


def only_file(folder: Path) -> Path:
    (path,) = (folder / FOLDER).iterdir()
    return path


def test_what_was_saved_goes_on_with_the_runs_since_and_reads_no_others(
    saved: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, page = [], HistoryReader.page

    def noted(reader: HistoryReader, *given: object) -> list[tuple[int, Point | None]]:
        read.append(rows := page(reader, *given))  # type: ignore[arg-type]  # as it is called
        return rows

    monkeypatch.setattr(HistoryReader, "page", noted)
    again = Restarted(tmp_path)
    again.finish()
    assert sum(map(len, read)) == 10
    assert comparable(again.reported.samples()) == comparable(saved.samples())
    assert [again.kept.found_with(each)[0] for each in runs()] == [
        saved.sink.found_with(each.plan.run_id) for each in runs()
    ]
    assert (again.errors, again.reported.lines()) == ([], [])
    again.reported.sink.close(PATIENCE_S)
    assert only_file(tmp_path).stat().st_mode & 0o777 == 0o600


def test_what_was_saved_is_known_before_the_runs_since_are_read(saved: Reported, tmp_path: Path) -> None:
    del saved
    again = Restarted(tmp_path)
    again.rebuild._stop.set()
    with reading(tmp_path) as reader:
        again.rebuild._resume(reader, *SERIES, 0)
    assert again.reported.samples()["state", ""] == 1


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-7]), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: os.truncate(path, 30_000_000), "too large"),
        (lambda path: (path.unlink(), path.mkdir()), "Is a directory"),
    ],
)
def test_what_can_not_be_read_is_rebuilt_from_the_history(
    saved: Reported, tmp_path: Path, spoil: Callable[[Path], object], complaint: str
) -> None:
    spoil(only_file(tmp_path))
    again = Restarted(tmp_path)
    again.finish()
    assert comparable(again.reported.samples()) == comparable(saved.samples())
    ((sink, error),) = again.errors
    assert sink == "drift"
    assert complaint in error


def test_another_version_is_rebuilt_from_the_history(
    saved: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.drift.state.VERSION", -1)
    again = Restarted(tmp_path)
    again.finish()
    assert comparable(again.reported.samples()) == comparable(saved.samples())
    assert "of version" in again.errors[0][1]


def test_a_state_that_watched_less_than_the_whole_wait_is_rebuilt_from_the_history(tmp_path: Path) -> None:
    """The version before left it, of a target that hears; that is no error."""
    spoken = [replace(hearing(number), started=START + number * 60_000 * MS) for number in range(70)]
    before = Monitor()
    with closing(History(tmp_path)) as history:
        for each in spoken:
            history.append(each)
            before.add(replace(point(each), asked="text"))
    DriftStates(tmp_path).save(*SERIES, encode(SERIES, Kept(spoken[-1].plan.run_id, before, {})))
    again = Restarted(tmp_path)
    again.finish()
    verdict = again.reported.sink._monitor(*SERIES).verdict()
    assert (again.errors, verdict.state, verdict.now[0].stage) == ([], "stable", "voice_to_voice")


def test_other_settings_and_another_history_are_begun_with_the_history(saved: Reported, tmp_path: Path) -> None:
    patient = Restarted(tmp_path, lambda: Monitor(least_change=10.0))
    patient.finish()
    assert (patient.errors, patient.reported.samples()["state", ""]) == ([], 0)
    del saved
    for path in tmp_path.glob("history*"):
        path.unlink()
    other = Restarted(tmp_path)
    other.take(run(1, 300))
    other.finish()
    assert (other.errors, other.reported.sink._monitor(*SERIES).verdict().cold_runs) == ([], 1)


def test_states_of_series_that_nobody_measures_any_more_go(
    saved: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del saved
    states = DriftStates(tmp_path)
    states.forget_old()
    assert only_file(tmp_path)
    monkeypatch.setattr("probe.history.drift_states._FORGOTTEN_AFTER_S", -1000)
    states.forget_old()
    assert list((tmp_path / FOLDER).iterdir()) == []


def test_runs_of_a_series_that_is_not_rebuilt_wait_and_are_reported_then(tmp_path: Path) -> None:
    whole = Reported()
    for each in runs():
        whole.take(each)
    earlier = History(tmp_path)
    for each in runs()[:LEARNT]:
        earlier.append(each)
    earlier.close()
    again = Restarted(tmp_path)
    for each in runs()[LEARNT:]:
        again.take(each)
    assert math.isnan(again.reported.samples()["state", ""])
    assert again.reported.lines() == []
    again.finish()
    assert again.reported.samples() == whole.samples()
    (line,), (known,) = again.reported.lines(), whole.lines()
    assert line | {"timestamp": ""} == known | {"timestamp": ""}


def test_runs_that_end_while_a_page_is_looked_at_are_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Reported()
    for each in runs():
        whole.take(each)
    earlier = History(tmp_path)
    for each in runs()[:PAGE]:
        earlier.append(each)
    earlier.close()
    again, coming, page = Restarted(tmp_path), runs()[PAGE:], HistoryReader.page

    def while_runs_end(*given: object) -> list[tuple[int, Point | None]]:
        rows = page(*given)  # type: ignore[arg-type]  # as it is called
        for each in coming[:30]:
            again.take(each)
        del coming[:30]
        return rows

    monkeypatch.setattr(HistoryReader, "page", while_runs_end)
    again.finish()
    assert again.reported.samples() == whole.samples()


def test_spans_wait_until_it_is_known_what_was_found(before: Reported, tmp_path: Path) -> None:
    del before
    spans = History(tmp_path / "spans", count_spans=lambda _run: 1)
    again = Restarted(tmp_path)
    kept = WatchedHistory(spans, again.reported.sink, on_error=lambda *_: None)
    kept.append(run(1, 300))
    assert kept.unsent(10) == []
    again.finish()
    assert [each.plan.run_id for each in kept.unsent(10)] == [run(1, 300).plan.run_id]
    kept.close()


def test_a_past_that_breaks_the_detector_begins_anew(before: Reported, tmp_path: Path) -> None:
    del before

    class Broken(Monitor):
        def add(self, point: Point) -> None:
            raise ZeroDivisionError(point.run_id[:0])

    again = Restarted(tmp_path, Broken)
    again.finish()
    assert again.errors == [("drift", "local/default starts again: ZeroDivisionError: ")]
    assert again.rebuilt == 1
    again.take(run(1, 300))
    assert again.reported.sink._monitor(*SERIES).verdict().cold_runs == 1


def test_a_stop_in_the_middle_is_prompt(before: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del before
    at_work, page = threading.Event(), HistoryReader.page

    def endless(reader: HistoryReader, *given: object) -> list[tuple[int, Point | None]]:
        at_work.set()
        return page(reader, *given[:3], 0)  # type: ignore[call-arg,arg-type]  # the first page, for ever

    monkeypatch.setattr(HistoryReader, "page", endless)
    again = Restarted(tmp_path)
    again.rebuild.start()
    assert at_work.wait(PATIENCE_S)
    again.rebuild.stop()
    again.rebuild.join(PATIENCE_S)
    assert not again.rebuild._thread.is_alive()
    assert math.isnan(again.reported.samples()["state", ""])


def test_one_that_was_never_started_is_not_waited_for(tmp_path: Path) -> None:
    again = Restarted(tmp_path)
    again.rebuild.stop()
    again.rebuild.join(PATIENCE_S)
    assert again.errors == []


def test_a_series_is_read_in_pages_with_all_its_runs_once(before: Reported, tmp_path: Path) -> None:
    del before
    with reading(tmp_path) as reader:
        assert [each.run_id for each in reader.points(*SERIES)] == [each.plan.run_id for each in runs()]
        newest = [each.run_id for each in reader.points(*SERIES, limit=SLOW)]
        assert newest == [each.plan.run_id for each in runs()[-SLOW:]]
        assert len(reader.page(*SERIES, 0, 0)) == PAGE
