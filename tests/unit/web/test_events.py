"""An open page learns of a finished run."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from asgi import ask
from starlette.requests import Request
from starlette.routing import Route, Router
from starlette.types import Message

from probe.web import events
from probe.web.events import Events


def asked() -> Request:
    return Request({"type": "http", "method": "GET", "headers": []})


def in_time(work: object) -> None:
    asyncio.run(asyncio.wait_for(work, 60))  # type: ignore[arg-type]  # a coroutine


async def until(stream: AsyncIterator[str], text: str) -> None:
    async for event in stream:
        if text in event:
            return
    raise AssertionError(f"ended without {text!r}")


def test_each_listener_learns_of_a_new_run_and_one_task_looks_for_all() -> None:
    newest, looked = 7, 0

    def look() -> int:
        nonlocal looked
        looked += 1
        return newest

    async def listening() -> None:
        nonlocal newest
        found = Events(look, poll_s=0.01)
        streams = [found._events() for _ in range(10)]
        for stream in streams:
            await until(stream, "data: 7\n")
        newest = 8
        before = looked
        for stream in streams:
            await until(stream, "data: 8\n")
        # One look for all of them, or the few that fit in while a busy machine passes it on: not ten.
        watching = found._watching
        assert watching is not None and looked > before
        for stream in streams:
            await stream.aclose()
        await asyncio.wait({watching})
        assert watching.cancelled() and found._listeners == 0

    in_time(listening())


def test_nobody_looks_while_nobody_listens() -> None:
    looked = 0

    def look() -> int:
        nonlocal looked
        looked += 1
        return 0

    async def waiting() -> None:
        Events(look, poll_s=0.001)
        await asyncio.sleep(0.05)

    in_time(waiting())
    assert looked == 0


def test_a_sign_of_life_comes_while_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.01)

    async def listening() -> None:
        stream = Events(lambda: 7, poll_s=0.01)._events()
        await until(stream, "data: 7\n")
        await until(stream, ": still here")
        await stream.aclose()

    in_time(listening())


def test_stopping_ends_what_would_go_on_for_ever() -> None:
    async def listening() -> None:
        found = Events(lambda: 7, poll_s=0.01)
        stream = found._events()
        await until(stream, "data: 7\n")
        asyncio.get_running_loop().call_later(0.02, found.stop)
        assert [event async for event in stream] == []
        assert found._listeners == 0

    in_time(listening())


def test_a_history_that_can_not_be_read_is_looked_at_again() -> None:
    looks = itertools.count()

    def look() -> int:
        if next(looks) == 0:
            raise OSError("gone")
        return 7

    async def listening() -> None:
        stream = Events(look, poll_s=0.01)._events()
        await until(stream, "data: 7\n")
        await stream.aclose()

    in_time(listening())


def test_one_listener_too_many_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where all ask at once, before the first of them has been sent anything; and whoever goes makes room."""
    monkeypatch.setattr(events, "MOST_LISTENERS", 2)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None: ...

    async def listening() -> None:
        found = Events(lambda: 7, poll_s=0.01)
        answers = [await found.answer(asked()) for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 503]
        await answers[0](asked().scope, receive, send)
        assert [(await found.answer(asked())).status_code for _ in range(2)] == [200, 503]

    in_time(listening())


def test_asking_for_the_head_alone_does_not_listen() -> None:
    found = Events(lambda: 7)
    answer = ask(Router([Route("/events", found.answer)]), "/events", "HEAD")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert found._listeners == 0
