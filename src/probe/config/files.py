"""Reading a small file whose path somebody else may have put anything at: a pipe that nobody writes to, a device."""

import errno
import os
import select
import stat
import time
from pathlib import Path

MAX_BYTES = 2**20
# For another program that writes into a pipe, such as a shell's `<(...)`.
PATIENCE_S = 5.0


def read_small(path: Path) -> bytes:
    """What is in a file or a pipe. Raises OSError for what is neither, is too large, or does not come in time."""
    # Without O_NONBLOCK opening a pipe waits for its writer.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(opened).st_mode
        if stat.S_ISDIR(mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
            raise OSError(errno.EINVAL, "neither a file nor a pipe")
        found = _all_of(opened)
        if not found and stat.S_ISFIFO(mode):
            raise OSError(errno.ENODATA, "nothing came of this pipe")
        return found
    finally:
        os.close(opened)


def _all_of(opened: int) -> bytes:
    found = bytearray()
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            part = os.read(opened, MAX_BYTES)
        except BlockingIOError:
            left = until - time.monotonic()
            if left <= 0 or not select.select([opened], [], [], left)[0]:
                raise OSError(errno.ETIMEDOUT, f"nothing came of this pipe for {PATIENCE_S:g} s") from None
            continue
        if not part:
            return bytes(found)
        found += part
        if len(found) > MAX_BYTES:
            raise OSError(errno.EFBIG, f"larger than {MAX_BYTES // 2**20} MiB")
