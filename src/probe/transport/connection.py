"""The WebSocket client: opens connections, stamps frames with the moment their bytes came in, gives up at deadlines.

The only client-side importer of `websockets`. Frames go from the socket's callback straight into the inbox, past the
library's own queue: that saves a task switch between the bytes and whoever waits for them, and no back-pressure delays
them.
"""

import asyncio
import errno
import functools
import logging
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from probe.clock import Clock
from probe.transport import http_get, stamped_socket
from probe.transport.inbox import Arrival, Inbox, Kind, Server
from probe.transport.stamped_socket import StampedSocket
from probe.urls import without_secrets

CLOSE_TIMEOUT_S = 1.0
# Answers of an HTTP server that has no WebSocket at this path.
_WRONG_PATH = (200, 404, 405, 426)
MAX_MESSAGE_BYTES = 16 * 2**20
MAX_CONNECTION_BYTES = 64 * 2**20
# Small frames cost time and hardly any bytes: so many, of 5 ms each, are five minutes of audio.
MAX_CONNECTION_FRAMES = 2**16
# What is parsed at once: a read may hold 100,000 empty frames.
SLICE_BYTES = 2**13

# Detached on purpose, every error reaches the record instead; and of such a level that the library does not make up a
# line for each frame, which took longer than to read it.
_silent = logging.Logger("probe.websockets", logging.CRITICAL + 1)  # noqa: LOG001


