"""The words of the script language for gRPC over HTTP/2: frames as they are written here, right or wrong.

A stream is the one of the request that is being answered. Header names and values are written out in full, so that a
script says each byte of them.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain

from probe.reference.faults import audio
from probe.reference.faults.connection import Connection, Step, Steps
from probe.reference.faults.speech import samples
from probe.reference.faults.steps import Wait

RATE = 22_050
DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
GRPC = {"content-type": "application/grpc"}
STREAM = "stream"
_LITERAL = b"\0"
_SEVEN_BITS = 0x7F


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def head_block(headers: Mapping[str, str]) -> bytes:
    """Headers as HPACK has those that nobody is to remember."""
    return b"".join(_LITERAL + _text(name) + _text(value) for name, value in headers.items())


def message(fields: Mapping[int, bytes]) -> bytes:
    """A message of gRPC whose fields are bytes: texts, samples or messages."""
    body = b"".join(_number(number << 3 | 2) + _number(len(value)) + value for number, value in fields.items())
    return prefixed(body)


def prefixed(body: bytes, *, flag: int = 0) -> bytes:
    return bytes([flag]) + struct.pack(">I", len(body)) + body


@dataclass(frozen=True)
class Frame:
    """One frame of the answer's stream, whatever it holds; logged as `frame` with its payload."""

    kind: int
    payload: bytes = b""
    flags: int = 0

    async def play(self, connection: Connection) -> None:
        stream = 0 if self.kind in (SETTINGS, PING, GOAWAY) else stream_of(connection)
        await connection.write("frame", self.payload, frame(self.kind, self.flags, stream, self.payload))


@dataclass(frozen=True)
class Headers:
    """The head of an answer, or its trailers where they end the stream; logged as `end` there, else as `head`."""

    headers: Mapping[str, str] = field(default_factory=dict)
    ends: bool = False

    async def play(self, connection: Connection) -> None:
        flags = END_HEADERS | (END_STREAM if self.ends else 0)
        block = head_block(self.headers)
        await connection.write("end" if self.ends else "head", b"", frame(HEADERS, flags, stream_of(connection), block))


@dataclass(frozen=True)
class Samples:
    """One message with samples, in one write; logged as `audio` with those."""

    pcm: bytes

    async def play(self, connection: Connection) -> None:
        data = message({1: self.pcm})
        written = b"".join(frame(DATA, 0, stream_of(connection), part) for part in audio.frames(data, 2**14))
        await connection.write("audio", self.pcm, written)


HEAD = Headers({":status": "200", **GRPC})


def status(number: int, words: str = "") -> Headers:
    """How a call ends, behind its messages."""
    return Headers({"grpc-status": str(number)} | ({"grpc-message": words} if words else {}), ends=True)


def refused(number: int, words: str = "") -> Headers:
    """How a call ends that has none: all in one."""
    return Headers({**HEAD.headers, **status(number, words).headers}, ends=True)


OK = status(0)
RESET_INTERNAL = Frame(RESET, struct.pack(">I", 2))


def goaway(code: int = 0, last: int = 2**31 - 1, words: bytes = b"") -> Frame:
    return Frame(GOAWAY, struct.pack(">II", last, code) + words)


def parts(pcm: bytes, *, first: float = 0.0, gap: float = 0.0, size: int = 4096) -> Steps:
    """Make a message for each so many bytes, `first` seconds before the first and `gap` between."""
    pieces = audio.frames(pcm, size)
    waits = (Wait(gap if position else first) for position in range(len(pieces)))
    return tuple(chain.from_iterable(zip(waits, map(Samples, pieces), strict=True)))


def speech(
    ms: float = 300, *, leading_silence_ms: float = 0, rate: int = RATE, first: float = 0.0, gap: float = 0.0
) -> tuple[Step, ...]:
    """Make a healthy answer; `first` seconds before all of its samples and `gap` between them."""
    return (HEAD, *parts(samples(ms, leading_silence_ms, rate), first=first, gap=gap), OK)


def stream_of(connection: Connection) -> int:
    number = connection.values.get(STREAM, 1)
    assert isinstance(number, int)  # noqa: S101 - nobody else writes it
    return number


def _text(value: str) -> bytes:
    data = value.encode()
    if len(data) < _SEVEN_BITS:
        return bytes([len(data)]) + data
    return bytes([_SEVEN_BITS]) + _number(len(data) - _SEVEN_BITS) + data


def _number(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    found = bytearray()
    while value > _SEVEN_BITS:
        found.append(value & _SEVEN_BITS | 0x80)
        value >>= 7
    return bytes([*found, value])
