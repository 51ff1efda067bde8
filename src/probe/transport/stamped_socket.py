"""A TCP socket that knows when it was written to, and when what was last read from it had come in.

What has arrived waits until the event loop comes round to it, behind other runs, the interpreter's lock and whatever
else has the core. Linux notes when it came in (SO_TIMESTAMPNS, socket(7)) and says so to who reads with recvmsg(2): of
all that one read brings, when the last of it came. So a read here brings only what came together, and the next read
the next. asyncio reads with `recv` and `recv_into`, and they are that here. It writes with `send`.

All times are nanoseconds of the monotonic clock.
"""

import functools
import socket
import struct
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from probe.transport.rounds import Rounds
from probe.transport.segments import MOST_COUNTED, Received, Segments, received

# Not in Python's socket module. The same on every machine that we run on (asm-generic/socket.h), and so is the message
# that it makes: a struct timespec.
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_SPACE = socket.CMSG_SPACE(_TIMESPEC.size)
# The kernel's stamps are of the wall clock: where that was set since the read before, they say nothing.
_STEP_NS = 1_000_000
# What came within so long is read at once, so that a flood takes no more reads than these, whatever it is made of.
_TOGETHER_NS = 500_000
# As much is looked through for the first that came later.
_LOOKED_THROUGH = memoryview(bytearray(2**16))
# With MSG_TRUNC, TCP counts bytes and copies none (tcp(7)).
_PEEK = socket.MSG_PEEK | socket.MSG_TRUNC
# Two looks at the clocks take 0.2 us; where they took longer, this process was held up between them.
_TIGHT_NS, _LOOKS = 20_000, 5


class _Waiting(NamedTuple):
    """What waits to be read: how many bytes came together, and how many later; None where nobody knows.

    `first` and `stamp` are the kernel's of the first and the last byte of those that came together, 0 where it gave
    none. The read's own is no better: what comes between the look and the read may be joined to them, and then theirs
    is its. `ends` has where each segment of what waits ends, if it is known that each has a stamp of its own.
    """

    together: int
    later: int | None
    first: int = 0
    stamp: int = 0
    received: Received | None = None
    ends: Sequence[int] = ()


