"""A scripted server of `/v1/audio/speech`: a request gets the next answer, byte for byte. Its log holds the truth."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

# Seconds to wait, bytes to write, or something to await, such as a gate.
Step = float | bytes | Callable[[], Awaitable[Any]]
Answer = Sequence[Step]


@dataclass(frozen=True)
class Asked:
    """One request, as it came in."""

    connection: int
    target: str
    headers: dict[str, str]
    body: Any
    at_ns: int


@dataclass
class SpeechServer:
    """`sent` has every write with time.monotonic_ns() just before it; `lost`: the client has ended a connection."""

    answers: list[Answer]
    voices: bytes | None = None
    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    connections: int = 0
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def sent_at(self, piece: bytes) -> list[int]:
        return [at for at, data in self.sent if data == piece]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        try:
            while await self._answer(number, reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            self.lost.set()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False where the connection ends with it."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if method == "GET":
            writer.write(whole(self.voices or b"", "application/json", status=404 if self.voices is None else 200))
            return True
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.asked.append(Asked(number, target, headers, body, time.monotonic_ns()))
        return await self._play(self.answers.pop(0), reader, writer)

    async def _play(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for step in answer:
            if step == DROP:
                return False
            if isinstance(step, bytes):
                self.sent.append((time.monotonic_ns(), step))
                writer.write(step)
                await writer.drain()
            elif isinstance(step, float):
                await asyncio.sleep(step)
            elif step is STALL:
                await reader.readexactly(1)
            else:
                await step()
        return True


# The server ends the connection.
DROP = b""


async def STALL() -> None:  # noqa: N802 - a word of the script
    """The server says nothing more, until the client ends the connection."""
    raise AssertionError


def head(content_type: str = "audio/pcm", status: int = 200, **headers: str) -> bytes:
    """The head of a chunked answer."""
    more = {"content-type": content_type, "transfer-encoding": "chunked"}
    more |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in more.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode()


def piece(data: bytes) -> bytes:
    """A chunk of its body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def pieces(*data: bytes, content_type: str = "audio/pcm", **headers: str) -> list[Step]:
    """A whole answer of chunks, each in a write of its own."""
    return [head(content_type, 200, **headers), *map(piece, data), END]


def whole(body: bytes, content_type: str, status: int = 200, more: str = "") -> bytes:
    """A whole answer in one write, its length stated."""
    lines = (f"HTTP/1.1 {status} Whatever", f"content-type: {content_type}", f"content-length: {len(body)}")
    return "\r\n".join([*lines, *([more] if more else []), "", ""]).encode() + body


@asynccontextmanager
async def speech_server(*answers: Iterable[Step], voices: bytes | None = None) -> AsyncIterator[SpeechServer]:
    server = SpeechServer([[*each] for each in answers], voices)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
        yield server
