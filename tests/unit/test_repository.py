"""What every tracked file keeps: nothing about the machine it was written on, nothing installed that is not pinned."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = {
    name: ROOT / "requirements" / f"{name}.txt"
    for name in ("audit", "build", "daemon", "demo", "dev", "fuzz", "pipecat", "servers", "voice", "web")
}
INSTALLS = re.compile(r"requirements.*|Makefile|\.ci/.*")
ADDRESS = re.compile(r"https?://|index-url")
MACHINE_PATH = re.compile(r"(?<![\w.])/(work|root)/")
PINNED = re.compile(
    r"(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+?))?(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)


def tracked() -> Iterator[tuple[str, str]]:
    """Yield the path and text of each tracked text file."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - whichever git the developer uses
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    for name in filter(None, listing.stdout.split("\0")):
        data = (ROOT / name).read_bytes() if (ROOT / name).is_file() else b""
        if b"\0" not in data:
            yield name, data.decode("utf-8")


def found(pattern: re.Pattern[str], files: Iterator[tuple[str, str]]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in files
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def requirements(lock: Path) -> list[str]:
    """Return the lock's entries, each on one line and without comments."""
    lines = [line for line in lock.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines).replace(" \\\n   ", "").splitlines()


def pins(lock: Path) -> set[tuple[str, str]]:
    entries = (PINNED.fullmatch(entry) for entry in requirements(lock))
    return {(entry["name"], entry["version"]) for entry in entries if entry}


def test_nothing_that_installs_names_an_address() -> None:
    assert found(ADDRESS, ((name, text) for name, text in tracked() if INSTALLS.fullmatch(name))) == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    assert found(MACHINE_PATH, tracked()) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [(ADDRESS, "--extra-index-url x"), (ADDRESS, "a @ https:" + "//x/a.whl"), (MACHINE_PATH, "cd '/ro" + "ot/x'")],
)
def test_such_a_line_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert found(pattern, iter([("file", f"fine\n{line}\n")])) == [f"file:2: {line}"]


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    entries = requirements(LOCKS[name])
    assert entries
    assert [entry for entry in entries if not PINNED.fullmatch(entry)] == []


def test_a_larger_lock_holds_the_smaller_one_at_the_same_versions() -> None:
    assert pins(LOCKS["build"]) | pins(LOCKS["daemon"]) < pins(LOCKS["demo"]) < pins(LOCKS["dev"])
    assert pins(LOCKS["demo"]) < pins(LOCKS["voice"]) < pins(LOCKS["dev"])
    assert pins(LOCKS["daemon"]) < pins(LOCKS["web"]) < pins(LOCKS["dev"])


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("daemon", ["gpu", "http"]),
        ("web", ["gpu", "http", "web"]),
        ("demo", ["reference", "http", "web"]),
        ("voice", ["reference", "stt", "http", "web"]),
        ("dev", ["stt", "piper", "web", "gpu", "http", "dev"]),
        ("fuzz", ["fuzz"]),
    ],
)
def test_the_lock_is_as_the_project_declares(name: str, extras: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [
        *project["dependencies"],
        *(line for extra in extras for line in project["optional-dependencies"][extra]),
    ]
    locked = dict(pins(LOCKS[name]))
    wanted = [Requirement(line) for line in declared]
    assert [str(one) for one in wanted if locked.get(one.name, "0") not in one.specifier] == []


@pytest.mark.parametrize(
    "path",
    [each for kind in ("integration", "long") for each in sorted((ROOT / "tests" / kind).rglob("test_*.py"))],
    ids=lambda path: path.stem,
)
def test_what_measures_over_sockets_allows_a_busy_machine(path: Path) -> None:
    """A doubt that the machine earned would fail the test, and with it whatever change it is to judge."""
    text = path.read_text()
    measures = re.search(
        r"^from probe\.(?:engine import runner|measurement import measure|daemon\.attempt)", text, re.MULTILINE
    )
    assert measures is None or "patience." in text
