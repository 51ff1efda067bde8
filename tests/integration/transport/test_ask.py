"""One question over HTTP, to servers that answer, that never come to an end, and that are none."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import pytest

from probe.reference.faults import refusing_port
from probe.transport.ask import MAX_BYTES, Answer, NoAnswerError, ask, exchange, get
from probe.transport.connection import ConnectError, Deliver, Endpoint, SendError
from probe.transport.framing.base import Ended, Request

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
GET = Request("GET", "/health")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WITHOUT_LENGTH = b"HTTP/1.1 200 OK\r\n\r\n"


def at(port: int, path: str = "") -> Endpoint:
    return Endpoint(f"http://127.0.0.1:{port}{path}", "http1")


@asynccontextmanager
async def serving(handle: Handle) -> AsyncIterator[int]:
    """A server's port; at the end every client has left."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await handle(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients.append(asyncio.ensure_future(serve(reader, writer)))

    clients: list[asyncio.Future[None]] = []
    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(asyncio.gather(*clients), 10)


def answering(*parts: bytes, asked: list[bytes] | None = None) -> AbstractAsyncContextManager[int]:
    """A server that reads a request, says `parts`, and ends the connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head)
        writer.writelines(parts)

    return serving(answer)


def dripping(head: bytes, drop: bytes) -> AbstractAsyncContextManager[int]:
    """A server that says `head`, and then a drop now and then, for ever."""

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(drop)
            await asyncio.sleep(0.05)

    return serving(drip)


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b"x"),
        (HEAD, b"x"),
        (WITHOUT_LENGTH, b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["in-the-head", "in-the-body", "without-a-length", "chunks", "informational"],
)
async def test_an_answer_that_comes_drop_by_drop_is_over_by_the_deadline(head: bytes, drop: bytes) -> None:
    async with dripping(head, drop) as port:
        began = time.monotonic()
        with pytest.raises(NoAnswerError, match=r"no answer within 0\.3 s"):
            await exchange(at(port), GET, 0.3)
        assert await ask(at(port), GET, 0.3) is None
        # It would go on for ever.
        assert time.monotonic() - began < 60


async def test_an_answer_is_its_status_headers_and_body() -> None:
    asked: list[bytes] = []
    answer = b"HTTP/1.1 418 Teapot\r\nX-Kind: Pot\r\nContent-Length: 5\r\n\r\nshort"
    async with answering(b"HTTP/1.1 100 Continue\r\n\r\n", answer, asked=asked) as port:
        endpoint = Endpoint(f"http://127.0.0.1:{port}", "http1", {"authorization": "Bearer secret"})
        assert await ask(endpoint, GET, 60) == Answer(418, {"x-kind": "Pot", "content-length": "5"}, b"short")
    assert asked[0].startswith(b"GET /health HTTP/1.1\r\n") and b"Bearer secret" in asked[0]
    assert "secret" not in repr(endpoint)


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    async with answering(WITHOUT_LENGTH, b"all of it") as port:
        assert await ask(at(port), GET, 60) == Answer(200, {}, b"all of it")


@pytest.mark.parametrize("head", [WITHOUT_LENGTH, CHUNKED + b"1000000\r\n"])
async def test_of_an_answer_without_an_end_only_so_much_is_read(head: bytes) -> None:
    async with answering(head, b"x" * (MAX_BYTES + 1)) as port:
        found = await ask(at(port), GET, 60)
    assert found is not None and len(found.body) == MAX_BYTES


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "before its response"),
        (b"HTTP/1.1 200 OK\r\n", "before its response"),
        (HEAD + b"half", "in the middle of its response"),
        (CHUNKED + b"5\r\nhello\r\n", "in the middle of its response"),
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "the server broke HTTP"),
    ],
)
async def test_an_answer_that_is_not_complete_is_none(answer: bytes, said: str) -> None:
    async with answering(answer) as port:
        with pytest.raises(NoAnswerError, match=said):
            await exchange(at(port), GET, 60)
        assert await ask(at(port), GET, 60) is None


async def test_where_nobody_listens_there_is_no_answer() -> None:
    with refusing_port() as port:
        with pytest.raises(NoAnswerError, match="connection refused; is the server running"):
            await exchange(at(port), GET, 60)
        assert await ask(at(port), GET, 60) is None


@pytest.mark.parametrize("status", [200, 404])
async def test_get_is_the_body_of_a_success_alone(status: int) -> None:
    asked: list[bytes] = []
    async with answering(b"HTTP/1.1 %d Well\r\nContent-Length: 2\r\n\r\n{}" % status, asked=asked) as port:
        found = await get(f"http://127.0.0.1:{port}/slots?fail=1", 5)
    assert found == (b"{}" if status == 200 else None)
    assert asked[0].startswith(b"GET /slots?fail=1 HTTP/1.1\r\n")


@pytest.mark.parametrize("when", ["while-connecting", "after-connecting", "after-sending"])
async def test_an_end_that_nobody_waits_for_is_no_complaint(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is gone before it is asked: asyncio wrote a traceback to standard error for each."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
    ended = Ended("closed", "between two requests")
    late: list[Deliver] = []

    class Gone:
        async def send(self, _frame: object, _timeout_s: float) -> int:
            raise SendError("closed", "connection closed")

        def abort(self) -> None:
            pass

    async def connect(_clock: object, _endpoint: object, deliver: Deliver, _timeout_s: float) -> Gone:
        if when == "after-sending":
            late.append(deliver)
        else:
            deliver(1, ended)
        if when == "while-connecting":
            raise ConnectError("closed", "connection closed")
        return Gone()

    monkeypatch.setattr("probe.transport.ask.connect", connect)
    with pytest.raises(NoAnswerError, match="connection closed"):
        await exchange(at(1), GET, 60)
    while late:
        late.pop()(1, ended)
    gc.collect()
    assert complaints == []
