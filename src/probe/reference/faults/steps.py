"""The words of the script language: what a scripted server can do to a connection."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from probe.reference.faults import wire
from probe.reference.faults.connection import Connection, ConnectionGoneError, Steps


@dataclass(frozen=True)
class Wait:
    seconds: float

    async def play(self, connection: Connection) -> None:
        await connection.pause(self.seconds)


@dataclass(frozen=True)
class Stall:
    """Say nothing more, with the connection open, until the client leaves."""

    async def play(self, connection: Connection) -> None:
        await connection.pause(None)


@dataclass(frozen=True)
class Repeat:
    """The same steps again and again, for ever without `times`."""

    steps: Steps
    times: int | None = None

    async def play(self, connection: Connection) -> None:
        for _ in count() if self.times is None else range(self.times):
            await connection.play(self.steps)


@dataclass(frozen=True)
class Value:
    """Inside the payload of a Json or Http: filled in at the time of sending, such as Value("stream_id")."""

    name: str


@dataclass(frozen=True)
class Json:
    """A text frame with any JSON."""

    payload: object

    async def play(self, connection: Connection) -> None:
        await connection.send(wire.TEXT, _encode(self.payload, connection.values))


@dataclass(frozen=True)
class Text:
    """A text frame, JSON or not."""

    text: str

    async def play(self, connection: Connection) -> None:
        await connection.send(wire.TEXT, self.text.encode())


@dataclass(frozen=True)
class Binary:
    data: bytes

    async def play(self, connection: Connection) -> None:
        await connection.send(wire.BINARY, self.data)


@dataclass(frozen=True)
class Raw:
    """Bytes on the TCP connection, in no frame."""

    data: bytes

    async def play(self, connection: Connection) -> None:
        await connection.send_raw(self.data)


@dataclass(frozen=True)
class Http:
    """An HTTP response with a JSON body, and the end of the connection."""

    status: int
    body: object = None

    async def play(self, connection: Connection) -> None:
        await connection.send_raw(wire.http_response(self.status, _encode(self.body, connection.values)))
        connection.drop()
        raise ConnectionGoneError


@dataclass(frozen=True)
class Close:
    """A close frame, up to `patience` seconds for the client's, then the end of the TCP connection."""

    code: int = 1000
    reason: str = ""
    patience: float = 1.0

    async def play(self, connection: Connection) -> None:
        await connection.close(self.code, self.reason, self.patience)
        raise ConnectionGoneError


@dataclass(frozen=True)
class Drop:
    """End the TCP connection without a close frame (FIN)."""

    async def play(self, connection: Connection) -> None:
        connection.drop()
        raise ConnectionGoneError


@dataclass(frozen=True)
class Reset:
    """End the TCP connection as a crashed host does (RST)."""

    async def play(self, connection: Connection) -> None:
        connection.reset()
        raise ConnectionGoneError


RESERVED_OPCODE = Raw(wire.frame(0x3, b"reserved"))
BAD_UTF8 = Raw(wire.frame(wire.TEXT, b"\xc3\x28"))
ENDLESS_FRAME = Raw(wire.header(wire.BINARY, 1 << 40))
"""The header of a frame of a terabyte, and none of it."""
SSH_BANNER = Raw(b"SSH-2.0-OpenSSH_9.2p1\r\n")


def _encode(payload: object, values: Mapping[str, object]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, default=lambda value: values[value.name]).encode()