class StampedSocket(socket.socket):
    """Where the kernel does not stamp, on another system than Linux, it is a socket like any other.

    Of the last read: `arrival` is when its last byte came in, None where nobody knows (the kernel gave no stamp, or the
    wall clock was set since the read before), and `since` a time before which no byte of it had. An arrival is never
    before the truth except for the clocks' resolution. `wrote` is when the first write since `forget_writes` began, 0
    without one.
    """

    def __init__(self, family: int, kind: int, protocol: int) -> None:
        super().__init__(family, kind, protocol)
        self.arrival: int | None = None
        self.since = self._nothing_until = time.monotonic_ns()
        self.wrote = 0
        self._rounds: Rounds | None = None
        self._wall_ahead, _ = _wall_ahead()
        self._stamps = False
        self._segments = Segments()
        if sys.platform == "linux":
            keep_stamping()
            with suppress(OSError):
                self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                self._stamps = True

    def take_part(self, rounds: Rounds) -> None:
        """Be looked at every round, so that what comes is known to have come after the last."""
        self._rounds = rounds
        rounds.join(self.fileno())

    def close(self) -> None:
        if self._rounds is not None:
            self._rounds.leave(self.fileno())
            self._rounds = None
        super().close()

    def send(self, data: Any, flags: int = 0, /) -> int:
        self.wrote = self.wrote or time.monotonic_ns()
        return super().send(data, flags)

    def forget_writes(self) -> None:
        """Let the next write be the first."""
        self.wrote = 0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        before = time.monotonic_ns()
        waiting = self._waiting(size)
        data, messages, _, _ = self.recvmsg(waiting.together, _SPACE, flags)
        self._note(messages, before, waiting, len(data))
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        before = time.monotonic_ns()
        room = memoryview(buffer)[: size or None]
        waiting = self._waiting(len(room))
        count, messages, _, _ = self.recvmsg_into([room[: waiting.together]], _SPACE, flags)
        self._note(messages, before, waiting, count)
        return count

    def nothing_until(self) -> int:
        """A time until which nothing had come in behind the last read."""
        looked = 0 if self._rounds is None else self._rounds.nothing_until(self.fileno())
        return max(self._nothing_until, looked)

    def _waiting(self, size: int) -> _Waiting:
        """Look at what waits to be read, no more than `size` of it."""
        if not self._stamps:
            return _Waiting(size, None)
        looked = min(size, len(_LOOKED_THROUGH))
        there, last = self._peek(looked)
        first = self._peek(1)[1] if there else 0
        if not first or last - first <= _TOGETHER_NS:
            # Behind what fills the whole look there may be more.
            found = _Waiting(there or size, 0 if there < looked else None, first, last)
        else:
            within, stamp = self._last_until(first + _TOGETHER_NS, 1, first, there)
            found = _Waiting(within, there - within, first, stamp)
        now = received(self)
        return found._replace(received=now, ends=self._segments.ends(now, there, lambda: self._ends(there, last)))

    def _last_until(self, latest: int, within: int, stamp: int, beyond: int) -> tuple[int, int]:
        """How many of the bytes that wait have no later stamp, and the last one's; `within` have, `beyond` have not."""
        while beyond - within > 1:
            middle = (within + beyond) // 2
            if (seen := self._peek(middle)[1]) <= latest:
                within, stamp = middle, seen
            else:
                beyond = middle
        return within, stamp

    def _ends(self, there: int, last: int) -> Sequence[int]:
        """Where each stamp ends of what waits, up to one more than are ever needed."""
        ends: list[int] = []
        within = 0
        while within < there and len(ends) <= MOST_COUNTED:
            stamp = self._peek(within + 1)[1]
            within = there if stamp == last else self._last_until(stamp, within + 1, stamp, there)[0]
            ends.append(within)
        return ends

    def _peek(self, size: int) -> tuple[int, int]:
        """Of what waits, no more than `size`: how much it is, and the kernel's stamp of its last byte."""
        count, messages, _, _ = self.recvmsg_into([_LOOKED_THROUGH[:size]], _SPACE, _PEEK)
        return count, _stamp(messages)

    def _note(self, messages: Iterable[tuple[int, int, bytes]], before: int, waiting: _Waiting, count: int) -> None:
        """What a read of `count` bytes that began at `before` says of times."""
        self.since = self.nothing_until()
        ahead, spread = _wall_ahead()
        steady = abs(ahead - self._wall_ahead) + spread <= _STEP_NS
        self._wall_ahead = ahead
        stamp = waiting.stamp or _stamp(messages)
        now = time.monotonic_ns()
        self.arrival = min(max(stamp - ahead, self.since), now) if stamp and steady else None
        if self.arrival is not None and count in waiting.ends:
            self.since = min(max(waiting.first - ahead - spread, self.since), self.arrival)
        self._segments.read(count, waiting.received, waiting.ends)
        # Where nobody could look, a read that was given less than it had room for has left nothing.
        emptied = count == waiting.together if waiting.later == 0 else not self._stamps and count < waiting.together
        if emptied:
            self._nothing_until = before
            if self._rounds is not None:
                self._rounds.read(self.fileno())
        elif waiting.later and self.arrival is not None:
            self._nothing_until = max(self._nothing_until, self.arrival)


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


def _wall_ahead() -> tuple[int, int]:
    """How far the wall clock is ahead of the monotonic one, at least, and how much more it may be.

    Between two looks at a clock this process may be held up for milliseconds: so the pair that took the least counts.
    """
    least, spread = 0, -1
    for _ in range(_LOOKS):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        if spread < 0 or after - before < spread:
            least, spread = wall - after, after - before
        if spread <= _TIGHT_NS:
            break
    return least, spread
