"""What else changed with a change of a latency, from the history that the daemon writes."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from reported import LEARNT, runs
from runs import machine

from probe.daemon import beside_history as module
from probe.daemon.beside_history import TooSlowError, names_beside
from probe.drift import Monitor, Shift
from probe.drift.series import point
from probe.history.writer import History
from probe.machine.state import MachineState
from probe.record import RunRecord


def of_the_machine(number: int) -> MachineState:
    """Its clocks are capped from one run on."""
    (gpu,) = machine().gpus
    if number >= LEARNT:
        return machine()
    return replace(machine(), gpus=(replace(gpu, sm_mhz=2418, reasons=()),))


def measured() -> list[RunRecord]:
    return [replace(each, machine=of_the_machine(number)) for number, each in enumerate(runs())]


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    history = History(folder)
    for each in measured():
        history.append(each)
    history.close()
    return folder


@pytest.fixture(scope="module")
def shift() -> Shift:
    monitor = Monitor()
    (shift,) = (found for each in measured() if (found := monitor.add(point(each))) is not None)
    assert isinstance(shift, Shift)
    return shift


def test_the_runs_around_a_change_are_read_from_the_history(state_dir: Path, shift: Shift) -> None:
    assert names_beside(state_dir, Event(), "local", "default", shift) == ("gpu_sm_ghz", "clock_cap")


def test_a_series_without_a_past_has_nothing_beside_it(state_dir: Path, shift: Shift) -> None:
    assert names_beside(state_dir, Event(), "local", "another", shift) == ()


def test_a_disk_that_takes_too_long_is_given_up(state_dir: Path, shift: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMIT_S", -1.0)
    with pytest.raises(TooSlowError):
        names_beside(state_dir, Event(), "local", "default", shift)


def test_nobody_looks_on_while_the_daemon_ends(state_dir: Path, shift: Shift) -> None:
    ending = Event()
    ending.set()
    with pytest.raises(TooSlowError, match="the daemon ends"):
        names_beside(state_dir, ending, "local", "default", shift)
