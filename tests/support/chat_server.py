"""A scripted chat server over real HTTP: each request is answered with the next script, byte by byte as it says."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

# A step of a script besides bytes, which are written, and seconds, which are waited: cut the connection, or say nothing
# more until the client is gone.
CUT, STALL = object(), object()
Script = Sequence[Any]


@dataclass
class Asked:
    """One request. `client`: the connection that it came on, counted from 1."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    client: int


@dataclass
class ChatServer:
    """`pages` answer GET, with status 200 or (status, body); anything else is not found."""

    scripts: list[Script]
    pages: dict[str, Any] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    # Set when an answer has been asked for.
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    # Set when a client has gone while its answer was not complete.
    left: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    _clients: int = 0

    def posts(self) -> list[Asked]:
        return [each for each in self.asked if each.method == "POST"]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            await self._conversation(reader, writer, self._clients)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _conversation(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: int) -> None:
        while True:
            request = await _request(reader, client)
            self.asked.append(request)
            if request.method == "GET":
                writer.write(_page(self.pages.get(request.path, (404, b"{}"))))
                continue
            self.wanted.set()
            for step in self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]:
                if step is CUT:
                    return
                if step is STALL:
                    await reader.read()
                    self.left.set()
                    return
                if isinstance(step, bytes):
                    writer.write(step)
                    await writer.drain()
                else:
                    await asyncio.sleep(step)


async def _request(reader: asyncio.StreamReader, client: int) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, json.loads(body) if body else None, client)


def _page(page: Any) -> bytes:
    status, body = page if isinstance(page, tuple) else (200, page)
    return response(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def response(status: int, body: bytes = b"", kind: str = "application/json", more: str = "") -> bytes:
    """A whole response."""
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def piece(data: bytes) -> bytes:
    """One chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def serving(*scripts: Script, pages: dict[str, Any] | None = None) -> AsyncIterator[ChatServer]:
    """A server on a free port of this machine. Its last script is repeated."""
    server = ChatServer([*scripts], pages or {})
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        yield server
