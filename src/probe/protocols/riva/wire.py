"""Protobuf and gRPC's messages as bytes, as far as speech needs them. Pure, and bounded before anything is read."""

from collections.abc import Iterator, Mapping

from probe.protocols.base import Malformed, Refused
from probe.protocols.fields import shown

# Servers of gRPC take and send no longer ones by default; 95 s of audio at the usual rate.
MAX_MESSAGE_BYTES = 4 * 2**20
# Of one answer: each costs time, however small it is.
MAX_MESSAGES = 2**16
# Of one message: an answer has three, a description of a server some for each voice.
MAX_FIELDS = 2**12
_HEAD = 5
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_FIXED = {_FIXED_64: 8, _FIXED_32: 4}
# Of each byte of a number, and the one that says that another follows.
_SEVEN_BITS, _MORE = 0x7F, 0x80
_MOST_BITS = 70


def message(fields: Mapping[int, str | int | bytes]) -> bytes:
    """The fields of a message by their numbers, those left out that have their default."""
    return b"".join(_field(number, value) for number, value in fields.items() if value)


def framed(data: bytes) -> bytes:
    """A message in the form of gRPC: uncompressed, after its length."""
    return b"\0" + len(data).to_bytes(4, "big") + data


def read(data: bytes, most: int = MAX_FIELDS) -> list[tuple[int, int | bytes]]:
    """The fields of a message in their order, by number, at most so many. Raises ValueError for what is none."""
    found: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(data):
        if len(found) == most:
            raise ValueError("too many fields")
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == _VARINT:
            value, at = _varint(data, at)
        else:
            size, at = _varint(data, at) if kind == _BYTES else (_FIXED.get(kind, -1), at)
            if not 0 <= size <= len(data) - at:
                raise ValueError("a field of another kind, or one that is cut off")
            value, at = data[at : at + size], at + size
        if not number:
            raise ValueError("a field without a number")
        found.append((number, value))
    return found


def texts(fields: list[tuple[int, int | bytes]], number: int) -> list[bytes]:
    """Every value with this number that is bytes: texts, samples or messages."""
    return [value for each, value in fields if each == number and isinstance(value, bytes)]


class Messages:
    """The messages of one answer, from its body as it comes in. Nothing comes after what is none.

    At most `most` of them, each of at most `most_bytes`.
    """

    def __init__(self, most: int = MAX_MESSAGES, most_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._unread = bytearray()
        self._count = 0
        self._over = False

    @property
    def cut(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._unread)

    def feed(self, data: bytes) -> Iterator[bytes | Malformed | Refused]:
        if self._over:
            return
        self._unread += data
        while not self._over and len(self._unread) >= _HEAD:
            size = int.from_bytes(self._unread[1:_HEAD], "big")
            if (wrong := self._wrong(size)) is not None:
                self._over = True
                self._unread.clear()
                yield wrong
            elif len(self._unread) < _HEAD + size:
                return
            else:
                # One copy and not two of what may be 4 MiB.
                with memoryview(self._unread) as unread:
                    whole = bytes(unread[_HEAD : _HEAD + size])
                del self._unread[: _HEAD + size]
                yield whole

    def _wrong(self, size: int) -> Malformed | Refused | None:
        if self._unread[0]:
            what = "a compressed message, which nobody asked for" if self._unread[0] == 1 else "no gRPC message"
            return Malformed(what, shown(bytes(self._unread[:_HEAD])))
        if size > self._most_bytes:
            return Refused(f"a message of more than {_shown_size(self._most_bytes)}", reason="flood")
        if len(self._unread) >= _HEAD + size:
            self._count += 1
        if self._count > self._most:
            return Refused(f"more than {self._most} messages in one answer", reason="flood")
        return None


def _shown_size(size: int) -> str:
    return f"{size // 2**20} MiB" if size >= 2**20 else f"{size // 2**10} KiB"


def _field(number: int, value: str | int | bytes) -> bytes:
    if isinstance(value, int):
        return _written(number << 3 | _VARINT) + _written(value)
    # An LLM may have written half a character, which UTF-8 has no bytes for.
    data = value.encode("utf-8", "replace") if isinstance(value, str) else value
    return _written(number << 3 | _BYTES) + _written(len(data)) + data


def _written(value: int) -> bytes:
    found = bytearray()
    while value > _SEVEN_BITS:
        found.append(value & _SEVEN_BITS | _MORE)
        value >>= 7
    return bytes([*found, value])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    if at < len(data) and data[at] < _MORE:
        # Nearly all have one byte.
        return data[at], at + 1
    value = shift = 0
    while at < len(data) and shift < _MOST_BITS:
        byte = data[at]
        value |= (byte & _SEVEN_BITS) << shift
        at, shift = at + 1, shift + 7
        if not byte & _MORE:
            return value, at
    raise ValueError("a number without an end")
