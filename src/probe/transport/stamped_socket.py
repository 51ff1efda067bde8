"""A TCP socket that tells how long ago it was written to, and how long ago what was last read from it had come in.

What has arrived waits until the event loop comes round to it, behind other runs, the interpreter's lock and whatever
else has the core. Linux notes when it came in (SO_TIMESTAMPNS, socket(7)) and says so to who reads with recvmsg(2).
asyncio reads with `recv` and `recv_into`, and they are that here. It writes with `send`.
"""

import functools
import socket
import struct
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

# Not in Python's socket module. The same on every machine that we run on (asm-generic/socket.h), and so is the message
# that it makes: a struct timespec.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_SPACE = socket.CMSG_SPACE(_TIMESPEC.size)
# The kernel's stamps are of the wall clock: where that was set since the read before, they say nothing.
_STEP_NS = 1_000_000


class StampedSocket(socket.socket):
    """Where the kernel does not stamp, on another system than Linux, it is a socket like any other."""

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self._came_in = self._wrote = 0
        self._wall_ahead = _wall_ahead(time.time_ns())
        if sys.platform == "linux":
            keep_stamping()
            with suppress(OSError):
                self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def send(self, data: Any, flags: int = 0, /) -> int:
        self._wrote = self._wrote or time.monotonic_ns()
        return super().send(data, flags)

    def forget_writes(self) -> None:
        """Let the next write be the first."""
        self._wrote = 0

    def since_write_ns(self) -> int:
        """How long ago the first write since `forget_writes` began, in nanoseconds; 0 where there was none."""
        return time.monotonic_ns() - self._wrote if self._wrote else 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data, messages, _, _ = self.recvmsg(size, _SPACE, flags)
        self._came_in = _stamp(messages)
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        room = memoryview(buffer)[: size or None]
        count, messages, _, _ = self.recvmsg_into([room], _SPACE, flags)
        self._came_in = _stamp(messages)
        return count

    def waited_ns(self) -> int | None:
        """How long the last byte of the last read has been here by now, in nanoseconds; None where nobody knows.

        Nobody does where the kernel gave no stamp, or where the wall clock was set since the read before. Never too
        long: where this process is held up in the middle, what it returns is too short by as much, as if the byte had
        come that much later.
        """
        wall = time.time_ns()
        ahead = _wall_ahead(wall)
        steady = abs(ahead - self._wall_ahead) <= _STEP_NS
        self._wall_ahead = ahead
        return max(0, wall - self._came_in) if self._came_in and steady else None


@functools.cache
def keep_stamping() -> int | None:
    """Keep one stamping socket open for as long as the process lives; its file descriptor, for nobody to close.

    Linux switches stamping on a moment after the first socket asks for it, and off with the last: without this, the
    first bytes of a connection that is the only one may come unstamped.
    """
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        return holder.detach()
    return None


def _stamp(messages: Iterable[tuple[int, int, bytes]]) -> int:
    """When the last byte of a read came in, in nanoseconds of the wall clock; 0 where the kernel does not say."""
    for level, kind, data in messages:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds * 10**9 + nanoseconds)
    return 0


def _wall_ahead(wall: int) -> int:
    return wall - time.monotonic_ns()
