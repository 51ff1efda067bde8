"""A run's talk with an agent behind the OpenAI Realtime protocol: one session, and a response for each turn."""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from probe.protocols.agent import AgentConversation
from probe.protocols.base import (
    Answering,
    AudioFormat,
    Connect,
    Done,
    Malformed,
    Messages,
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
from probe.protocols.openai_realtime.listening import OF_SPEECH, Listening
from probe.protocols.openai_realtime.setup import Setup
from probe.protocols.samples import wrong
from probe.transport.framing.base import Ended, Incoming, Text

# Our events that speech is made of; and those that are about nothing that is still to come.
_SPOKEN = ("input_audio_buffer.append", "input_audio_buffer.commit")
_TIDYING = ("response.cancel", "conversation.item.truncate", "input_audio_buffer.clear")
_CREATED = "response.created"
# So many of a session's responses are remembered.
_MOST_RESPONSES, _LONGEST_NAME = 50, 256


class RealtimeConversation(AgentConversation):
    """The connection stays open for the whole run; a new one gets what was said before."""

    def __init__(self, terms: Terms) -> None:
        self._options = terms.server.options
        self._setup = Setup(self._options)
        self._question: Question | None = None
        # How many messages of the conversation the server knows; the first is not one of its items.
        self._told = 1
        self._answer: Answer | None = None
        # The responses that the server has begun in this session, by their names.
        self._begun: list[str] = []
        # The speech of the turn that goes on, or went on last; None where it is asked in text.
        self._listening: Listening | None = None
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
    def hears(self) -> bool:
        return self._options.get("endpointing") is not None

    @property
    def finds_end(self) -> bool:
        return bool(self._options.get("endpointing") == "server")

    @property
    def transcribes(self) -> bool:
        return self._options.get("transcription_model") is not None

    @property
    def input_rate(self) -> int:
        rate: int = self._options["input_rate"]
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
            # Another session may use the same names.
            self._begun, self._listening = [], None
            yield from self._sent_by(self._setup.begin(self._instructions(), now))

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        del now
        self._answer = Answer(frozenset(self._begun))
        yield from self._tell(question.messages)
        # The answer will be the server's own next item.
        self._told = len(question.messages) + 1
        yield self._send({"type": "response.create"})

    def begin(self, now: int) -> Iterable[Step]:
        del now
        earlier = frozenset[str]() if self._listening is None else self._listening.items
        self._listening = Listening(earlier, unsaid=self.finds_end)
        # Where the server finds the end, it answers by itself.
        self._answer = Answer(frozenset(self._begun)) if self.finds_end else None
        messages = () if self._question is None else self._question.messages
        yield from self._tell(messages)
        # The speech will be an item, and so will its answer.
        self._told = len(messages) + (2 if self.finds_end else 1)

    def hear(self, pcm: bytes, now: int) -> Iterable[Step]:
        del now
        yield self._send({"type": "input_audio_buffer.append", "audio": b64encode(pcm).decode()})

    def end(self, now: int) -> Iterable[Step]:
        del now
        if not self.finds_end:
            yield self._send({"type": "input_audio_buffer.commit"})
        if self._listening is not None:
            self._listening.open = False

    def interrupt(self) -> None:
        if self._answer is not None:
            self._answer.spoken_into = True
        if self._listening is not None:
            self._listening.spoken_into = True

    def interrupted(self, heard_ms: int) -> Iterable[Step]:
        item = None if self._answer is None else self._answer.item
        if item is not None:
            place = {"item_id": item, "content_index": 0, "audio_end_ms": heard_ms}
            yield self._send({"type": "conversation.item.truncate", **place})
        # What was begun is not said to its end.
        yield self._send({"type": "input_audio_buffer.clear"})

    def _tell(self, messages: Messages) -> Iterator[Send]:
        """What the server does not know of the conversation."""
        self._asked = set()
        for message in messages[self._told :]:
            yield self._send({"type": "conversation.item.create", "item": dialect.item(self._setup.dialect, message)})

    def release(self, now: int, within_ns: int) -> Iterable[Step]:
        del now, within_ns
        answer = self._answer
        heard = self._listening is None or not self._listening.open
        if answer is None or answer.over or answer.cancelled or not self._setup.done or not heard:
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
            case str(kind) if self._listening is not None and kind.startswith(OF_SPEECH):
                yield from self._listening.take(kind, event, data)
            case str(kind):
                yield from self._of_responses(kind, event, data)
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
        elif self.hears and not self._setup.done and not self._understands(dialect.audio_format(described, "input")):
            yield wrong(f"a session that hears another kind of audio (input_rate is {self.input_rate})")
        else:
            yield from self._sent_by(self._setup.updated())

    def _understands(self, stated: dialect.Format) -> bool:
        return not stated.other and stated.rate in (None, self.input_rate)

    def _error(self, event: dict[str, Any], data: bytes, at: int) -> Iterator[Step]:
        """The session goes on; what it was asked for may not come."""
        error = event.get("error")
        said = error if isinstance(error, dict) else {"message": error}
        if not self._setup.done:
            yield from self._sent_by(self._setup.failed(errors.refusal(said, data, fatal=False), at))
            return
        if self._listening is not None and self._listening.is_meant(said):
            yield self._listening.refusal(said, data)
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

    def _of_responses(self, kind: str, event: dict[str, Any], data: bytes) -> Iterator[Step]:
        response = event.get("response")
        name = response.get("id") if isinstance(response, dict) else event.get("response_id")
        answer = self._answer
        if answer is None or answer.over or answer.is_of_another(kind, name):
            yield Unknown()
        else:
            yield from self._response(answer, kind, name, event, data)
        if kind == _CREATED and isinstance(name, str) and len(name) <= _LONGEST_NAME:
            self._begun = [*self._begun, name][-_MOST_RESPONSES:]

    def _response(self, answer: Answer, kind: str, name: Any, event: dict[str, Any], data: bytes) -> Iterator[Step]:
        if kind == _CREATED and answer.name is None and isinstance(name, str):
            answer.name = name
            if self._listening is not None:
                self._listening.open = False
            yield Answering(self._model)
        elif kind == _CREATED and answer.spoken_into and isinstance(name, str):
            # The answer to what was said into the last, which is over with that.
            answer.over = True
            yield Done(reason="cancelled")
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
        if self._listening is not None and event["type"] in _SPOKEN:
            self._listening.sent.add(name)
        elif event["type"] not in _TIDYING:
            self._asked.add(name)
        return Send(Text(json.dumps({**event, "event_id": name}).encode()))

    def _instructions(self) -> str:
        messages = () if self._question is None else self._question.messages
        return messages[0]["content"] if messages and messages[0]["role"] == "system" else ""
