"""Opening a connection: the name looked up, the address dialled, TLS and the framing's handshake, by one deadline."""

import asyncio
import functools
import ssl
from typing import Any
from urllib.parse import urlsplit

from probe.clock import Timeline
from probe.transport import dialing, rounds
from probe.transport.connection import ConnectError, Connection, Deliver, Endpoint
from probe.transport.deadline import within
from probe.transport.failures import HandshakeRefusedError, said_in, why_not
from probe.transport.framing.base import FramingError
from probe.transport.framing.table import framing_named
from probe.urls import host_of, without_secrets

_DEFAULT_PORTS = {"ws": 80, "wss": 443, "http": 80, "https": 443}
_WITH_TLS = ("wss", "https", "grpcs")


async def connect(clock: Timeline, endpoint: Endpoint, deliver: Deliver, timeout_s: float) -> Connection:
    """Open a connection, its handshake included, within `timeout_s`. Raises ConnectError with the reason."""
    try:
        async with within(timeout_s):
            return await _connected(clock, endpoint, deliver)
    except (OSError, FramingError, HandshakeRefusedError, ValueError) as error:
        refusal = error.refusal if isinstance(error, HandshakeRefusedError) else None
        reason, detail = why_not(error, without_secrets(endpoint.url), timeout_s)
        raise ConnectError(reason, detail, refusal, said_in(error)) from error


async def _connected(clock: Timeline, endpoint: Endpoint, deliver: Deliver) -> Connection:
    framing = framing_named(endpoint.framing)(endpoint.url, endpoint.headers)
    where = urlsplit(endpoint.url)
    host, port = host_of(where), where.port or _DEFAULT_PORTS.get(where.scheme)
    if host is None or port is None:
        raise ValueError("the URL has no host, or no port")
    context = tls_context_of_http2 if endpoint.framing == "http2" else tls_context
    tls: dict[str, Any] = {"ssl": context(), "server_hostname": host} if where.scheme in _WITH_TLS else {}
    stamped = await dialing.connected(host, port)
    connection = Connection(framing, deliver, clock, stamped)
    try:
        stamped.take_part(rounds.of_this_loop())
    except OSError:
        # There was a descriptor for the socket, and none for what looks after it.
        stamped.close()
        raise
    await asyncio.get_running_loop().create_connection(lambda: connection, sock=stamped, **tls)
    try:
        await connection.opened()
    except BaseException:
        connection.abort()
        raise
    return connection


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Reading the certificates takes tens of milliseconds: once, and outside of every measure."""
    return ssl.create_default_context()


@functools.cache
def tls_context_of_http2() -> ssl.SSLContext:
    """The same for HTTP/2, which a server has to agree to before it is spoken."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    return context
