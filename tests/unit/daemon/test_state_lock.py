"""One daemon for each state directory."""

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest

from probe.daemon.state_lock import FILE_NAME, TakenError, hold, hold_if_possible


def test_a_state_directory_is_taken_once_and_it_is_said_by_whom(tmp_path: Path) -> None:
    with hold(tmp_path / "state"), pytest.raises(TakenError) as refused:
        hold(tmp_path / "state")
    assert f"{tmp_path}/state is used by another daemon (process {os.getpid()})" in str(refused.value)
    assert "daemon.state_dir" in str(refused.value)


def test_somebody_who_tidies_up_lets_no_second_one_in(tmp_path: Path) -> None:
    with hold(tmp_path):
        (tmp_path / FILE_NAME).unlink()
        with pytest.raises(TakenError, match="process unknown"):
            hold(tmp_path)
    hold(tmp_path).close()


def test_a_directory_that_takes_the_place_of_another_is_taken(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with hold(state) as held:
        shutil.rmtree(state)
        assert held.keep() is None
        state.mkdir()
        assert held.keep() is None
        with pytest.raises(TakenError):
            hold(state)
        assert held.keep() is None
    hold(state).close()


def test_another_daemon_that_was_quicker_is_reported_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with hold(state) as held:
        shutil.rmtree(state)
        with hold(state):
            complaint = held.keep()
            assert complaint is not None and "is used by another daemon" in complaint
            assert held.keep() is None
        assert held.keep() is None
        with pytest.raises(TakenError):
            hold(state)


def test_it_is_free_again_afterwards_whatever_the_file_says(tmp_path: Path) -> None:
    hold(tmp_path).close()
    (tmp_path / FILE_NAME).write_text("x" * 100)
    with hold(tmp_path):
        assert (tmp_path / FILE_NAME).read_text() == f"{os.getpid()}\n"
        assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_directory_that_the_disk_does_not_let_be_taken_is_used_by_nobody_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[str] = []
    with hold(tmp_path), pytest.raises(TakenError):
        hold_if_possible(tmp_path, reported.append)
    for error, lines in ((errno.ENOSPC, 1), (errno.ENOLCK, 1)):

        def refuse(*_: object, number: int = error) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr("fcntl.flock", refuse)
        assert hold_if_possible(tmp_path, reported.append) is None
        assert len(reported) == lines
    assert "a second daemon here would go unnoticed" in reported[0]
