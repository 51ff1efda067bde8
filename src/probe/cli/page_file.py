"""Pages written to a file: whole or not at all, and for nobody else to read where somebody's words are in them."""

import errno
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
    if (wrong := problem(path)) is not None:
        raise UsageProblem(wrong)


def problem(path: Path) -> str | None:
    """Why no page can be written there; None where nothing is known that speaks against it."""
    folder = path.parent
    if path == STDOUT:
        return None
    if _leads_in_a_circle(path):
        return f"{path} can't be written: a link that leads to itself"
    if path.is_dir():
        return f"{path} can't be written: it is a folder"
    if not folder.is_dir():
        return f"{path} can't be written: there is no folder {folder}"
    if not os.access(path if path.exists() else folder, os.W_OK):
        return f"{path} can't be written: permission denied"
    return None


def write(path: Path, page: str, mode: int) -> None:
    """Write it, in place of what was there, with the permissions `mode` as the umask leaves them. Raises OSError."""
    data = page.encode()
    if path == STDOUT:
        click.echo(data, nl=False)
    elif path.exists() and not (stat.S_ISREG(path.stat().st_mode) and os.access(path.resolve().parent, os.W_OK)):
        # Such as a pipe, which nobody can replace, or a file of a folder in which we may make none.
        path.write_bytes(data)
    else:
        _replace(path.resolve(), data, mode)


def _leads_in_a_circle(path: Path) -> bool:
    try:
        path.stat()
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _replace(path: Path, data: bytes, mode: int) -> None:
    # Not named after the page: that may be as long as a name can be.
    descriptor, name = tempfile.mkstemp(prefix=".probe-", dir=path.parent)
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
