"""Pages over HTTP, for a thread that may wait: each with one deadline for all of it, and a bound."""

import functools
import socket
import ssl
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from probe.machine.answer import Answer, NoPageError
from probe.urls import authorization, host_of

# A machine of hundreds of cores shows less than 1 MiB. What is longer is refused.
MAX_BYTES = 4 * 2**20
_PORTS = {"http": 80, "https": 443}
_READ_BYTES = 65_536
# A run every minute finds the connection of the one before.
_KEPT_S = 90.0
# Linux alone has it.
_ACKNOWLEDGE: int | None = getattr(socket, "TCP_QUICKACK", None)


@dataclass(frozen=True, slots=True)
class _Kept:
    """An open connection, and where it leads."""

    connection: socket.socket
    origin: tuple[str, str]
    until: float


class Reader:
    """Reads pages, in one thread, and keeps its connection for the next: opening one costs as much as a page."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    def page(self, url: str, timeout_s: float) -> bytes:
        """The page at this URL, whole. Raises NoPageError, after `timeout_s` at most and what a name lookup takes."""
        until = time.monotonic() + timeout_s
        try:
            parts = urlsplit(url)
            if (connection := self._known(parts)) is not None:
                # Whatever is wrong with it may be so because it is an old one.
                with suppress(OSError, NoPageError):
                    return self._asked(connection, url, parts, until)
            return self._asked(_connected(parts, until), url, parts, until)
        except (OSError, ValueError) as error:
            raise NoPageError(type(error).__name__) from error

    def close(self) -> None:
        if self._kept is not None:
            self._kept.connection.close()
            self._kept = None

    def _known(self, parts: SplitResult) -> socket.socket | None:
        """The connection that was kept, if it leads there; from now on, it is no longer kept."""
        kept = self._kept
        if kept is not None and kept.origin == parts[:2] and time.monotonic() < kept.until:
            self._kept = None
            return kept.connection
        self.close()
        return None

    def _asked(self, connection: socket.socket, url: str, parts: SplitResult, until: float) -> bytes:
        try:
            answer = _answered(connection, url, parts, until)
        except BaseException:
            connection.close()
            raise
        if answer.keeps:
            self._kept = _Kept(connection, parts[:2], time.monotonic() + _KEPT_S)
        else:
            connection.close()
        return answer.body


def page(url: str, timeout_s: float) -> bytes:
    """One page, as a `Reader` reads it."""
    with closing(Reader()) as reader:
        return reader.page(url, timeout_s)


def _answered(connection: socket.socket, url: str, parts: SplitResult, until: float) -> Answer:
    answer = Answer(MAX_BYTES)
    request = answer.to((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), _headers(url, parts))
    connection.settimeout(_left(until))
    connection.sendall(request)
    if _ACKNOWLEDGE is not None:
        # A server that sends its page in two pieces may wait for this between them: 40 ms otherwise.
        connection.setsockopt(socket.IPPROTO_TCP, _ACKNOWLEDGE, 1)
    while not answer.is_whole:
        connection.settimeout(_left(until))
        if data := connection.recv(_READ_BYTES):
            answer.add(data)
        else:
            answer.end()
    return answer


def _connected(parts: SplitResult, until: float) -> socket.socket:
    host = host_of(parts) or ""
    port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
    plain = socket.create_connection((host, port), _left(until))
    if parts.scheme != "https":
        return plain
    try:
        plain.settimeout(_left(until))
        return _tls().wrap_socket(plain, server_hostname=host)
    except (OSError, ValueError):
        plain.close()
        raise


def _headers(url: str, parts: SplitResult) -> dict[str, str]:
    """For an answer in Prometheus' text format."""
    known = authorization(url)
    return {
        "Host": parts.netloc.rpartition("@")[2],
        "User-Agent": "voice-probe",
        "Accept": "text/plain;version=0.0.4",
        **({} if known is None else {"Authorization": known}),
    }


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes tens of milliseconds."""
    return ssl.create_default_context()
