"""Questions to a server outside of a run: answered, given up in time, and never left open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from probe.engine.inquiry import inquire
from probe.protocols.inquiries import Exchange, Inquiry
from probe.transport.ask import Answer
from probe.transport.connection import ConnectError, Deliver, Endpoint, SendError
from probe.transport.framing.base import BodyEnd, Ended, Incoming, Outgoing, Raw, Request, Text
from probe.transport.stamps import Stamps

QUESTION = Raw(b"what do you run?")


@dataclass
class Server:
    """Answers one question with these frames, or this answer over HTTP, and notes what happened to its connection."""

    frames: Sequence[Incoming] = ()
    answer: Answer | None = None
    refuses: Exception | None = None
    deaf: bool = False
    happened: list[object] = field(default_factory=list)
    stamps: Stamps = field(default_factory=Stamps)
    _deliver: Deliver | None = None

    async def open(self, endpoint: Endpoint, deliver: Deliver, timeout_s: float) -> "Server":
        del timeout_s
        if self.refuses is not None:
            raise self.refuses
        self._deliver = deliver
        self.happened.append((endpoint.url, endpoint.framing))
        return self

    async def ask(self, endpoint: Endpoint, request: Request, timeout_s: float) -> Answer | None:
        del timeout_s
        self.happened.append((endpoint.url, request.target, dict(endpoint.headers)))
        return self.answer

    async def send(self, frame: Outgoing, timeout_s: float) -> int:
        del timeout_s
        if self.deaf:
            raise SendError("timeout", "not written")
        self.happened.append(frame)
        assert self._deliver is not None
        self.happened += [self._deliver(0, each) for each in self.frames]
        return 0

    async def close(self) -> None: ...

    def abort(self) -> None:
        self.happened.append("aborted")


def first_text() -> Callable[[Incoming], str | None]:
    return lambda frame: frame.data.decode() if isinstance(frame, Text) and frame.data != b"hello" else None


EXCHANGE = Exchange("ws://server:1", "websocket", QUESTION, first_text)


def test_an_answer_is_what_its_hearer_makes_of_the_frames(virtual: Any) -> None:
    server = Server([Text(b"hello"), Text(b"tiny"), Text(b"large")])
    assert virtual.run(inquire(server, EXCHANGE, 1.0)) == "tiny"
    assert server.happened[:2] == [("ws://server:1", "websocket"), QUESTION]
    assert server.happened[-1] == "aborted"


@pytest.mark.parametrize("last", [BodyEnd(), Ended("closed", "gone")])
def test_a_conversation_that_ends_without_it_is_no_answer(virtual: Any, last: Incoming) -> None:
    server = Server([Text(b"hello"), last])
    assert virtual.run(inquire(server, EXCHANGE, 1.0)) is None
    assert server.happened[-1] == "aborted"


def test_silence_ends_with_the_time_that_there_is(virtual: Any) -> None:
    server, began = Server([Text(b"hello")]), virtual.loop.time()
    assert virtual.run(inquire(server, EXCHANGE, 2.0)) is None
    assert virtual.loop.time() - began == pytest.approx(2.0)
    assert server.happened[-1] == "aborted"


def test_one_that_can_not_be_asked_answers_nothing(virtual: Any) -> None:
    assert virtual.run(inquire(Server(refuses=ConnectError("refused", "nobody listens")), EXCHANGE, 1.0)) is None
    deaf = Server(deaf=True)
    assert virtual.run(inquire(deaf, EXCHANGE, 1.0)) is None
    assert deaf.happened[-1] == "aborted"


def test_a_fault_of_ours_is_not_taken_for_silence(virtual: Any) -> None:
    """The connection is ended anyway."""

    def broken() -> Callable[[Incoming], str | None]:
        def hear(frame: Incoming) -> str | None:
            raise RuntimeError(frame)

        return hear

    server = Server([Text(b"tiny")])
    with pytest.raises(RuntimeError, match="tiny"):
        virtual.run(inquire(server, Exchange("ws://server:1", "websocket", QUESTION, broken), 1.0))
    assert server.happened[-1] == "aborted"


def test_a_server_that_never_stops_is_asked_to_rest(virtual: Any) -> None:
    server = Server([Text(b"hello")] * 40)
    assert virtual.run(inquire(server, EXCHANGE, 1.0)) is None
    took = [each for each in server.happened if isinstance(each, bool)]
    assert (took[0], took[-1]) == (True, False)


@pytest.mark.parametrize(
    ("url", "target"),
    [("http://server:1", "/"), ("http://server:1/v1/models", "/v1/models"), ("http://server:1/a?b=c", "/a?b=c")],
)
def test_over_http_the_path_is_asked_for_with_the_headers(virtual: Any, url: str, target: str) -> None:
    server = Server(answer=Answer(200, {}, b"body"))
    assert virtual.run(inquire(server, Inquiry(url, bytes.decode, {"authorization": "secret"}), 1.0)) == "body"
    assert server.happened == [(url, target, {"authorization": "secret"})]


@pytest.mark.parametrize(("status", "said"), [(200, None), (503, "body")])
def test_only_the_wanted_answers_are_read(virtual: Any, status: int, said: str | None) -> None:
    inquiry = Inquiry("http://server:1", bytes.decode, statuses=(503,))
    assert virtual.run(inquire(Server(answer=Answer(status, {}, b"body")), inquiry, 1.0)) == said


def test_no_answer_over_http_is_none(virtual: Any) -> None:
    assert virtual.run(inquire(Server(), Inquiry("http://server:1", bytes.decode), 1.0)) is None
