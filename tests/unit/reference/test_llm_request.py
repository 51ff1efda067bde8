"""What the chunked LLM server takes for a request, and what it answers to the rest."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.reference.llm_prompt import Message
from probe.reference.llm_request import (
    ContinueStream,
    EndStream,
    NotJsonError,
    Ping,
    RequestError,
    StartStream,
    parse_request,
)
from probe.reference.llm_stream import Pause

START = {"action": "start_stream", "stream_id": "s1", "messages": [{"role": "user", "content": "Hi"}]}


def parse(**fields: Any) -> object:
    return parse_request(json.dumps(fields))


def refusal(frame: str) -> dict[str, str]:
    with pytest.raises(RequestError) as error:
        parse_request(frame)
    return error.value.reply


def test_start_stream_with_defaults() -> None:
    assert parse(**START) == StartStream("s1", (Message("user", "Hi"),), Pause(500), False, 0.7)


def test_start_stream_with_everything() -> None:
    request = parse(**START, pause={"max_tokens": 10}, stream_tokens=True, temperature=0)
    assert request == StartStream("s1", (Message("user", "Hi"),), Pause(10), True, 0.0)


@pytest.mark.parametrize(
    ("pause", "expected"),
    [
        (None, Pause(500)),
        ({}, Pause(500)),
        ({"sentence_boundary": False}, Pause(500)),
        ({"max_tokens": 1}, Pause(1)),
        ({"sentence_boundary": True}, Pause(200, at_sentence=True)),
        ({"sentence_boundary": True, "max_tokens": 30}, Pause(30, at_sentence=True)),
    ],
)
def test_pause(pause: object, expected: Pause) -> None:
    assert parse(action="continue_stream", stream_id="s1", pause=pause) == ContinueStream("s1", expected)


def test_other_actions() -> None:
    assert parse(action="continue_stream", stream_id="s1") == ContinueStream("s1", Pause(500))
    assert parse(action="end_stream", stream_id="s1") == EndStream("s1")
    assert parse(action="ping") == Ping()


@pytest.mark.parametrize("action", ["start_stream", "continue_stream", "end_stream"])
@pytest.mark.parametrize("fields", [{}, {"stream_id": ""}, {"stream_id": None}])
def test_stream_id_required(action: str, fields: dict[str, object]) -> None:
    assert refusal(json.dumps({"action": action, **fields})) == {"error": "stream_id required"}


def test_unknown_action() -> None:
    assert refusal('{"action": "x"}') == {"error": "Unknown action: x"}
    assert refusal("{}") == {"error": "Unknown action: None"}
    assert refusal('{"action": 5}') == {"error": "action must be a string"}


@pytest.mark.parametrize("frame", ["[]", "1", '"ping"', "null", "true"])
def test_json_that_is_no_object(frame: str) -> None:
    assert refusal(frame) == {"error": "A request must be a JSON object"}


@pytest.mark.parametrize("frame", ["", "ping", "{", "{'action': 'ping'}", "[" * 100_000, "1" * 5000])
def test_not_json(frame: str) -> None:
    with pytest.raises(NotJsonError):
        parse_request(frame)


@pytest.mark.parametrize("stream_id", [5, True, [], {}])
def test_stream_id_of_a_wrong_type(stream_id: object) -> None:
    assert refusal(json.dumps(START | {"stream_id": stream_id})) == {"error": "stream_id must be a string"}


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("messages", None, "messages must be"),
        ("messages", [], "messages must be"),
        ("messages", {"role": "user", "content": "Hi"}, "messages must be"),
        ("messages", ["Hi"], "each of messages must be"),
        ("messages", [{"role": "user"}], "content of each"),
        ("messages", [{"role": 1, "content": "Hi"}], "role of each"),
        ("messages", [{"role": "user", "content": "\ud800"}], "content of each of messages must be valid Unicode"),
        ("pause", "max_tokens", "pause must be an object"),
        ("pause", {"max_tokens": 0}, "pause.max_tokens must be"),
        ("pause", {"max_tokens": 2**31}, "pause.max_tokens must be"),
        ("pause", {"max_tokens": True}, "pause.max_tokens must be"),
        ("pause", {"max_tokens": 1.5}, "pause.max_tokens must be"),
        ("pause", {"max_tokens": None}, "pause.max_tokens must be"),
        ("pause", {"sentence_boundary": 1}, "pause.sentence_boundary must be"),
        ("stream_tokens", "yes", "stream_tokens must be"),
        ("temperature", "hot", "temperature must be"),
        ("temperature", True, "temperature must be"),
        ("temperature", -0.1, "temperature must be"),
        ("temperature", float("nan"), "temperature must be"),
        ("temperature", float("inf"), "temperature must be"),
        ("temperature", 10**400, "temperature must be"),
    ],
)
def test_wrong_field_is_named_together_with_the_stream(field: str, value: object, complaint: str) -> None:
    reply = refusal(json.dumps(START | {field: value}))
    assert reply["stream_id"] == "s1"
    assert reply["error"].startswith(complaint)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("stream_id", "messages", "pause", "stream_tokens", "temperature")


@settings(max_examples=30)
@given(
    action=st.sampled_from(["start_stream", "continue_stream", "end_stream", "ping"]) | JSON,
    fields=st.dictionaries(st.sampled_from(FIELDS), JSON),
)
def test_any_object_is_a_request_or_refused_with_a_reply(action: object, fields: dict[str, object]) -> None:
    with suppress(RequestError):
        parse_request(json.dumps({**START, **fields, "action": action}))
