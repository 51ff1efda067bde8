"""One connection to the HTTP port: reads the request, answers it, and gives the answer time to arrive."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain

from probe.daemon.http_access import Access
from probe.daemon.http_hosts import is_meant
from probe.daemon.http_message import Answer, Page, Request, SlowPage, head_of, parsed, plain
from probe.daemon.http_unread import Unread
from probe.http_crowd import FAREWELL_S, HURRIED_S, Visit

# A client that takes longer for its request, or to read on, is stuck or malicious.
DEADLINE_S = 5.0
# To read all of a page, however steadily: as long as Prometheus waits by default.
SENDING_S = 10.0
MAX_HEAD_BYTES = 16_384
_PIECE_BYTES = 65_536
_FULL = plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")
_LATE = plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections, and no request within the time that leaves")
_LARGE = plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too large")
_STRANGER = plain(HTTPStatus.FORBIDDEN, "the client's certificate has none of the names that may ask")
_MISDIRECTED = plain(
    HTTPStatus.MISDIRECTED_REQUEST, "this is no name of this machine; if it should be, add it to http.allowed_hosts"
)


@dataclass(frozen=True, slots=True)
class Site:
    """The pages of a port, and who may ask for them. `allowed_hosts` as in `is_meant`."""

    pages: Mapping[str, Page]
    slow_pages: Mapping[str, SlowPage]
    access: Access
    allowed_hosts: Collection[str]
    unread: Unread
    # Closes a connection that does not read its page, in favour of another one.
    free: Callable[[], Awaitable[None]]


async def talk(connection: socket.socket, visit: Visit, moved: Callable[[], None], site: Site) -> None:
    """Read a request and answer it. `moved` is called where the visit enters another phase."""
    now = asyncio.get_running_loop().time
    opening = _Opening(connection, site.access.tls)
    try:
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await opening.streams()
            request = await _request(reader)
        visit.enters("page", now())
        answer = request if isinstance(request, Answer) else await _answer(request, reader, writer, site)
        visit.enters("body", now())
        moved()
        with_body = isinstance(request, Answer) or request.method == "GET"
        with site.unread.sending(len(answer.body)):
            async with asyncio.timeout(SENDING_S):
                await _send(writer, answer, site, with_body=with_body, went_on=lambda: visit.goes_on(now()))
            del answer
        visit.enters("done", now())
        moved()
        await _hang_up(reader, writer)
    except asyncio.CancelledError:
        if not visit.dismissed:
            raise
        if visit.phase == "head" and opening.is_open:
            await _dismiss(*await opening.streams(), site)
    except (TimeoutError, OSError):
        pass
    finally:
        opening.abort()


async def _dismiss(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site) -> None:
    """Answer a connection that is closed in favour of others: its request may be on its way."""
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(HURRIED_S):
            await _send(writer, _LATE, site, with_body=True, went_on=lambda: None)
            await _hang_up(reader, writer)


async def refuse(connection: socket.socket, site: Site) -> None:
    """Answer that there are too many connections, and give the client a moment to read it."""
    opening = _Opening(connection, site.access.tls)
    try:
        async with asyncio.timeout(2 * FAREWELL_S):
            reader, writer = await opening.streams()
            await _send(writer, _FULL, site, with_body=True, went_on=lambda: None)
            await _hang_up(reader, writer)
    except (TimeoutError, OSError):
        pass
    finally:
        opening.abort()


class _Opening:
    """A connection that was taken, to be made streams of; ended by `abort` however far that came."""

    def __init__(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        self._connection = connection
        self._tls = tls
        self._transport: asyncio.Transport | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    @property
    def is_open(self) -> bool:
        return self._streams is not None

    async def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Raises OSError where the client is gone again, or where it does not speak TLS and should."""
        if self._streams is not None:
            return self._streams
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=MAX_HEAD_BYTES, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        limits = {"ssl_handshake_timeout": DEADLINE_S, "ssl_shutdown_timeout": FAREWELL_S} if self._tls else {}
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, self._connection, ssl=self._tls, **limits)
        # `drain` then waits until the kernel has everything. With 0, that of asyncio's TLS would wait for ever.
        transport.set_write_buffer_limits(high=1)
        self._transport = transport
        self._streams = reader, asyncio.StreamWriter(transport, protocol, reader, loop)
        return self._streams

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        else:
            self._connection.close()


async def _request(reader: asyncio.StreamReader) -> Request | Answer:
    try:
        return parsed(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("no request") from error
    except asyncio.LimitOverrunError:
        return _LARGE


async def _answer(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, site: Site) -> Answer:
    """Raises ConnectionError where the client hangs up while it waits for a page that takes long."""
    local = writer.get_extra_info("sockname")
    if not is_meant(request.fields.get("host"), local[0] if isinstance(local, tuple) else "", site.allowed_hosts):
        return _MISDIRECTED
    if not site.access.knows(writer.get_extra_info("peercert")):
        return _STRANGER
    if (refusal := await site.access.refusal(request)) is not None:
        return refusal
    if not site.unread.has_room(request.path):
        await site.free()
        if not site.unread.has_room(request.path):
            return _FULL
    try:
        if (page := site.pages.get(request.path)) is not None:
            answer = page(request.fields.get("accept", ""))
            site.unread.learn(request.path, len(answer.body))
            return answer
        if (slow := site.slow_pages.get(request.path)) is not None:
            return await _while_there(slow(request), reader)
    except _HungUpError:
        raise
    except Exception as error:  # noqa: BLE001 - one page that can't be made must not end the others
        return plain(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}")
    return plain(HTTPStatus.NOT_FOUND, f"there is {', '.join([*site.pages, *site.slow_pages])}")


class _HungUpError(ConnectionError):
    """Nobody waits for the answer."""


async def _while_there(page: Awaitable[Answer], reader: asyncio.StreamReader) -> Answer:
    """The page, which is given up where the client hangs up. Raises _HungUpError."""
    making, leaving = asyncio.ensure_future(page), asyncio.ensure_future(_left(reader))
    try:
        await asyncio.wait((making, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not making.done():
            raise _HungUpError
        return making.result()
    finally:
        making.cancel()
        leaving.cancel()
        # Only one may read at a time.
        await asyncio.wait((making, leaving))


async def _left(reader: asyncio.StreamReader) -> None:
    """Return when the client has hung up, whatever it sends before."""
    with suppress(OSError):
        while await reader.read(_PIECE_BYTES):
            pass


async def _send(
    writer: asyncio.StreamWriter, answer: Answer, site: Site, *, with_body: bool, went_on: Callable[[], None]
) -> None:
    """In pieces: a client that does not read costs no memory. Raises TimeoutError if nothing is read for long."""
    body = answer.body if with_body else b""
    # The client is woken once for the head and what it is of.
    first = head_of(answer, site.access.headers) + body[:_PIECE_BYTES]
    others = (body[start : start + _PIECE_BYTES] for start in range(_PIECE_BYTES, len(body), _PIECE_BYTES))
    for piece in chain((first,), others):
        async with asyncio.timeout(DEADLINE_S):
            writer.write(piece)
            await writer.drain()
        went_on()


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let the client end the connection, whatever it still sends."""
    if writer.can_write_eof():
        writer.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await _left(reader)
    writer.close()
    async with asyncio.timeout(2 * FAREWELL_S):
        await writer.wait_closed()
