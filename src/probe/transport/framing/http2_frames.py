"""HTTP/2's frames cut out of what comes in: each can be counted, and one that is too long is not waited for."""

from collections.abc import Iterator

from probe.transport.framing.base import FramingError

# As HTTP/2 has it where nobody asks for more.
MAX_FRAME_BYTES = 2**14
# Of a head as it is encoded, in however many frames: it is decoded in one go, for up to 0.4 ms per KiB.
MAX_BLOCK_BYTES = 2**14
# Of a connection: whatever their numbers are, the library keeps all of them, and goes through them at each one.
MAX_SETTINGS = 2**9
BROKEN = "the server broke HTTP/2"
_HEAD, _KIND = 9, 3
_HEADERS, _SETTINGS, _PUSH_PROMISE, _GOAWAY, _CONTINUATION = 1, 4, 5, 7, 9
_SETTING_BYTES, _GOAWAY_BYTES = 6, 8
_LAST_STREAM = 2**31 - 1


class Frames:
    """Those of one connection."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._block_bytes = self._settings = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Each whole frame. Raises FramingError."""
        self._unread += data
        while len(self._unread) >= _HEAD:
            size = int.from_bytes(self._unread[:3], "big")
            if size > MAX_FRAME_BYTES:
                raise FramingError(BROKEN, repr(bytes(self._unread[:_HEAD])))
            if len(self._unread) < _HEAD + size:
                return
            self._count(self._unread[_KIND], size)
            frame = bytes(self._unread[: _HEAD + size])
            del self._unread[: _HEAD + size]
            yield frame

    def _count(self, kind: int, size: int) -> None:
        if kind in (_HEADERS, _PUSH_PROMISE):
            self._block_bytes = size
        elif kind == _CONTINUATION:
            self._block_bytes += size
        elif kind == _SETTINGS:
            self._settings += size // _SETTING_BYTES
        if self._block_bytes > MAX_BLOCK_BYTES:
            raise FramingError(f"a head of more than {MAX_BLOCK_BYTES // 2**10} KiB", how="flood")
        if self._settings > MAX_SETTINGS:
            raise FramingError(f"more than {MAX_SETTINGS} settings of a connection", how="flood")


def going_away(frame: bytes) -> tuple[int, int, bytes] | None:
    """Of a frame GOAWAY the last stream that is still answered, the error and words for a person; None for others.

    Raises FramingError.
    """
    if frame[_KIND] != _GOAWAY:
        return None
    body = frame[_HEAD:]
    if len(body) < _GOAWAY_BYTES:
        raise FramingError(BROKEN, repr(body))
    last, code = int.from_bytes(body[:4], "big") & _LAST_STREAM, int.from_bytes(body[4:_GOAWAY_BYTES], "big")
    return last, code, body[_GOAWAY_BYTES:]
