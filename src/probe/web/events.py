"""Server-sent events: an open page learns of a finished run within a second, by its number.

One task looks for all who listen, and only while somebody does. What has changed each page then asks for itself.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from probe.web.threads import Busy, Threads

MOST_LISTENERS = 64
POLL_S = 0.4
# So often something is sent, that a connection which is gone is noticed.
HEARTBEAT_S = 15.0
# After which the browser asks again.
LONGEST_S = 3600.0
_READ_DEADLINE_S = 5.0
_RETRY_MS = 2000
_TYPE = "text/event-stream"


class _Stream(StreamingResponse):
    """Ends its generator however it ends itself, and then calls `over`, once it has been called."""

    def __init__(self, events: AsyncGenerator[str, None], over: Callable[[], None]) -> None:
        super().__init__(events, media_type=_TYPE)
        self._events = events
        self._over = over

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._events):
                await super().__call__(scope, receive, send)
        finally:
            self._over()


class Events:
    """For one loop. `newest` returns the number of the run that was kept last; it is called in a thread."""

    def __init__(self, newest: Callable[[], int], poll_s: float = POLL_S) -> None:
        self._newest = newest
        self._poll_s = poll_s
        self._threads = Threads(1)
        # None until it has been looked for.
        self._known: int | None = None
        # Streams that were promised: of many who ask at once, none has begun to listen when the next one is answered.
        self._promised = 0
        self._listeners = 0
        self._watching: asyncio.Task[None] | None = None
        self._changed: asyncio.Future[None] | None = None
        self._is_over = False

    async def answer(self, request: Request) -> Response:
        if self._promised >= MOST_LISTENERS:
            return Response("too many pages are open\n", HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "30"})
        if request.method == "HEAD":
            return Response(media_type=_TYPE)
        self._promised += 1
        return _Stream(self._events(), self._gone)

    def stop(self) -> None:
        """End all streams: they would go on for ever."""
        self._is_over = True
        self._wake()

    def _gone(self) -> None:
        self._promised -= 1

    async def _events(self) -> AsyncGenerator[str, None]:
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST_S
        self._listeners += 1
        if self._watching is None:
            self._watching = loop.create_task(self._watch())
        try:
            yield f"retry: {_RETRY_MS}\n\n"
            sent = None
            while not self._is_over and loop.time() < end:
                if sent != self._known:
                    sent = self._known
                    yield f"event: newest\ndata: {sent}\n\n"
                elif not await self._change():
                    yield ": still here\n\n"
        finally:
            self._listeners -= 1
            if not self._listeners and self._watching is not None:
                self._watching.cancel()
                self._watching = self._known = None

    async def _change(self) -> bool:
        """Wait for a change; whether one came before it is time for a sign of life."""
        if self._changed is None:
            self._changed = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait({self._changed}, timeout=HEARTBEAT_S)
        return bool(done)

    async def _watch(self) -> None:
        while not self._is_over:
            try:
                found: int | None = await self._threads.run(self._newest, _READ_DEADLINE_S)
            except (Busy, OSError):
                found = self._known
            # Smaller where the history was replaced.
            if found != self._known:
                self._known = found
                self._wake()
            await asyncio.sleep(self._poll_s)

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)
        self._changed = None