class ConnectError(Exception):
    """A connection that could not be opened: `reason` is one of the `connect` reasons, or `error` where it is ours."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class SendError(Exception):
    """A request that could not be handed to the socket: `reason` is `closed`, or `timeout` where nobody reads."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Stamped(ClientConnection):
    """Stamps bytes before they are parsed.

    tests/integration/transport/test_connection.py holds the library to what this needs.
    """

    def __init__(
        self, *args: Any, deliver: Callable[[int, Kind, bytes], None], clock: Clock, socket: StampedSocket, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self._deliver = deliver
        self._clock = clock
        self._socket = socket
        self._at = 0
        self._received = self._frames = 0
        self._kind: Kind = "text"
        self._parts: list[bytes] = []
        self._over = False

    def data_received(self, data: bytes) -> None:
        waited_ns = self._socket.waited_ns()
        self._at = max(self._at, self._clock.now() - waited_ns)
        self._received += len(data)
        for start in range(0, len(data), SLICE_BYTES):
            if not self._flooded():
                super().data_received(data[start : start + SLICE_BYTES])
        broken = self.protocol.parser_exc
        if (flood := self._flooded()) is not None:
            self._end("flood", f"more than {flood} on one connection")
        elif broken is not None and not isinstance(broken, EOFError):
            self._end("broken", f"the server broke the WebSocket protocol: {broken}")

    def _flooded(self) -> str | None:
        """What there was more of than anyone would listen to, if there was."""
        if self._received > MAX_CONNECTION_BYTES:
            return f"{MAX_CONNECTION_BYTES // 2**20} MiB"
        return f"{MAX_CONNECTION_FRAMES} frames" if self._frames > MAX_CONNECTION_FRAMES else None

    def process_event(self, event: Any) -> None:
        self._frames += 1
        opcode = event.opcode if isinstance(event, Frame) else None
        if opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._collect(event)
        elif opcode is Opcode.CLOSE:
            self._end("closed", _how_closed(self))
        else:
            super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._at = self._clock.now()
        self._end("closed", _how_closed(self))

    def _collect(self, frame: Frame) -> None:
        if frame.opcode is not Opcode.CONT:
            self._kind, self._parts = ("text" if frame.opcode is Opcode.TEXT else "binary"), []
        self._parts.append(bytes(frame.data))
        if frame.fin and not self._over:
            self._deliver(self._at, self._kind, b"".join(self._parts))

    def _end(self, kind: Kind, detail: str) -> None:
        if not self._over:
            self._over = True
            self._deliver(self._at, kind, detail.encode())
        if kind != "closed":
            self.transport.abort()


class Link(Protocol):
    """One open connection."""

    async def send(self, request: str, timeout_s: float) -> int:
        """Hand a request to the socket; returns the moment just before.

        Raises SendError where the connection is gone or takes no more.
        """

    async def close(self) -> None:
        """Close politely, by force after `CLOSE_TIMEOUT_S`. Never raises."""

    def abort(self) -> None:
        """End the connection at once."""


class _WebSocketLink:
    def __init__(self, connection: ClientConnection, stamped: StampedSocket, clock: Clock) -> None:
        self._connection = connection
        self._socket = stamped
        self._clock = clock

    async def send(self, request: str, timeout_s: float) -> int:
        self._socket.forget_writes()
        try:
            async with asyncio.timeout(timeout_s):
                await self._connection.send(request)
        except ConnectionClosed as error:
            raise SendError("closed", f"connection closed: {_how_closed(self._connection)}") from error
        except TimeoutError as error:
            raise SendError("timeout", f"the server did not take a request within {timeout_s:g} s") from error
        return self._clock.now() - self._socket.since_write_ns()

    async def close(self) -> None:
        try:
            async with asyncio.timeout(2 * CLOSE_TIMEOUT_S):
                await self._connection.close()
        except (TimeoutError, WebSocketException, OSError):
            self.abort()

    def abort(self) -> None:
        self._connection.transport.abort()


class Connector(Protocol):
    """Opens links whose frames go to one inbox."""

    async def open(self, server: Server, number: int, url: str, headers: Mapping[str, str], timeout_s: float) -> Link:
        """Open connection `number` to a server within `timeout_s`. Raises ConnectError with the reason."""

    async def fetch(self, url: str, timeout_s: float) -> bytes | None:
        """Ask a server over HTTP; None where it has no answer within `timeout_s`."""


class WebSocketConnector:
    """The connector of real servers."""

    def __init__(self, clock: Clock, inbox: Inbox) -> None:
        self._clock = clock
        self._inbox = inbox

    async def open(self, server: Server, number: int, url: str, headers: Mapping[str, str], timeout_s: float) -> Link:
        def deliver(at: int, kind: Kind, data: bytes) -> None:
            self._inbox.put(Arrival(at, server, number, kind, data))

        try:
            async with asyncio.timeout(timeout_s):
                where = parse_uri(url)
                stamped = await stamped_socket.connected(where.host, where.port)
                connection = await self._upgraded(stamped, url, headers, deliver)
        except (OSError, WebSocketException, EOFError, ValueError, LookupError) as error:
            raise ConnectError(*_why_not(error, without_secrets(url), timeout_s)) from error
        return _WebSocketLink(connection, stamped, self._clock)

    async def _upgraded(
        self,
        stamped: StampedSocket,
        url: str,
        headers: Mapping[str, str],
        deliver: Callable[[int, Kind, bytes], None],
    ) -> ClientConnection:
        factory: Any = functools.partial(_Stamped, deliver=deliver, clock=self._clock, socket=stamped)
        secure: dict[str, Any] = {"ssl": _tls_context()} if url.startswith("wss:") else {}
        return await connect(
            url,
            additional_headers=headers,
            compression=None,
            open_timeout=None,
            # Our own deadlines notice a dead server; a batch engine that blocks its loop would miss a ping.
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=MAX_MESSAGE_BYTES,
            logger=_silent,
            create_connection=factory,
            sock=stamped,
            **secure,
        )

    async def fetch(self, url: str, timeout_s: float) -> bytes | None:
        return await http_get.get(url, timeout_s)


@functools.cache
def _tls_context() -> ssl.SSLContext:
    """Reading the certificates takes tens of milliseconds: once, and outside of every measure."""
    return ssl.create_default_context()


def _why_not(error: BaseException, url: str, timeout_s: float) -> tuple[str, str]:
    """Turn whatever kept a connection from opening into a reason and a sentence."""
    match error:
        case TimeoutError():
            hint = _tls_hint(url, plain="does that server answer there?")
            return "timeout", f"{url}: no WebSocket handshake within {timeout_s:g} s; {hint}"
        case socket.gaierror():
            return "dns", f"{url}: host name not found ({error.strerror})"
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return "error", f"{url}: {error.strerror}: raise the limit on this machine (LimitNOFILE=, ulimit -n)"
        case ConnectionRefusedError():
            return "refused", f"{url}: connection refused; is the server running?"
        case ssl.SSLError():
            return "tls", f"{url}: {_tls_failure(error, url)}"
        case _ if (answer := _answer(error)) is not None:
            return "not_websocket", f"{url}: HTTP {answer.status_code} instead of a WebSocket{_where_else(answer)}"
        case _ if isinstance(error, ConnectionError) or isinstance(error.__cause__, EOFError | ConnectionError):
            return "closed", f"{url}: the server ended the connection during the handshake; {_tls_hint(url)}"
        case OSError():
            return "unreachable", f"{url}: {error.strerror or error}"
        case InvalidHandshake():
            return "not_websocket", f"{url}: no WebSocket server answers there ({error})"
    return "not_websocket", f"{url}: {error}"


def _answer(error: BaseException) -> Response | None:
    """What an HTTP server said that opens no WebSocket. A redirect that the library can't follow hides it."""
    refusal = error if isinstance(error, InvalidStatus) else error.__context__
    return refusal.response if isinstance(refusal, InvalidStatus) else None


def _where_else(answer: Response) -> str:
    if locations := answer.headers.get_all("Location"):
        return f"; it redirects to {_printable(without_secrets(locations[0]))}: enter the address that it is at"
    return "; check the path" if answer.status_code in _WRONG_PATH else ""


def _tls_failure(error: ssl.SSLError, url: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused: {error.verify_message}"
    return f"TLS failed ({error.reason or error}); {_tls_hint(url)}"


def _tls_hint(url: str, plain: str = "does it want TLS? then it is wss://") -> str:
    return "does it speak TLS? if not, it is ws://" if url.startswith("wss:") else plain


def _how_closed(connection: ClientConnection) -> str:
    frame = connection.protocol.close_rcvd
    if frame is None:
        return "without a close frame"
    return _printable(f"close frame {frame}")


def _printable(text: str) -> str:
    """A server's own words on one line: anything but letters may be in them."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
