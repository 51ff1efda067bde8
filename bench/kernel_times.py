"""Scripted servers whose log has when the kernel got what came in, not when their event loop came round to it.

A server that has twenty clients reads the twentieth of their frames milliseconds after it has come: that is the
server's lateness, and no error of who sent it. Linux notes when a segment came in (SO_TIMESTAMPNS, socket(7)). Shares
no code with the client that is measured.
"""

import asyncio
import socket
import struct
import time
from bisect import bisect_left
from typing import Any, Self, cast

from probe.reference.faults import realtime
from probe.reference.faults.connection import Connection
from probe.reference.faults.log import Log
from probe.reference.faults.server import HOST, ScriptedServer
from probe.reference.faults.wyoming_hearing import HearingConnection, ScriptedHearing

_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
# By the file descriptor of a connection: how many bytes had come after each read, and when the last of them did.
_READ: dict[int, tuple[list[int], list[int]]] = {}


class Listener(socket.socket):
    """Its connections are stamped."""

    def accept(self) -> tuple[socket.socket, Any]:
        accepted, address = super().accept()
        return StampedConnection(accepted.family, accepted.type, accepted.proto, accepted.detach()), address


class StampedConnection(socket.socket):
    """Notes when the last byte of each read came in, on the monotonic clock."""

    def __init__(self, family: int, kind: int, protocol: int, number: int) -> None:
        super().__init__(family, kind, protocol, number)
        self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._ends, self._times = _READ[number] = [], []

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        data, messages, _, _ = self.recvmsg(size, socket.CMSG_SPACE(_TIMESPEC.size), flags)
        now, wall = time.monotonic_ns(), time.time_ns()
        came = now
        for level, kind, stamp in messages:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack(stamp)
                came = min(now, now - wall + seconds * 10**9 + nanoseconds)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(data))
        self._times.append(came)
        return data


class Counted:
    """A stream's reader that counts what was taken from it."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.taken = 0

    async def readuntil(self, separator: bytes) -> bytes:
        return self._count(await self._reader.readuntil(separator))

    async def readexactly(self, size: int) -> bytes:
        return self._count(await self._reader.readexactly(size))

    def _count(self, data: bytes) -> bytes:
        self.taken += len(data)
        return data


class _Stamped(Connection):
    """Logs each piece with the time at which its last byte came in."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, log: Log) -> None:
        super().__init__(number, reader, writer, log)
        self._counted = Counted(reader)
        self.reader = cast("asyncio.StreamReader", self._counted)
        self._ends, self._times = _READ[writer.get_extra_info("socket").fileno()]

    def _deliver(self, kind: str, data: bytes) -> None:
        came = self._times[bisect_left(self._ends, self._counted.taken)]
        self.inbox.put_nowait(self.log.add(self.number, "in", kind, data, came))


class _StampedHearing(_Stamped, HearingConnection):
    pass


class _StampedServer(ScriptedServer):
    connection_type = _Stamped

    async def __aenter__(self) -> Self:
        # Without the protocol, asyncio would leave out TCP_NODELAY.
        listener = Listener(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind((HOST, self.port))
        self._listener = await asyncio.start_server(self._accept, sock=listener)
        self.port = listener.getsockname()[1]
        return self


class StampedHearing(_StampedServer, ScriptedHearing):
    connection_type = _StampedHearing


class StampedRealtime(_StampedServer, realtime.ScriptedRealtime):
    pass
