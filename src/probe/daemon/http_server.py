"""A small HTTP server for a few pages, on a thread and a loop of its own: a request never holds up a measurement."""

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

# A client that takes longer to ask is stuck, or malicious; and to read as long as Prometheus waits by default.
DEADLINE_S, SENDING_S = 5.0, 10.0
MAX_CONNECTIONS = 32
# So many are taken at all: those beyond MAX_CONNECTIONS are refused, the others wait to be accepted.
# Descriptors are needed for measuring.
MAX_TAKEN = 2 * MAX_CONNECTIONS
# Where no connection can be taken, as without descriptors.
RETRY_S = 0.5
MAX_HEAD_BYTES = 16_384
# What clients have asked for and not read yet, of all together: with 200 targets a page has 11 MB. A page that is the
# only one, and a small one, are always sent.
MAX_UNREAD_BYTES = 2**24
SMALL_BYTES = 2**16
_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a GET."""

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN


def plain(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode())


# Makes an answer, given the request's Accept header; called on the server's thread, may take a while.
Page = Callable[[str], Answer]


class HttpServer:
    """Answers GET and HEAD of each page by its path until it is closed."""

    def __init__(
        self, host: str, port: int, pages: Mapping[str, Page], complain: Callable[[str], None] = lambda _what: None
    ) -> None:
        """Take the port. Raises OSError if that is not possible.

        `complain` is called in the server's thread where connections can't be taken any more: once, until they can.
        """
        self._pages = pages
        self._complain = complain
        self._open = self._unread = 0
        # By path: the size of its last page.
        self._sizes: dict[str, int] = {}
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        self._socket = socket.create_server(address[:2], family=family, backlog=MAX_CONNECTIONS)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="http", daemon=True)
        self._listening = threading.Event()

    @property
    def port(self) -> int:
        """The port in use, also if any was allowed."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        self._thread.start()
        self._listening.wait(DEADLINE_S)

    def close(self) -> None:
        """End at once, also what is being sent."""
        if self._listening.is_set():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(1.0)
        self._socket.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._socket.setblocking(False)
        taking = asyncio.ensure_future(self._take_all())
        self._listening.set()
        await self._stop.wait()
        taking.cancel()

    async def _take_all(self) -> None:
        """Not `asyncio.start_server`: without descriptors that writes a traceback for each connection that waits."""
        room = asyncio.Semaphore(MAX_TAKEN)
        going: set[asyncio.Task[None]] = set()
        well = True
        while True:
            await room.acquire()
            try:
                connection, _ = await self._loop.sock_accept(self._socket)
            except OSError as error:
                room.release()
                if well:
                    self._complain(f"no connection can be taken: {error.strerror}")
                well = False
                await asyncio.sleep(RETRY_S)
                continue
            well = True
            task = asyncio.ensure_future(self._attend(connection))
            going.add(task)
            task.add_done_callback(going.discard)
            task.add_done_callback(lambda _: room.release())

    async def _attend(self, connection: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=connection, limit=MAX_HEAD_BYTES)
        except OSError:
            # It is gone again.
            connection.close()
        else:
            await self._talk(reader, writer)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        unread = 0
        try:
            async with asyncio.timeout(DEADLINE_S):
                message = _BUSY if self._open > MAX_CONNECTIONS else await self._respond(reader)
            unread = len(message)
            self._unread += unread
            # To make a large page takes time, too, on a busy machine: that is no delay of the client's.
            async with asyncio.timeout(SENDING_S):
                writer.write(message)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError):
            writer.transport.abort()
        finally:
            self._open -= 1
            self._unread -= unread
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise ConnectionError("no request") from error
        except asyncio.LimitOverrunError:
            return _message(plain(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too large"), with_body=True)
        request, *fields = head.decode("latin-1").split("\r\n")
        method, _, rest = request.partition(" ")
        path, _, version = rest.rpartition(" ")
        if not version.startswith("HTTP/1."):
            return _message(plain(HTTPStatus.BAD_REQUEST, "not HTTP/1"), with_body=True)
        if method not in ("GET", "HEAD"):
            return _message(plain(HTTPStatus.METHOD_NOT_ALLOWED, "GET and HEAD only"), with_body=True)
        path = path.partition("?")[0]
        if not self._may_be_sent(path):
            return _BUSY
        answer = self._answer(path, _accepted(fields))
        if path in self._pages:
            self._sizes[path] = len(answer.body)
        return _message(answer, with_body=method == "GET")

    def _may_be_sent(self, path: str) -> bool:
        """Whether there is room for one more page that nobody reads."""
        size = self._sizes.get(path, 0)
        return size < SMALL_BYTES or not self._unread or self._unread + size <= MAX_UNREAD_BYTES

    def _answer(self, path: str, accept: str) -> Answer:
        page = self._pages.get(path)
        if page is None:
            return plain(HTTPStatus.NOT_FOUND, f"there is {', '.join(self._pages)}")
        try:
            return page(accept)
        except Exception as error:  # noqa: BLE001 - one page that can't be made must not end the others
            return plain(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}: {error}")


def _accepted(fields: list[str]) -> str:
    for line in fields:
        name, _, value = line.partition(":")
        if name.strip().lower() == "accept":
            return value.strip()
    return ""


def _message(answer: Answer, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n"
        + ("Allow: GET, HEAD\r\n" if answer.status == HTTPStatus.METHOD_NOT_ALLOWED else "")
        + "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (answer.body if with_body else b"")


_BUSY = _message(plain(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections"), with_body=True)
