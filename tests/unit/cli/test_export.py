"""`probe export`: which files there are, and that nobody's own are overwritten."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe.cli import export, main

ROOT = Path(__file__).parents[3]
NAMES = {
    "rules": ["voice_probe_alerts.yml", "voice_probe_recording.yml"],
    "dashboards": ["drift.json", "machine.json", "probe.json", "voice-latency.json"],
    "example": ["probe.example.toml"],
    "man": ["probe.1"],
}


def probe(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


@pytest.mark.parametrize("kind", NAMES)
def test_the_files_of_a_kind_are_written_and_named(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "new" / "folder"
    result = probe(kind, folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(folder / name) for name in NAMES[kind]]
    assert sorted(each.name for each in folder.iterdir()) == NAMES[kind]
    for each in folder.iterdir():
        assert each.read_bytes() == next(ROOT.glob(f"*/**/{each.name}")).read_bytes()


def test_a_file_of_somebodys_own_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "probe.example.toml"
    own.write_text("mine")
    result = probe("example", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"probe: {own}: exists and differs; --force replaces it\n"
    assert own.read_text() == "mine"
    assert probe("example", tmp_path, "--force").exit_code == 0
    assert own.read_text() != "mine"
    assert probe("example", tmp_path).exit_code == 0, "it is the same by now"


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = probe("rules", tmp_path / "file" / "x")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_an_installation_without_the_files_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(export, "files", lambda _kind: [])
    result = probe("rules", tmp_path)
    assert (result.exit_code, "this installation has no rules" in result.stderr) == (1, True)


def test_the_wheel_is_told_to_hold_what_a_checkout_has() -> None:
    held = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["data-files"]
    assert held.pop("share/man/man1") == [export.KINDS["man"]], "where `man` looks"
    assert held == {f"share/voice-probe/{kind}": [pattern] for kind, pattern in export.KINDS.items()}
    assert all(
        fnmatch(str(each.relative_to(ROOT)), export.KINDS[kind]) for kind in NAMES for each in export.files(kind)
    )
