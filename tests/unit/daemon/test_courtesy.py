"""Users come first: busy is waited for, down is not."""

import asyncio
import json
from typing import Any

import pytest

from probe.daemon.courtesy import wait_for_users
from probe.protocols.base import Inquiry
from probe.protocols.llama_chunked import codec, llama_server

URL = "ws://user:secret@spark:8002/ws"


class Server:
    """Answers /health with one document after the other; the last one stays."""

    def __init__(self, loop: Any, *answers: Any) -> None:
        self.loop = loop
        self.answers = list(answers)
        self.asked: list[tuple[float, str]] = []

    async def ask(self, inquiry: Inquiry[int | None], _timeout_s: float) -> int | None:
        self.asked.append((self.loop.time(), inquiry.url))
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            return None
        return inquiry.read(answer if isinstance(answer, bytes) else json.dumps(answer).encode())


def ask(virtual: Any, server: Server, max_wait_s: float = 30.0, stop_after: float | None = None) -> str | None:
    async def go() -> str | None:
        stop = asyncio.Event()
        if stop_after is not None:
            virtual.loop.call_later(stop_after, stop.set)
        asked = [Inquiry(codec.health_url(URL), codec.users)]
        return await wait_for_users(asked, server.ask, max_wait_s, stop, virtual.loop.time)

    reason: str | None = virtual.run(go())
    return reason


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "ok", "active_streams": 0},
        {"status": "ok", "active_streams": []},
        {"status": "degraded", "llama_server": "unreachable", "active_streams": 0},
        {"status": "ok"},
        {"active_streams": "many"},
        b"<html>",
        b"[1]",
        None,
    ],
)
def test_free_down_or_unknown_goes_on_at_once(virtual: Any, answer: Any) -> None:
    server = Server(virtual.loop, answer)
    assert ask(virtual, server) is None
    assert server.asked == [(0.0, "http://spark:8002/health")]


@pytest.mark.parametrize("streams", [1, ["a"], {"a": {}}])
def test_a_server_that_stays_busy_is_left_alone(virtual: Any, streams: Any) -> None:
    server = Server(virtual.loop, {"active_streams": streams})
    assert ask(virtual, server) == "1 stream in use, still so after 30 s"
    assert virtual.loop.time() == pytest.approx(30)
    assert len(server.asked) <= 10


def test_a_server_that_gets_free_is_used(virtual: Any) -> None:
    server = Server(virtual.loop, {"active_streams": 2}, {"active_streams": 1}, {"active_streams": 0})
    assert ask(virtual, server) is None
    assert [at for at, _ in server.asked] == [0.0, 1.0, 3.0]


def test_no_patience_asks_once(virtual: Any) -> None:
    server = Server(virtual.loop, {"active_streams": 2})
    assert ask(virtual, server, max_wait_s=0) == "2 streams in use, still so after 0 s"
    assert len(server.asked) == 1


def test_the_end_of_the_daemon_ends_the_wait(virtual: Any) -> None:
    server = Server(virtual.loop, {"active_streams": 2})
    assert ask(virtual, server, stop_after=1.5) is not None
    assert virtual.loop.time() == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("slots", "users"),
    [
        (b'[{"id": 0, "is_processing": false}]', 0),
        (b'[{"id": 0, "is_processing": true}, {"id": 1, "is_processing": false}]', 1),
        (b"[]", 0),
        (b'{"error": {"message": "This server does not support slots endpoint."}}', None),
        (b"[1]", None),
        (b"not json", None),
        (b"", None),
    ],
)
def test_the_slots_of_llama_cpp(slots: bytes, users: int | None) -> None:
    assert llama_server.users(slots) == users


def test_users_of_llama_cpp_itself_are_waited_for_too(virtual: Any) -> None:
    """They talk to llama.cpp directly: the chunked server knows nothing of them."""
    answers = {
        "http://spark:8002/health": b'{"active_streams": 0}',
        "http://spark:8000/slots": b'[{"is_processing": true}]',
    }
    asked = [
        Inquiry(codec.health_url(URL), codec.users),
        Inquiry(llama_server.slots_url("http://spark:8000/"), llama_server.users),
    ]

    async def ask(inquiry: Inquiry[int | None], _timeout_s: float) -> int | None:
        return inquiry.read(answers[inquiry.url])

    async def go() -> str | None:
        return await wait_for_users(asked, ask, 5.0, asyncio.Event(), virtual.loop.time)

    assert "1 stream in use" in str(virtual.run(go()))
