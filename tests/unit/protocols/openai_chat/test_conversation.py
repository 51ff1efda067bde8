"""A turn with a chat server: the request, and the events of the answer, however it is cut."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import chat_streams
import pytest
from chat_streams import FINISH, said
from framings import cut_anywhere, cut_in_two, mutated
from hypothesis import given
from hypothesis import strategies as st

from probe.plan import Pause, ServerPlan
from probe.protocols.base import (
    Connect,
    Done,
    Drop,
    Event,
    Malformed,
    Question,
    Refused,
    Send,
    Step,
    Terms,
    Token,
    Usage,
)
from probe.protocols.http_answers import BODY_PATIENCE_S, MAX_BODY_BYTES
from probe.protocols.kept_alive import MAX_IDLE_S
from probe.protocols.openai_chat import PROTOCOL
from probe.protocols.openai_chat.conversation import ChatConversation
from probe.record import REASONS
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response

SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
MESSAGES = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüß dich."})
QUESTION = Question(1, MESSAGES, Pause(10), 0.7)


def conversation(url: str = "http://spark:8000/v1", **options: Any) -> ChatConversation:
    headers = {"authorization": "Bearer sk-0123456789"}
    return ChatConversation(Terms(ServerPlan("openai_chat", url, options, headers), "run", 10.0))


def asked(talk: ChatConversation, now: int = 0) -> tuple[list[Step], Request]:
    """The steps of asking, and the request at their end."""
    *steps, last = talk.ask(QUESTION, now)
    assert isinstance(last, Send) and isinstance(last.frame, Request)
    return steps, last.frame


def body(**options: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked(conversation(**options))[1].body)
    return found


def answered(
    pieces: Iterable[bytes], headers: Mapping[str, str] = SSE, status: int = 200, talk: ChatConversation | None = None
) -> list[Step]:
    """All events of one response."""
    talk = talk or conversation()
    asked(talk)
    return [*talk.received(Response(status, headers), 1), *bodies(talk, pieces), *talk.received(BodyEnd(), 1)]


def bodies(talk: ChatConversation, pieces: Iterable[bytes]) -> Iterator[Step]:
    for piece in pieces:
        yield from talk.received(Body(piece), 1)


def refusal(status: int, data: bytes = b"", headers: Mapping[str, str] = JSON) -> Refused:
    (found,) = answered([data] if data else [], headers, status)
    assert isinstance(found, Refused)
    return found


def test_a_template_that_opens_the_reasoning_itself() -> None:
    pieces = [said("Hm. ", "So.", "</think>", "\\n", "Hi") + FINISH]
    assert answered(pieces, talk=conversation(opens_reasoning=True)) == [
        Token("Hm. ", "reasoning"),
        Token("So.", "reasoning"),
        Token("</think>", "reasoning"),
        Token("\n", "reasoning"),
        Token("Hi"),
        Done("stop"),
    ]
    whole = json.dumps({"choices": [{"message": {"content": "Hm.</think>Hi"}, "finish_reason": "stop"}]}).encode()
    assert Token("Hi") in answered([whole], JSON, talk=conversation(opens_reasoning=True))


# What is asked


def test_a_request_has_what_every_server_takes() -> None:
    steps, request = asked(conversation())
    assert steps == [Connect()]
    assert (request.method, request.target) == ("POST", "/v1/chat/completions")
    assert request.headers == {"content-type": "application/json", "accept": "text/event-stream"}
    assert json.loads(request.body) == {
        "messages": list(MESSAGES),
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.7,
    }


def test_options_are_in_the_request() -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "stream_options": {}}
    sent = body(model="qwen3", max_tokens=50, seed=0, stop=["\n"], extra_body=extra)
    assert sent | extra == sent
    assert {name: sent[name] for name in ("model", "max_tokens", "seed", "stop")} == {
        "model": "qwen3",
        "max_tokens": 50,
        "seed": 0,
        "stop": ["\n"],
    }
    assert not {"max_tokens", "stop"} & body(max_tokens=0, stop=[]).keys()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h", "/chat/completions"),
        ("http://h/v1/", "/v1/chat/completions"),
        ("https://h/llm/v1?key=1", "/llm/v1/chat/completions?key=1"),
    ],
)
def test_where_it_is_asked(url: str, target: str) -> None:
    assert asked(conversation(url))[1].target == target


# What is answered


@pytest.mark.parametrize("stream", chat_streams.STREAMS.values(), ids=chat_streams.STREAMS.keys())
def test_a_stream_says_the_same_wherever_it_is_cut(stream: chat_streams.Stream) -> None:
    assert answered([stream.body]) == list(stream.events)
    for pieces in cut_in_two(stream.body):
        assert answered(pieces) == list(stream.events)
    assert answered([stream.body[i : i + 1] for i in range(len(stream.body))]) == list(stream.events)


@pytest.mark.parametrize("stream", chat_streams.STREAMS.values(), ids=chat_streams.STREAMS.keys())
def test_how_lines_end_does_not_matter(stream: chat_streams.Stream) -> None:
    one = stream.body.replace(b"\r\n", b"\n")
    for ending in (b"\n", b"\r\n", b"\r"):
        data = one.replace(b"\n", ending)
        for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
            assert answered(pieces) == list(stream.events)


def test_an_event_does_not_wait_for_its_empty_line() -> None:
    talk = conversation()
    asked(talk)
    assert list(talk.received(Response(200, SSE), 1)) == []
    assert list(talk.received(Body(said("Hi")[:-1]), 2)) == [Token("Hi")]


@given(st.data())
def test_any_bytes_give_events_and_never_raise(data: st.DataObject) -> None:
    stream = data.draw(st.sampled_from([*chat_streams.STREAMS.values()])).body
    pieces = data.draw(st.one_of(cut_anywhere(stream), mutated(stream).map(lambda one: [one]), st.lists(st.binary())))
    headers = data.draw(st.sampled_from([SSE, JSON, {}, {"content-type": "text/html"}]))
    status = data.draw(st.sampled_from([200, 200, 200, 204, 301, 404, 503]))
    talk = conversation()
    asked(talk)
    ends: list[Incoming] = [BodyEnd(), Ended("closed", "x")]
    end = data.draw(st.sampled_from(ends))
    frames: list[Incoming] = [Response(status, headers), *map(Body, pieces), end]
    for step in [step for frame in frames for step in talk.received(frame, 1)]:
        assert isinstance(step, Event)
        if isinstance(step, Refused):
            assert step.reason in REASONS["llm"]
            assert step.message.isprintable() and len(step.message) < 100
            assert step.said.isprintable() and len(step.said) < 500
        if isinstance(step, Malformed):
            assert step.detail.isprintable() and len(step.detail) < 100
            assert step.said.isprintable() and len(step.said) < 500


def test_an_endless_line_is_a_flood_and_takes_no_memory() -> None:
    talk = conversation()
    asked(talk)
    list(talk.received(Response(200, SSE), 1))
    found = list(bodies(talk, [b"data: " + b"x" * 2**13] * 64))
    assert {(type(each), getattr(each, "reason", None)) for each in found} == {(Refused, "flood")}


@pytest.mark.parametrize("line", [b"data: " + b"x" * 1000 + b"\n", said("x" * 60_000)])
def test_endless_events_are_a_flood(line: bytes) -> None:
    found = answered([line] * 100)
    assert any(isinstance(each, Refused) and each.reason == "flood" for each in found)


def test_a_whole_answer_in_one_document() -> None:
    document = {
        "choices": [{"message": {"content": "<think>Hm</think>\nHi there."}, "finish_reason": "stop"}],
        "usage": {"completion_tokens": 9},
    }
    found = answered([json.dumps(document).encode()], JSON)
    assert found[-3:] == [Token("\nHi there."), Usage(9), Done("stop")]
    assert all(isinstance(each, Token) and each.kind == "reasoning" for each in found[:-3])


@pytest.mark.parametrize(
    ("headers", "data", "detail", "said"),
    [
        ({"content-type": "text/html"}, b"<html>", "HTTP 200 with HTML instead of text/event-stream", "text/html"),
        (
            {"content-type": "application/x-ndjson"},
            b"{}",
            "HTTP 200 with application/x-ndjson instead of text/event-stream",
            "application/x-ndjson",
        ),
        (
            {"content-type": "tell/me-a-joke"},
            b"{}",
            "HTTP 200 with another type instead of text/event-stream",
            "tell/me-a-joke",
        ),
        (
            SSE | {"content-encoding": "gzip"},
            b"\x1f\x8b",
            "a packed response, which was not asked for",
            "content-encoding: gzip",
        ),
        (JSON, b'{"models": []}', "JSON that is not an answer", '{"models": []}'),
        (JSON, b"<html>", "not JSON", "<html>"),
    ],
)
def test_a_200_that_is_no_answer(headers: Mapping[str, str], data: bytes, detail: str, said: str) -> None:
    assert answered([data], headers) == [Malformed(detail, said)]


def test_a_200_that_is_an_error() -> None:
    assert answered([b'{"error": {"message": "no such model"}}'], JSON) == [
        Refused("it reported an error", "no such model")
    ]


@pytest.mark.parametrize(
    ("status", "data", "reason", "busy", "said"),
    [
        (401, b'{"error": {"message": "Invalid API Key"}}', "unauthorized", False, "Invalid API Key"),
        (404, b'{"detail": "Not Found"}', "not_found", False, "Not Found"),
        (404, b'{"object": "error", "message": "no model q"}', "not_found", False, "no model q"),
        (
            422,
            b'{"detail": [{"loc": ["body"], "msg": "field required"}]}',
            "server_error",
            False,
            "body: field required",
        ),
        (429, b'{"error": "busy"}', "server_error", True, "busy"),
        (500, b"oh\nno", "server_error", False, "oh no"),
        (503, b'{"error": {"message": "Loading model"}}', "loading", False, "Loading model"),
        (503, b'{"error": {"message": "overloaded"}}', "unavailable", False, "overloaded"),
        (400, b'{"error": {"message": ""}}', "server_error", False, '{"error": {"message": ""}}'),
    ],
)
def test_a_status_and_its_words(status: int, data: bytes, reason: str, busy: bool, said: str) -> None:
    found = refusal(status, data)
    assert (found.reason, found.busy, found.fatal) == (reason, busy, True)
    advice = "; it does not accept the credentials that it was sent" if reason == "unauthorized" else ""
    assert (found.message, found.said) == (f"HTTP {status} for /v1/chat/completions{advice}", said)


@pytest.mark.parametrize(
    ("status", "data", "reason", "said"),
    [
        (403, b"", "unauthorized", "Forbidden; it does not accept the credentials that it was sent"),
        (501, b"", "server_error", "Not Implemented"),
        (502, b"<html><h1>Bad gateway</h1>", "unavailable", "Bad Gateway"),
        (504, b"", "unavailable", "Gateway Timeout"),
    ],
)
def test_a_status_without_words_has_its_name(status: int, data: bytes, reason: str, said: str) -> None:
    assert refusal(status, data) == Refused(f"HTTP {status} for /v1/chat/completions: {said}", reason=reason)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h", "HTTP 404 for /chat/completions (the URL of most servers ends in /v1)"),
        ("http://h/", "HTTP 404 for /chat/completions (the URL of most servers ends in /v1)"),
        (
            "http://h/v1/chat/completions",
            "HTTP 404 for /v1/chat/completions/chat/completions (leave /chat/completions out of the URL)",
        ),
        ("http://h/v1", "HTTP 404 for /v1/chat/completions"),
    ],
)
def test_a_path_that_is_not_there_says_what_is_wrong_with_the_url(url: str, said: str) -> None:
    assert answered([b'{"detail": "Not Found"}'], JSON, 404, conversation(url)) == [
        Refused(said, "Not Found", reason="not_found")
    ]


def test_a_redirect_is_named_without_its_secrets() -> None:
    found = refusal(307, headers={"location": "http://me:secret@other/v1?key=secret"})
    assert (found.reason, found.said) == ("not_found", "it redirects to http://other/v1")
    assert found.message == "HTTP 307 for /v1/chat/completions: it redirects: enter the address that it is at"


def test_an_errors_body_is_waited_for_only_so_long_and_read_only_so_far() -> None:
    talk = conversation()
    asked(talk)
    assert list(talk.received(Response(500, JSON), 1)) == []
    assert talk.wakes_at() == 1 + BODY_PATIENCE_S * NS_PER_S
    assert list(bodies(talk, [b"went wr"])) == []
    (found,) = talk.wake(talk.wakes_at() or 0)
    assert isinstance(found, Refused) and found.said == "went wr"
    assert talk.wakes_at() is None
    (flooded,) = answered([b"x" * 2**13] * 10, JSON, 500)
    assert isinstance(flooded, Refused) and 250 < len(flooded.said) < 400
    # What is beyond the limit is not there.
    (late,) = answered([b'{"pad": "%s", "error": "late"}' % (b"x" * MAX_BODY_BYTES)], JSON, 500)
    assert isinstance(late, Refused) and late.said and "late" not in late.said + late.message


# The connection


def test_a_cut_stream_says_what_came_and_no_more() -> None:
    talk = conversation()
    asked(talk)
    list(talk.received(Response(200, SSE), 1))
    assert list(bodies(talk, [said("Hi") + b'data: {"choices":[{"delta":{"content":"th'])) == [Token("Hi")]
    assert list(talk.received(Ended("closed", "x"), 1)) == []
    assert not talk.holds


def test_a_cut_error_is_its_status_all_the_same() -> None:
    talk = conversation()
    asked(talk)
    list(talk.received(Response(503, JSON), 1))
    (found,) = talk.received(Ended("closed", "x"), 1)
    assert isinstance(found, Refused) and found.reason == "unavailable"


def test_what_follows_the_end_of_an_answer_is_waited_for() -> None:
    talk = conversation()
    asked(talk)
    list(talk.received(Response(200, SSE), 1))
    assert not talk.holds
    finish, done = FINISH.split(b"\n\n", 1)
    list(bodies(talk, [said("Hi"), finish + b"\n\n"]))
    assert talk.holds
    list(bodies(talk, [done]))
    assert not talk.holds


def test_the_connection_is_used_again() -> None:
    talk = conversation()
    answered([said("Hi") + FINISH], talk=talk)
    assert talk.release(0, 1) == ()
    steps, _ = asked(talk)
    assert steps == [Connect()]


def test_an_answer_that_goes_on_is_left_by_ending_its_connection() -> None:
    talk = conversation()
    asked(talk)
    list(talk.received(Response(200, SSE), 1))
    list(bodies(talk, [said("Hi") + FINISH]))
    steps, _ = asked(talk)
    assert steps == [Drop(), Connect()]
    assert list(talk.release(0, 1)) == [Drop()]
    assert list(talk.release(0, 1)) == []


def test_a_connection_that_was_kept_and_is_closed_while_we_ask_is_no_fault() -> None:
    talk = conversation()
    answered([said("Hi") + FINISH], talk=talk)
    _, request = asked(talk)
    ended = Ended("closed", "between two requests")
    assert list(talk.received(ended, 1)) == [Connect(), Send(request)]
    # A new one that is closed is.
    assert list(talk.received(ended, 1)) == []


def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    """Its server may be about to close it, and a request that is sent twice is measured from the first time."""
    limit = round(MAX_IDLE_S * NS_PER_S)
    for now, expected in ((1 + limit, [Connect()]), (2 + limit, [Drop(), Connect()])):
        talk = conversation()
        answered([said("Hi") + FINISH], talk=talk)
        steps, _ = asked(talk, now)
        assert steps == expected
    # Of a new one, its end is the server's answer.
    assert list(talk.received(Ended("closed", "before its response"), 1)) == []


def test_a_connection_that_is_closed_between_two_answers_is_no_event() -> None:
    talk = conversation()
    answered([said("Hi") + FINISH], talk=talk)
    assert list(talk.received(Ended("closed", "x"), 1)) == []
    _, _ = asked(talk)
    assert list(talk.received(Ended("closed", "x"), 1)) == []


def test_it_is_declared() -> None:
    assert (PROTOCOL.name, PROTOCOL.framing, PROTOCOL.default_url) == (
        "openai_chat",
        "http1",
        "http://localhost:8080/v1",
    )
