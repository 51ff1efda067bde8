"""One client's TCP connection: a script's steps are played on it while it is read all the time."""

import asyncio
import socket
import struct
import time
from contextlib import suppress
from typing import Protocol

from probe.reference.faults import wire
from probe.reference.faults.log import Entry, Log


class ConnectionGoneError(Exception):
    """The connection has ended, by either side: nothing more can be played on it."""


class Step(Protocol):
    """One thing that a scripted server does."""

    async def play(self, connection: "Connection", /) -> None:
        """Do it; ConnectionGoneError when the connection has ended, also by this very step."""


Steps = tuple[Step, ...]


class Connection:
    """What came is in `inbox`, the HTTP request first, and None when the client is gone.

    After that request it reads WebSocket messages; a subclass may read something else.
    """

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: Log) -> None:
        self.number = number
        self.log = log
        self.inbox: asyncio.Queue[Entry | None] = asyncio.Queue()
        self.values: dict[str, object] = {}
        self.audio_bytes = 0
        self.client_closed = asyncio.Event()
        self._gone = asyncio.Event()
        self._close_sent = False
        self.reader = reader
        self._writer = writer

    async def play(self, steps: Steps) -> None:
        for step in steps:
            await step.play(self)

    async def pause(self, seconds: float | None) -> None:
        """Wait, with None for ever, but not past the connection's end."""
        if seconds is not None and seconds <= 0:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), seconds)
        self._require_peer()

    async def send(self, opcode: int, payload: bytes) -> None:
        self.audio_bytes += len(payload) if opcode == wire.BINARY else 0
        await self.write(wire.KINDS[opcode], payload, wire.frame(opcode, payload))

    async def send_raw(self, data: bytes) -> None:
        await self.write("raw", data, data)

    async def write(self, kind: str, logged: bytes, data: bytes) -> None:
        """Write `data`, and log `logged` of it with the time of the write."""
        self._require_peer()
        began = time.monotonic_ns()
        self._writer.write(data)
        self.log.add(self.number, "out", kind, logged, began)
        await self._writer.drain()

    async def close(self, code: int, reason: str, patience: float) -> None:
        """Send a close frame, wait up to `patience` seconds for the client's, end the TCP connection."""
        if not self._close_sent:
            self._close_sent = True
            payload = wire.close_payload(code, reason)
            await self.write("close", payload, wire.frame(wire.CLOSE, payload))
        with suppress(TimeoutError):
            await asyncio.wait_for(self.client_closed.wait(), patience)
        self.drop()

    def close_our_half(self) -> None:
        """Send FIN after what was written, and read on."""
        self._writer.write_eof()

    def drop(self) -> None:
        """End the TCP connection (FIN) after what was written."""
        self._writer.close()
        self._gone.set()

    def reset(self) -> None:
        """End the TCP connection at once (RST)."""
        linger_zero = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_zero)
        self.abort()

    def abort(self) -> None:
        """End the TCP connection at once; what was written and not yet taken is lost."""
        # asyncio has no loop any more for a transport that is gone already.
        with suppress(AttributeError):
            self._writer.transport.abort()
        self._gone.set()

    async def receive(self) -> None:
        """Read until the client is gone."""
        with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ConnectionGoneError):
            await self.read_all()
        self.log.add(self.number, "in", "lost")
        self._gone.set()
        self.client_closed.set()
        self.inbox.put_nowait(None)

    async def read_all(self) -> None:
        """Log what comes, and put into the inbox what needs an answer; EOFError or ConnectionError at the end."""
        self._deliver("http", await self.reader.readuntil(b"\r\n\r\n"))
        while True:
            await self._take(*await wire.read_message(self.reader))

    async def _take(self, opcode: int, payload: bytes) -> None:
        if opcode in (wire.TEXT, wire.BINARY):
            self._deliver(wire.KINDS[opcode], payload)
            return
        self.log.add(self.number, "in", wire.KINDS.get(opcode, "raw"), payload)
        if opcode == wire.PING:
            await self.send(wire.PONG, payload)
        elif opcode == wire.CLOSE:
            self.client_closed.set()

    def _deliver(self, kind: str, data: bytes) -> None:
        self.inbox.put_nowait(self.log.add(self.number, "in", kind, data))

    def _require_peer(self) -> None:
        if self._gone.is_set() or self._writer.is_closing():
            raise ConnectionGoneError
