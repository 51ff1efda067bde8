"""Programs of Debian's packages, without installing them: a package would start a service."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def binaries(config: pytest.Config, package: str, *programs: str) -> Path:
    """The folder with these programs: the machine's own, or the package, unpacked. Skips where neither can be had."""
    installed = [shutil.which(program) for program in programs]
    if installed[0] and all(installed):
        return Path(installed[0]).parent
    if config.cache is None or not shutil.which("apt-get") or not shutil.which("dpkg"):
        pytest.skip(f"neither {package} nor apt-get to fetch it with")
    folder = config.cache.mkdir(package)
    if not (folder / "usr" / "bin" / programs[-1]).exists():
        try:
            _download(package, folder)
            _run("dpkg", "-x", str(next(folder.glob(f"{package}_*.deb"))), ".", cwd=folder)
        except (subprocess.SubprocessError, StopIteration) as error:
            pytest.skip(f"Debian's package {package} could not be had: {error}")
    return folder / "usr" / "bin"


def _download(package: str, folder: Path) -> None:
    """Fetch a package of Debian's. A new machine has no list of them yet, and only root can fetch that."""
    try:
        _run("apt-get", "download", package, cwd=folder)
    except subprocess.CalledProcessError:
        if os.geteuid() != 0:
            raise
        _run("apt-get", "update", cwd=folder)
        _run("apt-get", "download", package, cwd=folder)


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=120)
