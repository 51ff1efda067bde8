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

from probe.web.app import Site
from probe.web.connection import REQUEST_DEADLINE_S, BoundedConnection

MAX_HEAD_BYTES = 16_384
KEEP_ALIVE_S = 5
# Answers that are not complete by then are aborted.
GRACE_S = 1
_BACKLOG = 1024
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


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
        "loop": "asyncio", "http": BoundedConnection, "ws": "none", "lifespan": "off", "interface": "asgi3",
        "log_config": None, "log_level": "critical", "access_log": False, "proxy_headers": False,
        "server_header": False, "date_header": True, "backlog": _BACKLOG,
        "h11_max_incomplete_event_size": MAX_HEAD_BYTES,
        "timeout_keep_alive": KEEP_ALIVE_S, "timeout_graceful_shutdown": GRACE_S,
    }  # fmt: skip
    config = uvicorn.Config(app, **settings)
    config.load()
    config.ssl = tls
    return config
