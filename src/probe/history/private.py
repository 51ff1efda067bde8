"""Files and folders that only their owner can access: the history contains prompts and answers."""

import os
import stat
from contextlib import suppress
from pathlib import Path

_FOLDER = 0o700
_FILE = 0o600
_OTHERS = 0o077


def make_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, where there is none. Raises OSError."""
    folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file that only its owner may read, where there is none. Raises OSError."""
    # Not opened where it exists: closing it would take the locks away that this process has on it.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _FILE))


def replace(path: Path, data: bytes) -> None:
    """Have a file with these contents that only its owner may read, whole or as it was before. Raises OSError."""
    make_folder(path.parent)
    unfinished = path.with_suffix(".new")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def tighten(path: Path) -> None:
    """Take the rights of others away from a file or folder of ours, as earlier versions left it.

    A folder that many share (with the sticky bit, such as /tmp) stays as it is, and so does what is somebody else's.
    """
    try:
        found = path.lstat()
    except OSError:
        return
    kind, others = stat.S_IFMT(found.st_mode), found.st_mode & _OTHERS
    if found.st_uid != os.geteuid() or not others or found.st_mode & stat.S_ISVTX:
        return
    if kind in (stat.S_IFREG, stat.S_IFDIR):
        with suppress(OSError):
            path.chmod(_FOLDER if kind == stat.S_IFDIR else _FILE)
