"""The server: uvicorn with limits, ended by a signal within two seconds."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from probe.web.app import Site

# Connections that are served; and that are open at all.
MAX_CONNECTIONS = 128
MAX_TAKEN = 2 * MAX_CONNECTIONS
MAX_HEAD_BYTES = 16_384
KEEP_ALIVE_S = 5
# How long a client may take to send a request once it has connected.
REQUEST_DEADLINE_S = 5.0
# Answers that are not complete by then are aborted.
GRACE_S = 1
_BACKLOG = 64
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class RequestDeadline(H11Protocol):
    """uvicorn's protocol with a deadline: a connection without a complete request is closed, since it takes a place."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        super().connection_made(transport)
        if len(self.server_state.connections) > MAX_TAKEN:
            # Connections beyond MAX_CONNECTIONS get a 503; even more would use up the file descriptors.
            transport.abort()
        self._closing = self.loop.call_later(REQUEST_DEADLINE_S, self._give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_waiting():
            # From the end of the last answer, or the first byte of the next request; later bytes extend nothing.
            if self._closing.cancelled() or self._closing.when() < self.loop.time():
                self._closing = self.loop.call_later(REQUEST_DEADLINE_S, self._give_up)
        else:
            self._closing.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing.cancel()
        super().connection_lost(exc)

    def _is_waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self) -> None:
        if self._is_waiting():
            self.transport.abort()


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: uvicorn would raise the signal again at the end, and the process would die of it."""
        yield


def listen(host: str, port: int) -> socket.socket:
    """Take the port. Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=_BACKLOG)


def serve(site: Site, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    """Answer until a signal comes."""
    asyncio.run(_serve(site, listener, tls))


async def _serve(site: Site, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
    server = _Server(_config(site.app, tls))

    def stop() -> None:
        server.should_exit = True
        site.stop()

    loop = asyncio.get_running_loop()
    if tls is not None:
        # uvicorn passes no deadline for the handshake, and asyncio's own is a minute.
        create = partial(loop.create_server, ssl_handshake_timeout=REQUEST_DEADLINE_S)
        loop.create_server = create  # type: ignore[method-assign]  # of this loop alone
    for each in _SIGNALS:
        loop.add_signal_handler(each, stop)
    await server.serve([listener])


def _config(app: ASGIApp, tls: ssl.SSLContext | None) -> uvicorn.Config:
    settings: dict[str, Any] = {
        "loop": "asyncio", "http": RequestDeadline, "ws": "none", "lifespan": "off", "interface": "asgi3",
        "log_config": None, "log_level": "critical", "access_log": False, "proxy_headers": False,
        "server_header": False, "date_header": True, "backlog": _BACKLOG,
        "limit_concurrency": MAX_CONNECTIONS, "h11_max_incomplete_event_size": MAX_HEAD_BYTES,
        "timeout_keep_alive": KEEP_ALIVE_S, "timeout_graceful_shutdown": GRACE_S,
    }  # fmt: skip
    config = uvicorn.Config(app, **settings)
    config.load()
    config.ssl = tls
    return config
