"""One daemon for each state directory: two would measure the same servers, and each other."""

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from probe.history.file import OF_THE_DISK

FILE_NAME = "daemon.lock"
_TAKEN = (errno.EAGAIN, errno.EACCES)


class TakenError(Exception):
    """Another daemon has the state directory; one line that says which, and what to do."""


class Held:
    """A state directory that is taken, until it is closed."""

    def __init__(self, state_dir: Path, folder: int, file: TextIO) -> None:
        self._state_dir = state_dir
        self._folder = folder
        self._file = file
        self._complaint: str | None = None

    def keep(self) -> str | None:
        """Take the directory that is in the place of the one that was taken; why that fails, where the reason is new.

        Call now and then: somebody may remove the directory, and then the history makes another one.
        """
        before, self._complaint = self._complaint, None
        try:
            if not self._is_replaced():
                return None
            taken = _take(self._state_dir)
        except (TakenError, OSError) as error:
            self._complaint = str(error)
            return None if self._complaint == before else self._complaint
        self.close()
        self._folder, self._file = taken
        return None

    def _is_replaced(self) -> bool:
        try:
            return not os.path.samestat(self._state_dir.stat(), os.fstat(self._folder))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        self._file.close()
        os.close(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def hold(state_dir: Path) -> Held:
    """Take the state directory. Raises TakenError and OSError.

    The kernel releases it with the process, however that ends; what the file says is for people. The directory itself
    is locked too: somebody who tidies up may remove the file.
    """
    return Held(state_dir, *_take(state_dir))


def _take(state_dir: Path) -> tuple[int, TextIO]:
    """The directory and the file in it, open and locked."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = os.open(state_dir / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    folder = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    held = os.fdopen(opened, "r+", encoding="ascii", errors="replace")
    try:
        _lock_folder(folder)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = held.readline(20).strip()
        held.close()
        os.close(folder)
        if error.errno not in _TAKEN:
            raise
        raise TakenError(
            f"{state_dir} is used by another daemon (process {holder or 'unknown'}); end that one, or give this one a"
            " directory of its own: daemon.state_dir"
        ) from error
    held.truncate()
    held.write(f"{os.getpid()}\n")
    held.flush()
    return folder, held


def hold_if_possible(state_dir: Path, report: Callable[[str], None]) -> Held | None:
    """The same; None where the disk does not let it be taken, which is no reason not to measure. Raises TakenError."""
    try:
        return hold(state_dir)
    except OSError as error:
        # The history reports a directory that may not be used.
        if error.errno in OF_THE_DISK:
            report(f"{state_dir}: {error.strerror}; a second daemon here would go unnoticed")
        return None


def _lock_folder(folder: int) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems lock no directories; there the file has to do.
        if error.errno in _TAKEN:
            raise
