"""From the configuration to the schedule's entries."""

from pathlib import Path

from probe import config
from probe.config import state_dir
from probe.daemon.plans import entries, settled_at_start
from probe.daemon.timing import Timing

TWO = """
[targets.a]
[targets.b]
[scenarios.long]
[schedules.one]
[schedules.two]
target = "b"
[schedules.three]
target = "b"
scenario = "long"
every_s = 10
phase_s = 2
[schedules.four]
scenario = "long"
target = "a"
cron = "0 6 * * 1"
"""


def load(tmp_path: Path, text: str) -> config.Config:
    path = tmp_path / "probe.toml"
    path.write_text(text.replace("[scenarios.long]", "[scenarios.default]\n[scenarios.long]"))
    return config.load(path)


def test_phases_are_spread_unless_they_are_given(tmp_path: Path) -> None:
    found = {entry.name: entry for entry in entries(load(tmp_path, TWO))}
    assert {name: entry.timing for name, entry in found.items()} == {
        "one": Timing(60.0, 0.0),
        "two": Timing(60.0, 15.0),
        "three": Timing(10.0, 2.0),
        "four": Timing(60.0, 0.0, "0 6 * * 1"),
    }
    assert [(entry.target.name, entry.scenario.name) for entry in found.values()] == [
        ("a", "default"), ("b", "default"), ("b", "long"), ("a", "long")
    ]  # fmt: skip


def test_without_any_schedule_the_first_target_is_measured_every_minute(tmp_path: Path) -> None:
    (entry,) = entries(load(tmp_path, "[targets.spark]\n[targets.other]"))
    assert (entry.target.name, entry.scenario.name, entry.timing) == ("spark", "default", Timing(60.0))


def test_what_a_reload_can_not_change_is_reported(tmp_path: Path) -> None:
    old = load(tmp_path, "")
    new = load(tmp_path, "[http]\nport = 1\n[otlp]\nprotocol = 'none'\n[courtesy]\nmax_wait_s = 1\n[schedules.x]")
    assert settled_at_start(old, new) == ["http.port", "otlp"]
    assert settled_at_start(old, old) == []


def test_the_state_directory_is_the_one_that_is_configured(tmp_path: Path) -> None:
    assert state_dir(load(tmp_path, f'[daemon]\nstate_dir = "{tmp_path}/s"')) == tmp_path / "s"
    assert state_dir(load(tmp_path, "")) == config.default_state_dir()
