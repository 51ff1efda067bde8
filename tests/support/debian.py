"""Debian's packages, fetched and unpacked into a folder: nothing is installed, no service starts."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_FETCH_S = 120


def unpacked(folder: Path, *packages: str) -> Path:
    """Return the folder with the packages in it, kept from an earlier call. Skips where they can't be had."""
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        pytest.skip(f"no apt-get to fetch {' and '.join(packages)} with")
    for package in packages:
        if any(folder.glob(f"{package}_*.deb")):
            continue
        try:
            _download(package, folder)
            _run("dpkg", "-x", str(next(folder.glob(f"{package}_*.deb"))), ".", cwd=folder)
        except (subprocess.SubprocessError, StopIteration) as error:
            pytest.skip(f"Debian's package {package} could not be had: {error}")
    return folder


def _download(package: str, folder: Path) -> None:
    """Fetch a package. A new machine has no list of them yet, and only root can fetch that."""
    try:
        _run("apt-get", "download", package, cwd=folder)
    except subprocess.CalledProcessError:
        if os.geteuid() != 0:
            raise
        _run("apt-get", "update", cwd=folder)
        _run("apt-get", "download", package, cwd=folder)


def _run(*command: str, cwd: Path) -> None:
    subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=_FETCH_S)
