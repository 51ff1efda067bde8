"""One HTTP request and its answer, with a deadline for the whole: for questions to a server."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from msgspec import Struct

from probe.clock import AnchoredClock
from probe.transport.connection import ConnectError, Endpoint, SendError
from probe.transport.deadline import within
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response
from probe.transport.opening import connect

MAX_BYTES = 2**20


class Answer(Struct, frozen=True):
    """A complete HTTP answer, or the first `MAX_BYTES` of its body. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NoAnswerError(Exception):
    """There was no complete answer in time. The message says why, for a person."""


async def ask(endpoint: Endpoint, request: Request, timeout_s: float) -> Answer | None:
    """Send a request on a connection of its own; None where there is no complete answer within `timeout_s`."""
    with suppress(NoAnswerError):
        return await exchange(endpoint, request, timeout_s)
    return None


async def exchange(endpoint: Endpoint, request: Request, timeout_s: float) -> Answer:
    """Send a request on a connection of its own. Raises NoAnswerError, ValueError for a request that HTTP has not."""
    reading = _Reading()
    try:
        async with within(timeout_s):
            link = await connect(AnchoredClock.anchored_now(), endpoint, reading.read, timeout_s)
            try:
                await link.send(request, timeout_s)
                return await reading.answer
            finally:
                link.abort()
    except TimeoutError as error:
        raise NoAnswerError(f"no answer within {timeout_s:g} s") from error
    except (ConnectError, SendError) as error:
        raise NoAnswerError(str(error)) from error
    finally:
        reading.close()


async def get(url: str, timeout_s: float) -> bytes | None:
    """The body of a successful answer to GET, None for any other end within `timeout_s`."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    answer = await ask(Endpoint(url, "http1"), Request("GET", target), timeout_s)
    return answer.body if answer is not None and answer.status == HTTPStatus.OK else None


class _Reading:
    """Puts an answer together from what comes in."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._response = Response(0, {})
        self._body = bytearray()

    def read(self, _at: int, frame: Incoming) -> None:
        if self.answer.done():
            return
        match frame:
            case Response():
                self._response = frame
            case Body(data):
                self._body += data
                if len(self._body) >= MAX_BYTES:
                    self._complete()
            case BodyEnd():
                self._complete()
            case Ended(_, detail):
                self.answer.set_exception(NoAnswerError(f"the server ended the connection: {detail}"))

    def close(self) -> None:
        """Nobody wants to know any more, as where the request could not be written; its end may come only later."""
        if not self.answer.cancel() and not self.answer.cancelled():
            self.answer.exception()

    def _complete(self) -> None:
        body = bytes(self._body[:MAX_BYTES])
        self.answer.set_result(Answer(self._response.status, self._response.headers, body))
