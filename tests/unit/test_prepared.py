"""What the fuzzers begin with is made once and copied: the copies are as good as new ones."""

from collections.abc import Callable

import pytest
from prepared import again

from probe.plan import Pause, ServerPlan
from probe.protocols.base import Question, Terms
from probe.protocols.openai_realtime.conversation import RealtimeConversation
from probe.transport.framing.base import Request, Text
from probe.transport.framing.http1 import Http1
from probe.transport.framing.http2 import Http2

ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def asked() -> Http1:
    framing = Http1("http://h/v1", {})
    framing.send(Request("POST", "/v1"))
    return framing


def called() -> Http2:
    framing = Http2("grpc://h:1", {})
    framing.hello()
    framing.send(Request("POST", "/v1"))
    return framing


def agent() -> RealtimeConversation:
    question = Question(1, ({"role": "user", "content": "Hi."},), Pause(10), 0.7)
    talk = RealtimeConversation(Terms(ServerPlan("openai_realtime", "ws://h", {"sample_rate": 24_000}), "run", 10.0))
    talk.prepare(question)
    list(talk.open(0))
    return talk


@pytest.mark.parametrize("make", [asked, called])
def test_a_copied_framing_reads_as_a_new_one_does_and_by_itself(make: Callable[[], Http1 | Http2]) -> None:
    copy = again(make)
    first = [*_read(copy())]
    assert first == [*_read(copy())] == [*_read(make())]


def test_a_copied_conversation_goes_on_as_a_new_one_does() -> None:
    copy = again(agent)
    created = Text(b'{"type": "session.created", "session": {"model": "m"}}')
    said = [list(talk.received(created, 1)) for talk in (copy(), copy(), agent())]
    assert said[0] == said[1] == said[2] != []


def _read(framing: Http1 | Http2) -> list[object]:
    if isinstance(framing, Http1):
        return [*framing.receive(ANSWER)]
    return [*framing.receive(bytes.fromhex("000000040000000000")), framing.reply()]
