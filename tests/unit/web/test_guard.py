"""What is true of every answer, whatever the page."""

import asyncio
from typing import Any

import pytest
from asgi import ask, scope
from starlette.responses import PlainTextResponse

from probe.web import guard
from probe.web.guard import LOOPBACK_NAMES, Guard, without_port

APP = Guard(PlainTextResponse("words"), (*LOOPBACK_NAMES, "probe.lan", "Front.lan:443", "whole.lan.", "2001:db8::7"))


def test_every_answer_protects_whoever_reads_it() -> None:
    headers = ask(APP, "/").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["content-security-policy"] and "http" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_a_refusal_has_the_same_headers() -> None:
    assert "content-security-policy" in ask(APP, "/", host="evil.example").headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"])
def test_nothing_but_reading_is_possible(method: str) -> None:
    answer = ask(APP, "/", method)
    assert answer.status == 405 and answer.headers["allow"] == "GET, HEAD"
    assert "words" not in answer.text


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:9851",
        "localhost:9851",
        "LOCALHOST",
        "[::1]:9851",
        "probe.lan",
        "localhost.:9851",
        "front.lan",
        "front.lan:8443",
        "whole.lan",
        "[2001:db8::7]:9851",
    ],
)
def test_its_own_names_are_answered(host: str) -> None:
    assert ask(APP, "/", host=host).text == "words"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9851", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_a_foreign_name_is_not_answered(host: str) -> None:
    assert ask(APP, "/", host=host).status == 421


def test_two_names_or_none_are_not_answered() -> None:
    for headers in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
        asked = {**scope("/", "GET", {}), "headers": headers}
        assert APP._refusal(asked) is not None


def test_the_very_address_of_the_connection_is_a_name_of_ours() -> None:
    """Where it listens on every address, nobody lists them all."""
    asked = {**scope("/", "GET", {"host": "192.0.2.7:9851"}), "server": ("192.0.2.7", 9851)}
    assert APP._refusal(asked) is None


@pytest.mark.parametrize(
    ("site", "mode", "status"),
    [
        ("cross-site", "no-cors", 403),
        ("same-site", "cors", 403),
        ("cross-site", "navigate", 200),
        ("same-origin", "cors", 200),
        ("none", "navigate", 200),
    ],
)
def test_another_site_may_link_to_a_page_but_not_use_it(site: str, mode: str, status: int) -> None:
    assert ask(APP, "/", sec_fetch_site=site, sec_fetch_mode=mode).status == status


def test_a_client_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SEND_DEADLINE_S", 0.01)

    async def never(_message: Any) -> None:
        await asyncio.get_running_loop().create_future()

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def asked() -> None:
        await APP(scope("/", "GET", {"host": "localhost"}), receive, never)

    asyncio.run(asyncio.wait_for(asked(), 30))


def test_what_surrounds_a_name_is_not_part_of_it() -> None:
    assert [*map(without_port, ("a", "a:1", "[::1]:1", "[::1]"))] == ["a", "a", "::1", "::1"]
