"""Debian's packages, fetched and unpacked into a folder: nothing is installed, no service starts."""

import os
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

_FETCH_S = 120


def binaries(config: pytest.Config, package: str, *programs: str) -> Path:
    """Return the folder with these programs: the machine's own, or the package's. Skips if neither is available."""
    installed = [shutil.which(program) for program in programs]
    if installed[0] and all(installed):
        return Path(installed[0]).parent
    if config.cache is None:
        pytest.skip(f"no {package}, and no cache to fetch it into")
    return unpacked(config.cache.mkdir(package), package) / "usr" / "bin"


def unpacked(folder: Path, *packages: str) -> Path:
    """Return the folder with the packages in it, kept from an earlier call. Skips if they are not available."""
    for package in packages:
        if any(folder.glob(f"{package}_*.deb")):
            continue
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            pytest.skip(f"no apt-get to fetch {package} with")
        try:
            _unpack(package, folder)
        except (subprocess.SubprocessError, StopIteration) as error:
            pytest.skip(f"Debian's package {package} is not available: {error}")
    return folder


def needed(package: str) -> list[str]:
    """The package and all that it needs and this machine lacks. Skips if that is not known."""
    if not shutil.which("apt-get"):
        pytest.skip(f"no apt-get to fetch {package} with")
    command = ("apt-get", "--simulate", "--no-install-recommends", "install", package)
    try:
        found = subprocess.run(command, check=True, capture_output=True, timeout=_FETCH_S, text=True).stdout
    except subprocess.SubprocessError as error:
        pytest.skip(f"Debian's package {package} is not available: {error}")
    return [line.split()[1] for line in found.splitlines() if line.startswith("Inst ")]


def _unpack(package: str, folder: Path) -> None:
    """The package's own file comes into the folder last, and says that everything is there."""
    with TemporaryDirectory(dir=folder) as fetched:
        _download(package, Path(fetched))
        archive = next(Path(fetched).glob(f"{package}_*.deb"))
        _run("dpkg", "-x", str(archive), str(folder), cwd=folder)
        archive.rename(folder / archive.name)


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
