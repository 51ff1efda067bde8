"""A run's talk with an agent behind the OpenAI Realtime protocol: one session, and a response for each turn."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from probe.protocols.agent import AgentConversation
from probe.protocols.base import (
    Answering,
    AudioFormat,
    Connect,
    Malformed,
    Question,
    Ready,
    Refused,
    Send,
    Step,
    Terms,
    Unknown,
)
from probe.protocols.base64_audio import event as parsed
from probe.protocols.fields import one_line
from probe.protocols.openai_realtime import dialect, errors
from probe.protocols.openai_realtime.answer import Answer
from probe.protocols.openai_realtime.setup import Setup
from probe.protocols.samples import wrong
from probe.transport.framing.base import Ended, Incoming, Text


class RealtimeConversation(AgentConversation):
    """The connection stays open for the whole run; a new one gets what was said before."""

    def __init__(self, terms: Terms) -> None:
        self._options = terms.server.options
        self._setup = Setup(self._options)
        self._question: Question | None = None
        # How many messages of the conversation the server knows; the first is not one of its items.
        self._told = 1
        self._answer: Answer | None = None
        # What the server says of its session: the model, and the rate of its audio.
        self._model: str | None = None
        self._rate: int | None = None
        self._sent = 0
        # Our requests of the turn that goes on: an error that names one of them is about this turn.
        self._asked: set[str] = set()

    @property
    def sample_rate(self) -> int:
        rate: int = self._rate or self._options["sample_rate"]
        return rate

    @property
    def holds(self) -> bool:
        """Whether we cancelled a response that may still come."""
        return self._answer is not None and self._answer.cancelled and not self._answer.over

    def prepare(self, question: Question) -> None:
        self._question = question

    def open(self, now: int) -> Iterable[Step]:
        yield Connect()
        if self._setup.done:
            yield from self._ready()
        else:
            self._told = 1
            yield from self._sent_by(self._setup.begin(self._instructions(), now))

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        del now
        self._answer = Answer()
        self._asked = set()
        form = self._setup.dialect
        for message in question.messages[self._told :]:
            yield self._send({"type": "conversation.item.create", "item": dialect.item(form, message)})
        # The answer will be the server's own next item.
        self._told = len(question.messages) + 1
        yield self._send({"type": "response.create"})

    def release(self, now: int, within_ns: int) -> Iterable[Step]:
        del now, within_ns
        answer = self._answer
        if answer is None or answer.over or answer.cancelled or not self._setup.done:
            return
        answer.cancelled = True
        yield self._send({"type": "response.cancel"})

    def wakes_at(self) -> int | None:
        return self._setup.wakes_at

    def wake(self, now: int) -> Iterable[Step]:
        yield from self._sent_by(self._setup.wake(now))

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        match frame:
            case Text(data):
                yield from self._read(data, at)
            case Ended():
                self._setup = Setup(self._options)
                if self._answer is not None:
                    self._answer.over = True
            case _:
                yield Malformed("a binary message")

    def _read(self, data: bytes, at: int) -> Iterator[Step]:
        event = parsed(data, b"delta")
        if isinstance(event, Malformed | Refused):
            yield event
            return
        match event.get("type"):
            case "session.created" | "session.updated" as kind:
                yield from self._session(kind, event.get("session"), at)
            case "error":
                yield from self._error(event, data, at)
            case str(kind) if self._answer is not None and not self._answer.over:
                yield from self._response(self._answer, kind, event, data)
            case str():
                yield Unknown()
            case _:
                yield Malformed("an event without a type")

    def _session(self, kind: str, session: Any, at: int) -> Iterator[Step]:
        described = session if isinstance(session, dict) else {}
        if isinstance(model := described.get("model"), str) and model:
            self._model = one_line(model)
        stated = dialect.audio_format(described)
        self._rate = stated.rate or self._rate
        if kind == "session.created":
            yield from self._sent_by(self._setup.created(described, at))
        elif stated.other and not self._setup.done:
            yield wrong("a session with another kind of audio")
        else:
            yield from self._sent_by(self._setup.updated())

    def _error(self, event: dict[str, Any], data: bytes, at: int) -> Iterator[Step]:
        """The session goes on; what it was asked for may not come."""
        error = event.get("error")
        said = error if isinstance(error, dict) else {"message": error}
        if not self._setup.done:
            yield from self._sent_by(self._setup.failed(errors.refusal(said, data, fatal=False), at))
            return
        answer = self._answer
        if answer is None or answer.over or errors.is_about_nothing(said):
            if answer is not None and answer.cancelled:
                answer.over = True
            yield Unknown() if answer is None else replace(errors.refusal(said, data, fatal=False), busy=False)
            return
        about = said.get("event_id")
        # One that names no request is about the last, as long as nothing has come of that.
        ours = about in self._asked if isinstance(about, str) and about else answer.name is None
        refused = errors.refusal(said, data, fatal=ours)
        answer.over = refused.fatal
        yield refused

    def _response(self, answer: Answer, kind: str, event: dict[str, Any], data: bytes) -> Iterator[Step]:
        response = event.get("response")
        name = response.get("id") if isinstance(response, dict) else event.get("response_id")
        if kind == "response.created" and answer.name is None and isinstance(name, str):
            answer.name = name
            yield Answering(self._model) if self._model else Unknown()
        elif isinstance(name, str) and name != answer.name and answer.name is not None:
            # What is left of another response.
            yield Unknown()
        else:
            yield from answer.take(kind, event, data)

    def _ready(self) -> Iterator[Step]:
        if self._rate is not None:
            yield AudioFormat(self._rate)
        yield Ready()

    def _sent_by(self, wanted: Iterable[dict[str, Any] | Step]) -> Iterator[Step]:
        """What the set-up wants done: an event of ours is sent, and once it is done, what is known is said."""
        for each in wanted:
            if isinstance(each, dict):
                yield self._send(each)
            elif isinstance(each, Ready):
                yield from self._ready()
            else:
                yield each

    def _send(self, event: dict[str, Any]) -> Send:
        self._sent += 1
        name = f"probe_{self._sent}"
        if event["type"] != "response.cancel":
            self._asked.add(name)
        return Send(Text(json.dumps({**event, "event_id": name}).encode()))

    def _instructions(self) -> str:
        messages = () if self._question is None else self._question.messages
        return messages[0]["content"] if messages and messages[0]["role"] == "system" else ""
