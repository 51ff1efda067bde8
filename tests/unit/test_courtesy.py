"""Users come first: busy is waited for, down is not."""

import asyncio
import json
from typing import Any

import pytest

from probe.courtesy import wait_for_users
from probe.protocols.chunked import ChunkedLlm

URL = "ws://user:secret@spark:8002/ws"


class Server:
    """Answers /health with one document after the other; the last one stays."""

    def __init__(self, loop: Any, *answers: Any) -> None:
        self.loop = loop
        self.answers = list(answers)
        self.asked: list[tuple[float, str]] = []

    async def get(self, url: str, _timeout_s: float) -> bytes | None:
        self.asked.append((self.loop.time(), url))
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if answer is None or isinstance(answer, bytes) else json.dumps(answer).encode()


def ask(virtual: Any, server: Server, max_wait_s: float = 30.0, stop_after: float | None = None) -> str | None:
    async def go() -> str | None:
        stop = asyncio.Event()
        if stop_after is not None:
            virtual.loop.call_later(stop_after, stop.set)
        return await wait_for_users(URL, ChunkedLlm(), server.get, max_wait_s, stop, virtual.loop.time)

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
