"""The released files: made twice they are the same, and pip installs the wheel into an environment of its own."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from released import module


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    source, wheel = module("dist").build("HEAD", tmp_path_factory.mktemp("dist"))
    return source, wheel


def test_the_same_commit_makes_the_same_files(built: tuple[Path, Path], tmp_path: Path) -> None:
    again = module("dist").build("HEAD", tmp_path)
    assert [each.name for each in again] == [each.name for each in built]
    assert [each.read_bytes() for each in again] == [each.read_bytes() for each in built]


def output(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, cwd="/", timeout=300)
    return done.stdout


def test_pip_installs_the_wheel_from_its_file(built: tuple[Path, Path], tmp_path: Path) -> None:
    """What it requires is what is installed for these tests: no registry is asked."""
    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    flags = ("--no-deps", "--no-index", "--disable-pip-version-check")
    output(sys.executable, "-m", "pip", "--python", python, "install", *flags, built[1])
    purelib = Path(output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (purelib / "required.pth").write_text(sysconfig.get_path("purelib") + "\n")
    probe = tmp_path / "env" / "bin" / "probe"
    said = output(probe, "--version")
    commit = (purelib / "probe" / "commit.txt").read_text().strip()
    assert said.endswith(f"(commit {commit})\n") and said.startswith("probe, version ")
    output(probe, "export", "example", tmp_path / "exported")
    assert "unicorn" in output(probe, "check-config", tmp_path / "exported" / "probe.example.toml", "--show")
