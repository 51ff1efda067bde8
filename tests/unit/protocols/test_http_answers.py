"""Statuses as reasons, and the server's words, however it nests them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import ServerPlan
from probe.protocols.base import Ready, Refused
from probe.protocols.http_answers import (
    MAX_BODY_BYTES,
    FailedAnswer,
    complaint,
    media_type,
    refusal,
    refused_handshake,
    succeeded,
    with_advice,
    words_in,
)
from probe.record import REASONS
from probe.transport.framing.base import Refusal, Response


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, "Invalid API Key", Refused("HTTP 401 for /v1", "Invalid API Key", reason="unauthorized")),
        (403, "", Refused("HTTP 403 for /v1: Forbidden", reason="unauthorized")),
        (404, "", Refused("HTTP 404 for /v1: Not Found", reason="not_found")),
        (429, "busy", Refused("HTTP 429 for /v1", "busy", busy=True)),
        (500, "", Refused("HTTP 500 for /v1: Internal Server Error")),
        (501, "", Refused("HTTP 501 for /v1: Not Implemented")),
        (599, "", Refused("HTTP 599 for /v1: an unknown status")),
        (400, "", Refused("HTTP 400 for /v1: Bad Request")),
        (502, "", Refused("HTTP 502 for /v1: Bad Gateway", reason="unavailable")),
        (504, "", Refused("HTTP 504 for /v1: Gateway Timeout", reason="unavailable")),
        (503, "Service Unavailable", Refused("HTTP 503 for /v1", "Service Unavailable", reason="unavailable")),
        (503, "Loading model", Refused("HTTP 503 for /v1", "Loading model", reason="loading")),
        (
            503,
            "the server is overloaded",
            Refused("HTTP 503 for /v1", "the server is overloaded", reason="unavailable"),
        ),
        (
            503,
            "server busy, maximum pending requests exceeded",
            Refused(
                "HTTP 503 for /v1", "server busy, maximum pending requests exceeded", busy=True, reason="unavailable"
            ),
        ),
        (304, "", Refused("HTTP 304 for /v1: a redirect to nowhere", reason="not_found")),
    ],
)
def test_what_a_status_means(status: int, body: str, expected: Refused) -> None:
    assert refusal(Response(status, {}), "/v1", body.encode()) == expected


SERVER = ServerPlan("x", "ws://h/ws")
NONE_SENT = "no credentials were sent: set headers"


@pytest.mark.parametrize(
    ("status", "body", "reason", "what", "said"),
    [
        (401, "no key", "unauthorized", f"; {NONE_SENT}", "no key"),
        (403, "", "unauthorized", f": Forbidden; {NONE_SENT}", ""),
        (404, "", "not_found", "; check the path: Not Found", ""),
        (200, "<html>", "not_websocket", "; check the path", ""),
        (400, "?", "not_websocket", "; check the path", "?"),
        (426, "", "not_websocket", "; check the path", ""),
        (500, "oops", "server_error", "", "oops"),
        (502, "<html>", "unavailable", ": Bad Gateway", ""),
        (503, '{"error": {"message": "Loading model"}}', "loading", "", "Loading model"),
        (504, "", "unavailable", ": Gateway Timeout", ""),
    ],
)
def test_what_the_answer_to_a_handshake_means(status: int, body: str, reason: str, what: str, said: str) -> None:
    found = refused_handshake(Refusal(status, {}, body.encode()), SERVER)
    assert found == Refused(f"HTTP {status} instead of a WebSocket{what}", said, reason=reason)
    assert reason in REASONS["connect"]


@pytest.mark.parametrize(("status", "words"), [(429, ""), (503, "too many connections"), (503, "Server is full")])
def test_a_server_that_is_full_says_so_at_the_handshake(status: int, words: str) -> None:
    assert refused_handshake(Refusal(status, {}, words.encode()), SERVER).busy


def test_a_handshake_that_is_redirected_names_where_to_without_a_password() -> None:
    found = refused_handshake(Refusal(302, {"location": "wss://u:p@h/ws?key=1"}, b""), SERVER)
    what = "HTTP 302 instead of a WebSocket: it redirects: enter the address that it is at"
    assert found == Refused(what, "it redirects to wss://h/ws", reason="not_found")


@pytest.mark.parametrize(
    ("url", "headers", "advice"),
    [
        ("ws://h/ws", {}, NONE_SENT),
        ("ws://h/ws", {"authorization": "Bearer x"}, "it does not accept the credentials that it was sent"),
        ("ws://u:p@h/ws", {}, "it does not accept the credentials that it was sent"),
        ("ws://h/ws?token=1", {}, "it does not accept the credentials that it was sent"),
    ],
)
def test_wrong_credentials_are_told_from_none(url: str, headers: dict[str, str], advice: str) -> None:
    server = ServerPlan("x", url, {}, headers)
    assert with_advice(Refused("a", "b", reason="unauthorized"), server) == Refused(
        f"a; {advice}", "b", reason="unauthorized"
    )
    assert with_advice(Ready(), server) == Ready()


def test_a_redirect_names_where_to() -> None:
    found = refusal(Response(307, {"location": "http://u:p@h/v1/audio/speech/?key=1"}), "/v1", b"")
    assert found == Refused(
        "HTTP 307 for /v1: it redirects: enter the address that it is at",
        "it redirects to http://h/v1/audio/speech/",
        reason="not_found",
    )


def test_what_succeeds() -> None:
    assert [status for status in range(100, 600) if succeeded(Response(status, {}))] == [*range(200, 300)]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": {"message": "model 'x' not found", "type": "not_found_error", "code": 404}}, "model 'x' not found"),
        ({"error": "Loading model"}, "Loading model"),
        ({"object": "error", "message": "flat", "code": 400}, "flat"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"detail": {"error": "invalid_model", "message": "Unsupported: x", "type": "x"}}, "Unsupported: x"),
        (
            {"detail": [{"type": "missing", "loc": ["body", "input"], "msg": "Field required", "input": {}}]},
            "body.input: Field required",
        ),
        ({"detail": [{"msg": str(number)} for number in range(9)]}, "0; 1; 2"),
        ({"errors": ["one", "two"]}, "one; two"),
        ({"message": None, "detail": "two\nlines"}, "two lines"),
        ("a text", "a text"),
        ({"code": 7}, '{"code": 7}'),
        ([], "[]"),
    ],
)  # fmt: skip
def test_the_words_of_an_error(document: Any, expected: str) -> None:
    assert words_in(json.dumps(document).encode()) == expected


@pytest.mark.parametrize(("body", "expected"), [(b"", ""), (b" <html>\n<b>502</b>", ""), (b"\xff\0", "\ufffd")])
def test_what_is_no_json(body: bytes, expected: str) -> None:
    assert words_in(body) == expected


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": {"message": "no memory"}}, "no memory"),
        ({"error": "no memory"}, "no memory"),
        ({"error": {"code": 7}}, ""),
        ({"detail": "no memory"}, "no memory"),
        ({"object": "error", "message": "no memory"}, "no memory"),
        ({"error": None, "choices": []}, None),
        ({"error": "", "type": "speech.audio.delta"}, None),
        ({"detail": "low", "choices": []}, None),
        ({"message": "hello"}, None),
        ({}, None),
    ],
)
def test_which_document_is_an_error(document: dict[str, Any], expected: str | None) -> None:
    assert complaint(document) == expected


def test_no_more_is_kept_than_is_read() -> None:
    answer = FailedAnswer(Response(500, {}), "/v1")
    found = [each for _ in range(100) for each in answer.feed(b"x" * 2**12)]
    assert len(found) == 1 and 250 < len(found[0].said) < 310 and len(answer._body) == MAX_BODY_BYTES
    assert [*answer.end()] == []


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("text/event-stream; charset=utf-8", "text/event-stream"),
        ("Application/JSON", "JSON"),
        ("text/html", "HTML"),
        ("audio/MPEG ;x=1", "audio/mpeg"),
        ("tell/me-a-joke", "another type"),
        ("text/plain2", "another type"),
        ("", "no type"),
        (" ", "no type"),
    ],
)
def test_a_type_is_named_in_words_of_ours(header: str, name: str) -> None:
    assert media_type(header) == name


nested = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.sampled_from(("error", "detail", "message", "loc", "msg")), inner)
    ),
)


@given(
    st.integers(100, 999),
    st.dictionaries(st.just("location"), st.text()),
    st.one_of(st.binary(), nested.map(lambda each: json.dumps(each).encode())),
)
def test_any_answer_is_a_reason_of_both_stages_and_one_line(status: int, headers: dict[str, str], body: bytes) -> None:
    handshake = refused_handshake(Refusal(status, headers, body), SERVER)
    assert handshake.reason in REASONS["connect"] and handshake.message.isprintable() and len(handshake.message) <= 120
    found = refusal(Response(status, headers), "/v1", body)
    assert found.reason in REASONS["llm"] and found.reason in REASONS["tts"]
    assert found.said.isprintable() and len(found.said) <= 330
    assert found.message.isprintable() and len(found.message) <= 120
