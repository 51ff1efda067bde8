"""What install.sh says before it does anything. What it does is tested under a real systemd."""

import fcntl
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[3] / "deploy" / "install.sh"
# Whatever else it wanted, it could not: nothing of it is on its PATH.
HARMLESS = (
    "awk",
    "basename",
    "bash",
    "cat",
    "cmp",
    "dirname",
    "env",
    "find",
    "readlink",
    "sed",
    "sha256sum",
    "sort",
    "xargs",
)
GOOD = {
    "uname": "case $1 in -s) echo Linux ;; -m) echo aarch64 ;; esac",
    "id": "echo 0",
    "systemctl": "echo 255.4-1ubuntu8",
    "df": r"printf 'Filesystem 1024-blocks Used Available\n/dev/x 9 9 99999999\n'",
    "python3": "cat >/dev/null",
}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Install = Callable[..., Said]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Run install.sh on a machine that is what its commands say it is."""

    def run(*options: str, **commands: str) -> Said:
        for name in HARMLESS:
            (tmp_path / name).symlink_to(
                next(path for path in (Path("/bin") / name, Path("/usr/bin") / name) if path.exists())
            )
        for name, script in {**GOOD, **commands}.items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        command = ["/bin/bash", str(INSTALL), *options]
        if "--python" not in options:
            command += ["--python", str(tmp_path / "python3")]
        done = subprocess.run(
            command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
        )  # fmt: skip
        return Said(done.returncode, done.stdout, done.stderr)

    return run


def test_a_dry_run_tells_all_that_would_be_done(install: Install) -> None:
    said = install("--dry-run")
    assert (said.code, said.err) == (0, "")
    assert len(said.out.splitlines()) == 4
    assert all(line.startswith("would ") for line in said.out.splitlines())


def test_a_version_with_the_pages_has_its_own_name(install: Install) -> None:
    assert "-web in /opt/voice-probe/versions" in install("--dry-run", "--with-web").out


def test_without_a_word_there_are_no_pages(install: Install) -> None:
    assert "-web" not in install("--dry-run").out


def test_a_dry_run_needs_no_root(install: Install) -> None:
    assert install("--dry-run", id="echo 1000").code == 0


@pytest.mark.parametrize(
    ("command", "says", "reason"),
    [
        ("uname", "case $1 in -s) echo Darwin ;; -m) echo aarch64 ;; esac", "this is Darwin; the service needs Linux"),
        ("uname", "case $1 in -s) echo Linux ;; -m) echo riscv64 ;; esac", "the processor is riscv64"),
        ("systemctl", "exit 1", "systemd is not running here"),
        ("systemctl", "echo 249.11-0ubuntu3", "systemd is version 249; the service needs 252"),
        ("df", GOOD["df"].replace("99999999", "99999"), "97 MB free; /opt/voice-probe needs"),
        ("python3", "cat >/dev/null; exit 127", "does not run: name another Python with --python"),
    ],
)
def test_it_refuses_where_it_can_not_work(install: Install, command: str, says: str, reason: str) -> None:
    said = install("--dry-run", **{command: says})
    assert said.code == 1
    assert reason in said.err
    assert said.err.endswith("install.sh: nothing was changed\n")
    assert said.out == ""


def test_it_refuses_without_root(install: Install) -> None:
    said = install(id="echo 1000")
    assert said.code == 1
    assert "run it as root" in said.err


def test_it_tells_every_reason_at_once(install: Install) -> None:
    said = install("--dry-run", systemctl="exit 1", uname="echo Plan9")
    assert said.err.count("install.sh: ") == 4


PYTHONS = {
    "too old": ("sys.version_info = (3, 10, 4, 'final', 0)", "is Python 3.10; 3.11 or newer is needed"),
    "no venv": ("sys.modules['ensurepip'] = None", "lacks ensurepip: install it (Debian, Ubuntu: apt-get install"),
    "out of reach": ("sys.base_prefix = '/home/somebody/python'", "is in /home, where the service can't look"),
}


@pytest.mark.parametrize("kind", PYTHONS)
def test_it_refuses_a_python_that_does_not_do(install: Install, kind: str) -> None:
    change, reason = PYTHONS[kind]
    script = f'{{ echo "import sys; {change}"; cat; }} | /usr/bin/env -i PATH={os.environ["PATH"]} python3 "$@"'
    assert reason in install("--dry-run", python3=script).err


def test_a_python_that_is_not_there(install: Install) -> None:
    assert "there is no /nowhere/python3" in install("--dry-run", "--python", "/nowhere/python3").err


def bash(script: str, **variables: str) -> Said:
    """Run a few lines of bash with the installer's functions at hand."""
    parts = "".join(f'source "{INSTALL.parent}/installer/{name}.sh"\n' for name in ("checks", "version"))
    start = f'set -euo pipefail\nsay() {{ echo "$@"; }}\ndie() {{ echo "$@" >&2; exit 1; }}\n{parts}'
    done = subprocess.run(
        ["/bin/bash", "-c", start + script], env={**os.environ, **variables},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return Said(done.returncode, done.stdout, done.stderr)


def test_every_interpreter_that_it_starts_is_isolated(tmp_path: Path) -> None:
    """Root's current directory may be somebody else's."""
    started = tmp_path / "started"
    python = tmp_path / "python"
    python.write_text(f"""#!/bin/sh
echo "$@" >> {started}
case "$*" in *venv*) mkdir -p {tmp_path}/versions/1/bin && cp "$0" {tmp_path}/versions/1/bin/python ;; esac
""")
    python.chmod(0o755)
    said = bash(
        f'build_version "{tmp_path}/versions/1"',
        python=str(python), PREFIX=str(tmp_path), SOURCE=str(INSTALL.parents[1]),
    )  # fmt: skip
    assert said.code == 0, said.err
    lines = started.read_text().splitlines()
    assert [line for line in lines if not line.startswith("-I ")] == []
    assert [any(what in line for line in lines) for what in ("-m venv", "-m pip", "-m probe")] == [True] * 3


def test_two_installers_take_turns(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    alone = bash("take_turn; echo mine", LOCK=str(lock), dry_run="")
    assert (alone.code, alone.out) == (0, "mine\n")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = bash("take_turn; echo mine", LOCK=str(lock), dry_run="")
        assert (second.code, second.out) == (1, "")
        assert "another install.sh is at work" in second.err
        assert bash("take_turn; echo mine", LOCK=str(lock), dry_run="yes").code == 0


def test_purge_alone_is_a_mistake(install: Install) -> None:
    said = install("--purge", "--dry-run")
    assert (said.code, said.err) == (1, "install.sh: --purge goes with --uninstall only\n")


def test_an_unknown_option_is_a_mistake(install: Install) -> None:
    assert install("--dryrun").err == "install.sh: unknown option --dryrun; --help lists them\n"


def test_help_names_every_option(install: Install) -> None:
    said = install("--help")
    assert said.code == 0
    for option in ("--dry-run", "--python", "--no-start", "--uninstall", "--purge"):
        assert f"\n  {option}" in said.out


def test_where_restarts_can_be_put_apart_they_are() -> None:
    script = f". {INSTALL.parent}/installer/service.sh; systemd_version() {{ echo $1; }}; "
    for version, wanted in (("252", 1), ("254", 0), ("255", 0)):
        command = ["/bin/bash", "-c", script.replace("$1", version) + "wants_backoff"]
        assert subprocess.run(command, timeout=60, check=False).returncode == wanted
