"""Users come first: busy is waited for, down is not; what is unknown depends on the setting."""

import asyncio
import json
from typing import Any

import pytest

from probe.daemon.courtesy import Finding, wait_for_certainty, wait_for_users
from probe.plan import ServerPlan
from probe.protocols.inquiries import Inquiries, Inquiry
from probe.protocols.llama_chunked import PROTOCOL, codec
from probe.server_state import ServerState

URL = "ws://user:secret@spark:8002/ws"
USERS = (Inquiry(codec.health_url(URL), codec.users),)


class Server:
    """Answers /health with one document after the other; the last one stays."""

    def __init__(self, loop: Any, *answers: Any) -> None:
        self.loop = loop
        self.answers = list(answers)
        self.asked: list[tuple[float, str]] = []

    async def ask(self, inquiries: Inquiries[int | None]) -> int | None:
        (inquiry,) = inquiries
        assert isinstance(inquiry, Inquiry)
        self.asked.append((self.loop.time(), inquiry.url))
        await asyncio.sleep(0)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            return None
        return inquiry.read(answer if isinstance(answer, bytes) else json.dumps(answer).encode())


def ask(
    virtual: Any, server: Server, max_wait_s: float = 30.0, stop_after: float | None = None, wait: Any = wait_for_users
) -> Finding:
    async def go() -> Finding:
        stop = asyncio.Event()
        if stop_after is not None:
            virtual.loop.call_later(stop_after, stop.set)
        found: Finding = await wait([USERS], server.ask, max_wait_s, stop, virtual.loop.time)
        return found

    finding: Finding = virtual.run(go())
    return finding


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "ok", "active_streams": 0},
        {"status": "ok", "active_streams": []},
        {"status": "degraded", "llama_server": "unreachable", "active_streams": 0},
    ],
)
@pytest.mark.parametrize("wait", [wait_for_users, wait_for_certainty])
def test_free_goes_on_at_once(virtual: Any, answer: Any, wait: Any) -> None:
    server = Server(virtual.loop, answer)
    assert ask(virtual, server, wait=wait) == Finding()
    assert server.asked == [(0.0, "http://user:secret@spark:8002/health")]


SILENT = [{"status": "ok"}, {"active_streams": "many"}, b"<html>", b"[1]", None]


@pytest.mark.parametrize("answer", SILENT)
def test_down_or_unknown_goes_on_at_once_and_is_known_to_be_unknown(virtual: Any, answer: Any) -> None:
    server = Server(virtual.loop, answer)
    assert ask(virtual, server) == Finding(None, unknown=True)
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", SILENT)
def test_unknown_waits_where_certainty_is_wanted(virtual: Any, answer: Any) -> None:
    server = Server(virtual.loop, answer)
    why = "a server does not say whether it is in use, still so after 30 s"
    assert ask(virtual, server, wait=wait_for_certainty) == Finding(why, unknown=True)
    assert virtual.loop.time() == pytest.approx(30)


def test_a_server_that_answers_again_is_used(virtual: Any) -> None:
    server = Server(virtual.loop, None, {"active_streams": 1}, {"active_streams": 0})
    assert ask(virtual, server, wait=wait_for_certainty) == Finding()
    assert [at for at, _ in server.asked] == [0.0, 1.0, 3.0]


@pytest.mark.parametrize("streams", [1, ["a"], {"a": {}}])
@pytest.mark.parametrize("wait", [wait_for_users, wait_for_certainty])
def test_a_server_that_stays_busy_is_left_alone(virtual: Any, streams: Any, wait: Any) -> None:
    server = Server(virtual.loop, {"active_streams": streams})
    assert ask(virtual, server, wait=wait) == Finding("1 stream in use, still so after 30 s")
    assert virtual.loop.time() == pytest.approx(30)
    assert len(server.asked) <= 10


def test_a_server_that_gets_free_is_used(virtual: Any) -> None:
    server = Server(virtual.loop, {"active_streams": 2}, {"active_streams": 1}, {"active_streams": 0})
    assert ask(virtual, server) == Finding()
    assert [at for at, _ in server.asked] == [0.0, 1.0, 3.0]


def test_no_patience_asks_once(virtual: Any) -> None:
    server = Server(virtual.loop, {"active_streams": 2})
    assert ask(virtual, server, max_wait_s=0) == Finding("2 streams in use, still so after 0 s")
    assert len(server.asked) == 1


def test_the_end_of_the_daemon_ends_the_wait(virtual: Any) -> None:
    server = Server(virtual.loop, {"active_streams": 2})
    assert ask(virtual, server, stop_after=1.5).reason is not None
    assert virtual.loop.time() == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("own", "slots", "found"),
    [
        (b'{"active_streams": 0}', b'[{"is_processing": true}]', Finding("1 stream in use, still so after 5 s")),
        (b'{"active_streams": 0}', b"", Finding(None, unknown=True)),
        (b'{"active_streams": 2}', b"", Finding("2 streams in use, still so after 5 s")),
        (b'{"active_streams": 0}', b'[{"is_processing": false}]', Finding()),
    ],
)
def test_users_of_llama_cpp_itself_are_waited_for_too(virtual: Any, own: bytes, slots: bytes, found: Finding) -> None:
    """They talk to llama.cpp directly: the chunked server knows nothing of them."""
    answers = {"http://spark:8002/health": own, "http://other:8000/metrics": b"", "http://other:8000/slots": slots}
    headers = {"authorization": "Bearer secret-of-spark"}
    plan = ServerPlan("chunked", "ws://spark:8002/ws", {"llama_url": "http://other:8000/"}, headers)
    asked: Any = PROTOCOL.users(plan)
    # What is said to one server is no other's business.
    assert [[dict(each.headers) for each in service] for service in asked] == [[headers], [{}, {}]]

    async def ask(inquiries: Inquiries[ServerState | None]) -> int | None:
        states = [each.read(answers[each.url]) for each in inquiries if isinstance(each, Inquiry)]
        return next((state.users for state in states if state is not None), None)

    async def go() -> Finding:
        return await wait_for_users(asked, ask, 5.0, asyncio.Event(), virtual.loop.time)

    assert virtual.run(go()) == found
