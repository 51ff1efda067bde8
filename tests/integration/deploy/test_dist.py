"""What is in the wheel and in the source distribution of the last commit."""

import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from released import ROOT, module


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The source distribution and the wheel."""
    source, wheel = module("dist").build("HEAD", tmp_path_factory.mktemp("dist"))
    return source, wheel


def committed() -> set[str]:
    """The files of the package, as of the last commit."""
    listed = git("ls-tree", "-r", "--name-only", "HEAD", "src/probe")
    return {line.removeprefix("src/") for line in listed.splitlines()}


def git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_wheel_holds_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        names = set(wheel.namelist())
        metadata = next(wheel.read(name).decode() for name in names if name.endswith("/METADATA"))
        said = wheel.read("probe/commit.txt").decode().strip()
    beside = {name.partition("/")[0] for name in names} - {"probe"}
    assert {name for name in names if name.startswith("probe/")} == {*committed(), "probe/commit.txt"}
    assert {each.rpartition(".")[2] for each in beside} == {"data", "dist-info"}
    assert git("rev-parse", "HEAD").startswith(said) and len(said) >= 12
    assert "\nVersion: " in metadata


def test_the_source_distribution_holds_what_the_wheel_is_made_of(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as source:
        members = source.getmembers()
    names = {each.name.partition("/")[2] for each in members if each.isfile()}
    assert {f"src/{name}" for name in committed()} < names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "grafana/demo_data/", ".git"))]
    assert {each.mtime for each in members} == {members[0].mtime}
    assert {(each.uid, each.uname) for each in members} == {(0, "")}
