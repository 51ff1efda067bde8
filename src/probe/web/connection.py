"""One connection to the pages, with deadlines, and with the daemon's bounds on slow clients where many are open."""

import asyncio
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from probe import http_crowd
from probe.http_crowd import Visit

if TYPE_CHECKING:
    from collections.abc import Iterable

# Connections that are served; and that are open at all.
MAX_CONNECTIONS = 128
MAX_TAKEN = 2 * MAX_CONNECTIONS
# How long a client may take to send a request once it has connected.
REQUEST_DEADLINE_S = 5.0


def _refusal(why: str) -> bytes:
    head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(why)}"
    return f"{head}\r\nConnection: close\r\n\r\n{why}".encode()


_FULL = _refusal("too many connections\n")
_LATE = _refusal("too many connections, and no request within the time that leaves\n")


class BoundedConnection(H11Protocol):
    """uvicorn's protocol with a deadline: a connection without a complete request is closed, since it takes a place.

    If there is no place, a new one is not read until another one has closed, beginning with those that are slow.
    """

    visit: Visit
    # Until when it waits for a place.
    until: float | None = None
    # It was refused, and has a moment to read that.
    is_over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        has_place = len(self._served()) < MAX_CONNECTIONS
        super().connection_made(transport)
        now = self.loop.time()
        self.visit = Visit(self.client[0] if self.client else "", now)
        self._closing = self.loop.call_later(REQUEST_DEADLINE_S, self._give_up)
        if len(self.connections) > MAX_TAKEN:
            # Even to refuse so many would use up the file descriptors.
            self.is_over = True
            transport.abort()
        elif not has_place:
            transport.pause_reading()
            self.until = now + http_crowd.ROOM_S
            # First what has arrived from the connections that would be closed is read.
            self.looking = self.loop.call_soon(self.look_for_a_place)

    def data_received(self, data: bytes) -> None:
        if self.is_over:
            return
        super().data_received(data)
        now = self.loop.time()
        if self._is_waiting():
            if self.visit.phase == "done":
                self.visit.enters("head", now)
            # From the end of the last answer, or the first byte of the next request; later bytes extend nothing.
            if self._closing.cancelled() or self._closing.when() < now:
                self._closing = self.loop.call_later(REQUEST_DEADLINE_S, self._give_up)
        else:
            self._closing.cancel()
            if self.visit.phase != "body":
                self.visit.enters("page", now)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.visit.enters("body", self.loop.time())

    def resume_writing(self) -> None:
        super().resume_writing()
        self.visit.enters("done" if self._is_waiting() else "page", self.loop.time())

    def on_response_complete(self) -> None:
        # Begins with the next request, where that has arrived.
        super().on_response_complete()
        self.visit.enters("done" if self._is_waiting() else "page", self.loop.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing.cancel()
        super().connection_lost(exc)
        self.is_over = True
        self._let_one_in()

    def _is_waiting(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _give_up(self) -> None:
        if self._is_waiting():
            self.transport.abort()

    def _served(self) -> "dict[Visit, BoundedConnection]":
        return {each.visit: each for each in self._others() if each.until is None and not each.is_over}

    def _others(self) -> "Iterable[BoundedConnection]":
        """Every connection, this one included."""
        return cast("set[BoundedConnection]", self.connections)

    def look_for_a_place(self) -> None:
        """Be served: at once, or once another connection was closed. It is refused if that takes too long."""
        if self.until is None or self.is_over:
            return
        served, now = self._served(), self.loop.time()
        if len(served) >= MAX_CONNECTIONS and (visit := http_crowd.first_to_go(served, now)) is not None:
            served.pop(visit).dismiss()
        if len(served) < MAX_CONNECTIONS:
            self.until = None
            self.visit.enters("head", now)
            self.transport.resume_reading()
        elif now < self.until:
            pause_s = min(self.until - now, http_crowd.next_spare_s(served, now))
            self.looking = self.loop.call_later(pause_s, self.look_for_a_place)
        else:
            self._refuse(_FULL, http_crowd.FAREWELL_S)

    def _let_one_in(self) -> None:
        """A place may be free: the one that has waited longest looks."""
        waiting = [each for each in self._others() if each.until is not None and not each.is_over]
        if waiting:
            first = min(waiting, key=lambda each: each.visit.since)
            first.looking.cancel()
            first.look_for_a_place()

    def dismiss(self) -> None:
        """Close the connection, in favour of another one."""
        if self.visit.phase == "head":
            self._refuse(_LATE, http_crowd.HURRIED_S)
            return
        self.is_over = True
        # Idle: what was sent has a moment to be read.
        if self.visit.phase == "done":
            self._leave(http_crowd.HURRIED_S)
        else:
            self.transport.abort()

    def _refuse(self, answer: bytes, patience_s: float) -> None:
        self.is_over = True
        self.transport.resume_reading()
        self.transport.write(answer)
        self._leave(patience_s)

    def _leave(self, patience_s: float) -> None:
        """Let the client end the connection, whatever it still sends."""
        self._closing.cancel()
        self._closing = self.loop.call_later(patience_s, self.transport.abort)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()
