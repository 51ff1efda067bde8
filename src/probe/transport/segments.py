"""Did the kernel join what waits in a socket? Where as many segments came in as there are stamps, it joined none.

Linux keeps what has not been read yet in buffers, each with one stamp. It puts what comes into the last of them where
it can, which then has the later stamp: of its first byte nobody knows any more when it came in. TCP_INFO (tcp(7))
counts what came in, in segments and in bytes. Pure but for `received`.
"""

import socket
import struct
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

# struct tcp_info of linux/tcp.h, whose fields never move: tcpi_bytes_received, and tcpi_data_segs_in since Linux 4.6.
_BYTES, _SEGMENTS = struct.Struct("=Q"), struct.Struct("=I")
_BYTES_AT, _SEGMENTS_AT = 128, 152
_SIZE = _SEGMENTS_AT + _SEGMENTS.size
# Each stamp that is found takes a dozen looks.
MOST_COUNTED = 16


class Received(NamedTuple):
    """What has come in on a connection since it began, read or not."""

    size: int
    segments: int


def received(connection: socket.socket) -> Received | None:
    """None where the kernel does not say."""
    if sys.platform != "linux":
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(info) < _SIZE:
        return None
    return Received(_BYTES.unpack_from(info, _BYTES_AT)[0], _SEGMENTS.unpack_from(info, _SEGMENTS_AT)[0])


class Segments:
    """Of one connection: how many segments brought what has been read, as far as that is known."""

    def __init__(self) -> None:
        self._read = 0
        # So many bytes came in so many segments.
        self._known = Received(0, 0)

    def ends(self, now: Received | None, waiting: int, look: Callable[[], Sequence[int]]) -> Sequence[int]:
        """Where each of the segments ends that brought the `waiting` bytes; none where some may have been joined.

        `now` is asked for after all that is known of what waits was looked at. `look` finds where each stamp ends.
        """
        if now is None or now.size != self._read + waiting or self._known.size != self._read:
            return ()
        came = now.segments - self._known.segments
        if came == 1:
            return (waiting,)
        ends = look() if came <= MOST_COUNTED else ()
        return ends if len(ends) == came else ()

    def read(self, size: int, now: Received | None, ends: Sequence[int]) -> None:
        """So many bytes were read, of what came until `now` and has these ends."""
        self._read += size
        if size in ends:
            self._known = Received(self._read, self._known.segments + ends.index(size) + 1)
        elif now is not None and now.size == self._read:
            self._known = now
