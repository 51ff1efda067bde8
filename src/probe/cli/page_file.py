"""Pages written to a file: whole or not at all, and for nobody else to read where somebody's words are in them."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

import click

from probe.cli.usage import UsageProblem

# What `-` stands for, as in other programs.
STDOUT = Path("-")
PRIVATE, PUBLIC = 0o600, 0o666


def check(path: Path) -> None:
    """Find out whether a page can be written there. Raises UsageProblem."""
    if path == STDOUT:
        return
    folder = path.parent
    if path.is_dir() or not folder.is_dir():
        raise UsageProblem(f"{path} can't be written: {'it is a folder' if path.is_dir() else f'no folder {folder}'}")
    if not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageProblem(f"{path} can't be written: permission denied")


def write(path: Path, page: str, mode: int) -> None:
    """Write it, in place of what was there, with the permissions `mode` as the umask leaves them. Raises OSError."""
    data = page.encode()
    if path == STDOUT:
        click.echo(data, nl=False)
    elif path.exists() and not stat.S_ISREG(path.stat().st_mode):
        # Such as a pipe, which nobody can replace.
        path.write_bytes(data)
    else:
        _replace(path.resolve(), data, mode)


def _replace(path: Path, data: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).chmod(mode & ~_umask())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _umask() -> int:
    """The process's, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
