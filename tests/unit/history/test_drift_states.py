"""What the daemon knows of a series, read from its saved state and the runs since."""

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from reported import LEARNT, Reported, runs
from runs import MS, START, hearing, record

from probe.drift import Monitor, Verdict
from probe.drift.series import point
from probe.drift.state import Kept, encode
from probe.history.drift_states import FOLDER, DriftStates, detector
from probe.history.reader import HistoryReader, reading
from probe.history.writer import History
from probe.record import RunRecord

SERIES = ("local", "default")
PATIENCE_S = 60.0


def verdict(folder: Path) -> Verdict | None:
    with reading(folder) as reader:
        known = detector(reader, *SERIES)
    return None if known is None else known.verdict()


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ended")
    reported, history = Reported(DriftStates(folder).save), History(folder)
    for number, each in enumerate(runs()):
        history.append(each)
        reported.take(each)
        if number == LEARNT:
            reported.sink.close(PATIENCE_S)
    history.close()
    return folder


@pytest.fixture
def saved(ended: Path, tmp_path: Path) -> Path:
    """A state that was saved before it became slow, and runs since."""
    return shutil.copytree(ended, tmp_path, dirs_exist_ok=True)


def test_it_is_what_the_whole_past_says_and_only_the_runs_since_are_read(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, page = [], HistoryReader.page

    def noted(reader: HistoryReader, *given: object) -> list[tuple[int, object]]:
        rows = page(reader, *given)  # type: ignore[arg-type]  # as it is called
        read.append(len(rows))
        return [*rows]

    monkeypatch.setattr(HistoryReader, "page", noted)
    whole = Monitor()
    for each in runs():
        whole.add(point(each))
    assert verdict(saved) == whole.verdict()
    assert whole.verdict().state == "slower"
    assert sum(read) == len(runs()) - LEARNT - 1


def test_nothing_is_known_where_nothing_was_saved(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.append(runs()[0])
    history.close()
    assert verdict(tmp_path) is None


def test_nothing_is_known_where_the_state_can_not_be_read(saved: Path) -> None:
    (path,) = (saved / FOLDER).iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert verdict(saved) is None


def test_nothing_is_known_where_the_history_is_another(saved: Path) -> None:
    for path in saved.glob("history*"):
        path.unlink()
    history = History(saved)
    history.append(record(999, started=START + 10**9 * MS))
    history.close()
    assert verdict(saved) is None


def spoken(number: int) -> RunRecord:
    """A run of a target that hears."""
    whole = hearing(number)
    return replace(whole, started=START + number * 60_000 * MS)


def test_a_state_that_knew_nothing_of_the_whole_wait_is_none(tmp_path: Path) -> None:
    """A version before watched what comes after the question, also where the target hears: its state is built again."""
    runs = [spoken(number) for number in range(70)]
    with closing(History(tmp_path)) as history:
        for each in runs:
            history.append(each)
    before, now = Monitor(), Monitor()
    for seen in map(point, runs):
        before.add(replace(seen, asked="text"))
        now.add(seen)
    states, last = DriftStates(tmp_path), runs[-1].plan.run_id
    states.save(*SERIES, encode(SERIES, Kept(last, before, {})))
    assert verdict(tmp_path) is None
    states.save(*SERIES, encode(SERIES, Kept(last, now, {})))
    known = verdict(tmp_path)
    assert known is not None and known == now.verdict()
    assert known.now[0].stage == "voice_to_voice"
