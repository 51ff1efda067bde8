"""This machine, booted once more by its own systemd in a container: what is written there is thrown away."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from debian import unpacked

BOOT_S = 60.0
CHECKOUT = "/checkout"
# As root's on a machine that has nothing set up; the registry that pip uses is set up outside, by variables too.
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    **{name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.lower().endswith("_proxy")},
}


@dataclass(frozen=True)
class Machine:
    """A booted container. It shares the network, and so the loopback addresses, with the machine around it."""

    init: int

    def run(self, *command: str, code: int | None = 0, seconds: float = 60) -> str:
        """Run a command there as root; return what it wrote, stdout before stderr. `code` None takes any exit code."""
        result = subprocess.run(
            ["nsenter", "-t", str(self.init), "-a", "--", *command],  # noqa: S607 - util-linux's
            env=_ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        told = result.stdout + result.stderr
        assert code in {None, result.returncode}, f"{' '.join(command)}: exit code {result.returncode}\n{told}"
        return told

    def sh(self, script: str, code: int | None = 0, seconds: float = 60) -> str:
        return self.run("sh", "-c", script, code=code, seconds=seconds)

    def path(self, path: str) -> Path:
        """Where a path of the container is outside of it."""
        return Path(f"/proc/{self.init}/root{path}")


def why_not() -> str | None:
    """Why this machine can't be booted once more; None where it can."""
    if os.geteuid() != 0:
        return "booting a container needs root"
    if not Path("/lib/systemd/systemd").exists():
        return "this machine has no systemd to boot"
    return None


@contextmanager
def booted(folder: Path, checkout: Path) -> Iterator[Machine]:
    """Boot a container that has `checkout` at CHECKOUT, read-only. `folder` keeps what has to be fetched for it."""
    if reason := why_not():
        pytest.skip(reason)
    log = folder / "boot.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            _command(folder, checkout), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    try:
        machine = Machine(_init_of(process, log))
        _until_booted(machine, log)
        yield machine
    finally:
        _end(process)


def _command(folder: Path, checkout: Path) -> list[str]:
    """What boots it, and ends with us, however we end.

    The machine's root is mounted once more, for the container only: nobody outside sees that mount, so that no leftover
    of it can be mistaken for a folder and deleted.
    """
    root = folder / "root"
    root.mkdir(exist_ok=True)
    nspawn = [
        *_nspawn(folder), "--quiet", f"--directory={root}", "--volatile=overlay", "--register=no", "--keep-unit",
        f"--machine=voice-probe-{os.getpid()}", f"--bind-ro={checkout}:{CHECKOUT}",
        # Without the machine's own services: some would want ports that are taken.
        "--boot", "systemd.unit=basic.target",
    ]  # fmt: skip
    mounted = ["sh", "-c", 'mount --bind / "$0" && exec "$@"', str(root), *nspawn]
    return ["setpriv", "--pdeathsig=TERM", "unshare", "--mount", "--propagation=private", *mounted]


def _nspawn(folder: Path) -> list[str]:
    if installed := shutil.which("systemd-nspawn"):
        return [installed]
    # With the library of its own version: the machine's may be older.
    packages = unpacked(folder, "systemd-container", "libsystemd-shared")
    library = next(packages.glob("usr/lib/*/systemd"))
    return ["env", f"LD_LIBRARY_PATH={library}", str(packages / "usr" / "bin" / "systemd-nspawn")]


def _end(process: subprocess.Popen[bytes]) -> None:
    # Two of these end a container at once; the first would have it shut down in order.
    for _ in range(2):
        process.terminate()
        time.sleep(0.2)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        for child in _children(process):
            os.kill(child, signal.SIGKILL)
        process.wait(10)


def _init_of(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + BOOT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")
        for child in _children(process):
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    return child
        time.sleep(0.05)
    raise AssertionError(f"no container: {log.read_text(errors='replace')}")


def _children(process: subprocess.Popen[bytes]) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def _until_booted(machine: Machine, log: Path) -> None:
    deadline = time.monotonic() + BOOT_S
    while machine.run("systemctl", "is-system-running", code=None).strip() not in {"running", "degraded"}:
        assert time.monotonic() < deadline, log.read_text(errors="replace")
        time.sleep(0.1)
