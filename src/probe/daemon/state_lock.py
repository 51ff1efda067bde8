"""One daemon for each state directory: two would measure the same servers, and each other."""

import errno
import fcntl
import os
from pathlib import Path
from typing import TextIO

FILE_NAME = "daemon.lock"


class TakenError(Exception):
    """Another daemon has the state directory; one line that says which, and what to do."""


def hold(state_dir: Path) -> TextIO:
    """Take the state directory for as long as the result is open. Raises TakenError and OSError.

    The kernel releases it with the process, however that ends; what the file says is for people.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    opened = os.open(state_dir / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    held = os.fdopen(opened, "r+", encoding="ascii", errors="replace")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = held.readline(20).strip()
        held.close()
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise TakenError(
            f"{state_dir} is used by another daemon (process {holder or 'unknown'}); end that one, or give this one a"
            " directory of its own: daemon.state_dir"
        ) from error
    held.truncate()
    held.write(f"{os.getpid()}\n")
    held.flush()
    return held
