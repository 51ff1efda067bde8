"""A small HTTP server for a few pages, on a thread and a loop of its own: a request never holds up a measurement."""

import asyncio
import socket
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from probe import http_crowd
from probe.daemon.http_access import Access
from probe.daemon.http_listen import listening
from probe.daemon.http_message import Answer, Page, Request, SlowPage, plain
from probe.daemon.http_talk import Site, refuse, talk
from probe.daemon.http_unread import Unread
from probe.http_crowd import Visit

__all__ = ["Answer", "HttpServer", "Page", "Request", "SlowPage", "plain"]

MAX_CONNECTIONS = 32
# Open connections, including those that are being closed or refused. Measuring needs descriptors too.
MAX_TAKEN = 3 * MAX_CONNECTIONS
# Where no connection can be taken, as without descriptors.
RETRY_S = 0.5
# From bytes that came to a request that was read.
_TURNS = 3
# How long the thread may take to begin.
_START_S = 5.0


class HttpServer:
    """Answers GET and HEAD of each page by its path until it is closed."""

    def __init__(
        self,
        host: str,
        port: int,
        pages: Mapping[str, Page],
        complain: Callable[[str], None] = lambda _what: None,
        *,
        slow_pages: Mapping[str, SlowPage] | None = None,
        access: Access | None = None,
        allowed_hosts: Collection[str] = (),
    ) -> None:
        """Take the port. Raises OSError if that is not possible.

        `complain` is called in the server's thread where connections can't be taken any more: once, until they can;
        and where a changed file of `access` can't be used. `allowed_hosts` as in `is_meant`.
        """
        self._site = Site(pages, slow_pages or {}, access or Access(), allowed_hosts, Unread(), self._free)
        self._complain = complain
        self._visits: set[Visit] = set()
        self._sockets = listening(host, port)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="http", daemon=True)
        self._listening = threading.Event()

    @property
    def port(self) -> int:
        """The port in use, also if any was allowed."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        self._thread.start()
        self._listening.wait(_START_S)

    def close(self) -> None:
        """End at once, also what is being sent."""
        if self._listening.is_set():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(1.0)
        for each in self._sockets:
            each.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        # Set when a connection closes or makes progress.
        self._moved = asyncio.Event()
        self._taken = asyncio.Semaphore(MAX_TAKEN)
        taking = [asyncio.ensure_future(self._take_all(each)) for each in self._sockets]
        self._listening.set()
        await self._stop.wait()
        for each in taking:
            each.cancel()

    async def _take_all(self, listener: socket.socket) -> None:
        """Not `asyncio.start_server`: without descriptors that writes a traceback for each connection that waits."""
        going: set[asyncio.Task[None]] = set()
        well = True
        while True:
            await self._taken.acquire()
            try:
                connection, address = await self._loop.sock_accept(listener)
            except OSError as error:
                self._taken.release()
                if well:
                    self._complain(f"no connection can be taken: {error.strerror}")
                well = False
                await asyncio.sleep(RETRY_S)
                continue
            well = True
            self._site.access.renewed(self._complain)
            has_room = await self._make_room()
            task = self._attended(connection, Visit(address[0], self._loop.time()), has_room=has_room)
            going.add(task)
            task.add_done_callback(going.discard)
            task.add_done_callback(lambda _: self._taken.release())
            # So that those that came before have their turn, in a flood too.
            await asyncio.sleep(0)

    def _attended(self, connection: socket.socket, visit: Visit, *, has_room: bool) -> asyncio.Task[None]:
        if not has_room:
            return asyncio.ensure_future(refuse(connection, self._site))
        self._visits.add(visit)
        visit.task = asyncio.ensure_future(talk(connection, visit, self._moved.set, self._site))
        visit.task.add_done_callback(lambda _: self._gone(visit))
        return visit.task

    def _gone(self, visit: Visit) -> None:
        self._visits.discard(visit)
        self._moved.set()

    async def _make_room(self) -> bool:
        """Whether one more can be served: at once, or after another one has closed within a second."""
        until = self._loop.time() + http_crowd.ROOM_S
        while len(self._visits) >= MAX_CONNECTIONS:
            # First read what has arrived from the connections that would be closed.
            await _some_turns()
            now = self._loop.time()
            if (visit := http_crowd.first_to_go(self._visits, now)) is not None:
                self._visits.discard(visit)
                visit.dismiss()
            elif now >= until:
                return False
            else:
                await self._somebody_moves(min(until - now, http_crowd.next_spare_s(self._visits, now)))
        return True

    async def _somebody_moves(self, at_most_s: float) -> None:
        self._moved.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._moved.wait()

    async def _free(self) -> None:
        """Close connections that take too long to read their page."""
        while (visit := http_crowd.first_to_go(self._reading(), self._loop.time())) is not None:
            self._visits.discard(visit)
            visit.dismiss()
        await _some_turns()

    def _reading(self) -> Collection[Visit]:
        return [each for each in self._visits if each.phase == "body"]


async def _some_turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
