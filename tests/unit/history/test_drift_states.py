"""What the daemon knows of a series, read from its saved state and the runs since."""

from pathlib import Path

import pytest
from reported import LEARNT, Reported, runs
from runs import MS, START, record

from probe.drift import Monitor, Verdict
from probe.drift.series import point
from probe.history.drift_states import FOLDER, DriftStates, detector
from probe.history.reader import HistoryReader, reading
from probe.history.writer import History

SERIES = ("local", "default")


def verdict(folder: Path) -> Verdict | None:
    with reading(folder) as reader:
        known = detector(reader, *SERIES)
    return None if known is None else known.verdict()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A state that was saved before it became slow, and runs since."""
    reported, history = Reported(DriftStates(tmp_path).save), History(tmp_path)
    for number, each in enumerate(runs()):
        history.append(each)
        reported.take(each)
        if number == LEARNT:
            reported.sink.close(1)
    history.close()
    return tmp_path


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
