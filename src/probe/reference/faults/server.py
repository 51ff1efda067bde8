"""What the scripted servers are made of: a listener that plays the script's common part."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, ClassVar, Self

from probe.reference.faults import wire
from probe.reference.faults.connection import Connection, ConnectionGoneError, Steps
from probe.reference.faults.log import Log
from probe.reference.faults.steps import Close, Http

HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Script:
    """What both servers have in common.

    on_accept: before the request is read. on_handshake: before the 101; `(Http(404),)` refuses. on_connected: right
    after the 101. on_client_close: in answer to a close frame. on_http: answers to GET by path, such as "/health".
    """

    on_accept: Steps = ()
    on_handshake: Steps = ()
    on_connected: Steps = ()
    on_client_close: Steps = (Close(),)
    on_http: Mapping[str, Steps] = field(default_factory=dict)


class ScriptedServer:
    """Listens on loopback while its context is open; a mistake in a script raises when it ends.

    `tls`: a server's context with a certificate; the URLs are wss:// and https:// then.
    """

    path: ClassVar[str]
    connection_type: ClassVar[type[Connection]] = Connection
    script: Script

    def __init__(self, script: Script, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self._tls = tls
        self.log = Log()
        self.port = port
        self._numbers = count(1)
        self._sessions: set[asyncio.Task[None]] = set()
        self._mistakes: list[BaseException] = []

    @property
    def url(self) -> str:
        return f"{'ws' if self._tls is None else 'wss'}://{HOST}:{self.port}{self.path}"

    @property
    def http_url(self) -> str:
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}"

    @property
    def open_connections(self) -> int:
        return len(self._sessions)

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, HOST, self.port, ssl=self._tls)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        sessions = list(self._sessions)
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await self._listener.wait_closed()
        if self._mistakes and error is None:
            raise self._mistakes[0]

    def http_answer(self, path: str) -> Steps:
        """How a healthy server of this sort answers a GET."""
        return (Http(404, {"detail": f"Not Found: {path}"}),)

    async def serve(self, connection: Connection) -> None:
        """Answer the messages in the connection's inbox until it ends with None."""
        raise NotImplementedError

    async def talk(self, connection: Connection, script: Script) -> None:
        """Do all that is done on one connection, except for reading it and saying goodbye."""
        await connection.play(script.on_accept)
        request = await connection.inbox.get()
        if request is None:
            return
        path, key = wire.request_path(request.data), request.headers.get("sec-websocket-key")
        if path != self.path or key is None:
            await connection.play(script.on_http.get(path) or self.http_answer(path))
            return
        await connection.play(script.on_handshake)
        await connection.send_raw(wire.upgrade_response(key))
        await connection.play(script.on_connected)
        await self.serve(connection)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = self.connection_type(next(self._numbers), reader, writer, self.log)
        self.log.add(connection.number, "in", "accepted")
        session = asyncio.ensure_future(self._session(connection, self.script))
        self._sessions.add(session)
        try:
            await asyncio.wait([session])
        finally:
            self._sessions.discard(session)
            connection.abort()

    async def _session(self, connection: Connection, script: Script) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(connection.receive())
                tasks.create_task(_to_its_end(self.talk(connection, script)))
                tasks.create_task(_to_its_end(_say_goodbye(connection, script)))
        except* Exception as mistakes:  # noqa: BLE001 - kept, to be raised where the test sees them
            self._mistakes.extend(mistakes.exceptions)


async def _say_goodbye(connection: Connection, script: Script) -> None:
    await connection.client_closed.wait()
    await connection.play(script.on_client_close)


async def _to_its_end(play: Coroutine[Any, Any, None]) -> None:
    with suppress(ConnectionGoneError, ConnectionError):
        await play


@contextmanager
def refusing_port() -> Iterator[int]:
    """Yield a loopback port that refuses connections, and is nobody else's meanwhile."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        yield bound.getsockname()[1]
