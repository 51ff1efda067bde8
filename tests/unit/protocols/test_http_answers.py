"""Statuses as reasons, and the server's words, however it nests them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.protocols.base import Refused
from probe.protocols.http_answers import (
    MAX_BODY_BYTES,
    FailedAnswer,
    complaint,
    media_type,
    refusal,
    succeeded,
    words_in,
)
from probe.record import REASONS
from probe.transport.framing.base import Response


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, "Invalid API Key", Refused("HTTP 401 for /v1", "Invalid API Key", reason="unauthorized")),
        (403, "", Refused("HTTP 403 for /v1", reason="unauthorized")),
        (404, "", Refused("HTTP 404 for /v1", reason="not_found")),
        (429, "busy", Refused("HTTP 429 for /v1", "busy", busy=True)),
        (500, "", Refused("HTTP 500 for /v1")),
        (400, "", Refused("HTTP 400 for /v1")),
        (502, "", Refused("HTTP 502 for /v1", reason="unavailable")),
        (504, "", Refused("HTTP 504 for /v1", reason="unavailable")),
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
    found = refusal(Response(status, headers), "/v1", body)
    assert found.reason in REASONS["llm"] and found.reason in REASONS["tts"]
    assert found.said.isprintable() and len(found.said) <= 330
    assert found.message.isprintable() and len(found.message) <= 80
