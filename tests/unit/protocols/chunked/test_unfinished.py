"""What has a chunked server end the streams of a run that was killed."""

import json
from typing import Any

import pytest

from probe.plan import Pause, ServerPlan
from probe.protocols.base import Question, Terms
from probe.protocols.llama_chunked import PROTOCOL
from probe.protocols.llama_chunked.conversation import ChunkedConversation
from probe.protocols.registry import PROTOCOLS
from probe.transport.framing.base import Binary, Ended, Incoming, Text

SERVER = ServerPlan("chunked", "ws://spark:8002/ws", {}, {"authorization": "Bearer abc"})


def text(**fields: Any) -> Text:
    return Text(json.dumps(fields).encode())


def test_each_turn_has_a_stream_to_be_ended_the_last_one_first() -> None:
    exchanges = PROTOCOL.unfinished(SERVER, "r1", 2)
    requests = [json.loads(each.frame.data) for each in exchanges if isinstance(each.frame, Text)]
    assert requests == [
        {"action": "end_stream", "stream_id": "probe-r1-2"},
        {"action": "end_stream", "stream_id": "probe-r1-1"},
    ]
    assert {(each.url, each.framing, *each.headers.items()) for each in exchanges} == {
        ("ws://spark:8002/ws", "websocket", ("authorization", "Bearer abc"))
    }
    assert "abc" not in repr(exchanges)


def test_the_streams_have_the_names_that_a_run_gives_them() -> None:
    talk = ChunkedConversation(Terms(SERVER, "r1", 10.0))
    _, send = talk.ask(Question(2, (), Pause(max_tokens=1), 0.0), 0)
    (exchange, _) = PROTOCOL.unfinished(SERVER, "r1", 2)
    started, ended = (json.loads(each.frame.data)["stream_id"] for each in (send, exchange))  # type: ignore[union-attr]
    assert started == ended


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (text(stream_id="probe-r1-1", status="ended"), True),
        (text(status="ended"), True),
        (text(stream_id="probe-r1-1", error="Stream not found"), False),
        (text(error="Stream not found"), False),
        # Of another stream, and what is no answer.
        (text(stream_id="probe-r2-1", status="ended"), None),
        (text(type="token", content="x"), None),
        (text(type="hello"), None),
        (Text(b"\xff"), None),
        (Binary(b"{}"), None),
        (Ended("closed", "without a close frame"), None),
    ],
)
def test_what_is_an_answer(frame: Incoming, answer: bool | None) -> None:
    (exchange,) = PROTOCOL.unfinished(SERVER, "r1", 1)
    assert exchange.listen()(frame) is answer


def test_no_other_protocol_has_something_to_be_noted() -> None:
    every = [(role, each) for role, protocols in PROTOCOLS.items() for each in protocols.values()]
    leaving = [each.name for _, each in every if each.unfinished(ServerPlan(each.name, each.default_url, {}), "r1", 3)]
    assert leaving == ["chunked"]


@pytest.mark.parametrize(
    ("frames", "released"),
    [
        ([text(type="token", content="x")], False),
        ([text(type="done", text="x")], False),
        ([text(type="done", text="x"), text(status="ended")], True),
        ([text(error="No slots available (max 1)")], False),
        ([Ended("closed", "")], False),
    ],
)
def test_a_run_knows_whether_it_has_left_something(frames: list[Incoming], released: bool) -> None:
    talk = ChunkedConversation(Terms(SERVER, "r1", 10.0))
    assert talk.released
    [*talk.ask(Question(1, (), Pause(max_tokens=1), 0.0), 0)]
    assert not talk.released
    for at, frame in enumerate(frames, 1):
        [*talk.received(frame, at)]
    assert talk.released is released


def test_a_refused_end_is_a_release() -> None:
    talk = ChunkedConversation(Terms(SERVER, "r1", 10.0))
    [*talk.ask(Question(1, (), Pause(max_tokens=1), 0.0), 0)]
    [*talk.received(text(error="No slots available (max 1)"), 1)]
    [*talk.release(2, 10**9)]
    [*talk.received(text(error="Stream not found"), 3)]
    assert talk.released


def test_a_stream_of_an_earlier_turn_counts_too() -> None:
    talk = ChunkedConversation(Terms(SERVER, "r1", 10.0))
    [*talk.ask(Question(1, (), Pause(max_tokens=1), 0.0), 0)]
    [*talk.received(text(type="done", text="x"), 1)]
    [*talk.ask(Question(2, (), Pause(max_tokens=1), 0.0), 2)]
    [*talk.received(text(type="done", text="x"), 3), *talk.received(text(status="ended"), 4)]
    assert not talk.released
