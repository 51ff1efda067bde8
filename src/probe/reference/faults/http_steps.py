"""The words of the script language for HTTP/1.1: heads, bodies in one piece or in chunks, and how both go wrong."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.steps import Raw, Repeat, Stall

CHUNKED = {"Transfer-Encoding": "chunked"}
_BLOCK = b"x" * 4096


@dataclass(frozen=True)
class Head:
    """A status line and headers, as they are written here and no others; logged as `head`."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    async def play(self, connection: Connection) -> None:
        data = _head(self.status, self.headers)
        await connection.write("head", data, data)


@dataclass(frozen=True)
class Chunk:
    """One chunk of a chunked body, in one write; logged as `chunk`, without its framing."""

    data: bytes

    async def play(self, connection: Connection) -> None:
        await connection.write("chunk", self.data, b"%x\r\n%b\r\n" % (len(self.data), self.data))


@dataclass(frozen=True)
class LastChunk:
    """The end of a chunked body; logged as `chunk` without data."""

    async def play(self, connection: Connection) -> None:
        await connection.write("chunk", b"", b"0\r\n\r\n")


@dataclass(frozen=True)
class Body:
    """Bytes of a body that is not chunked: what the head's Content-Length counts, or until the connection ends."""

    data: bytes

    async def play(self, connection: Connection) -> None:
        await connection.write("body", self.data, self.data)


@dataclass(frozen=True)
class Reply:
    """A whole response, in one write, with its length; logged as `body`. What is not bytes is sent as JSON."""

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def play(self, connection: Connection) -> None:
        body, kind = self.body, "text/plain"
        if not isinstance(body, bytes):
            body, kind = json.dumps(body, ensure_ascii=False).encode(), "application/json"
        head = _head(self.status, {"Content-Type": kind, "Content-Length": str(len(body)), **self.headers})
        await connection.write("body", body, head + body)


@dataclass(frozen=True)
class HalfClose:
    """Send nothing more (FIN), and read on until the client leaves."""

    async def play(self, connection: Connection) -> None:
        connection.close_our_half()
        await connection.pause(None)


def redirect(location: str, *, status: int = 307) -> Reply:
    return Reply(status, headers={"Location": location})


def gzipped(body: bytes, content_type: str) -> Steps:
    """Make a healthy response in gzip, whatever the client accepts."""
    head = Head(200, {"Content-Type": content_type, "Content-Encoding": "gzip"} | CHUNKED)
    return head, Chunk(gzip.compress(body, mtime=0)), LastChunk()


CONTINUE = Raw(b"HTTP/1.1 100 Continue\r\n\r\n")
"""What a server may say before its answer."""
ENDLESS_HEADERS: Steps = (Raw(b"HTTP/1.1 200 OK\r\n"), Repeat((Raw(b"X-Filler: " + _BLOCK + b"\r\n"),)))
ENDLESS_HEADER: Steps = (Raw(b"HTTP/1.1 200 OK\r\nX-Filler: "), Repeat((Raw(_BLOCK),)))
HEADERS_OF_NOTHING: Steps = (Raw(b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 3900), Stall())
ENDLESS_LINE: Steps = (
    Head(200, {"Content-Type": "text/event-stream"} | CHUNKED),
    Chunk(b"data: "),
    Repeat((Chunk(_BLOCK),)),
)
"""An event stream whose first line has no end."""
NO_CHUNK_SIZE = Raw(b"no size\r\n")
"""Instead of a chunk: a line that is not its size."""
ENDLESS_CHUNK = Raw(b"10000000000\r\n")
"""The size of a chunk of a terabyte, and none of it."""
OVERFULL_CHUNK = Raw(b"5\r\nmore than five bytes\r\n")


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = (f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items()))
    return "\r\n".join((*lines, "", "")).encode()
