"""An LLM server that streams its whole answer, with a protocol of its own, on the virtual network of `fakes`."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from fakes import Peer
from fakes import Step as Played
from msgspec import Struct

from probe.plan import Plan, ServerPlan
from probe.protocols.base import (
    Answering,
    Connect,
    Done,
    Event,
    LlmConversation,
    Question,
    Reasoned,
    Send,
    ServerTimes,
    Step,
    Terms,
    Token,
    Usage,
)
from probe.protocols.choice import Protocols
from probe.protocols.declaration import ServerProtocol
from probe.protocols.http_answers import refused_handshake
from probe.protocols.registry import TTS
from probe.transport.framing.base import Incoming, Text


class FreeRunning(LlmConversation):
    """One question; then a token, the count, the server's times, or the end in each frame."""

    def __init__(self, terms: Terms) -> None:
        del terms

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        del now
        return Connect(), Send(Text(json.dumps({"action": "ask", "turn": question.turn_num}).encode()))

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        if isinstance(frame, Text):
            ((what, value),) = json.loads(frame.data).items()
            yield _SAID.get(what, _reasoning)(value)


_SAID: dict[str, Callable[[Any], Event]] = {
    "answer": Token,
    "usage": Usage,
    "times": ServerTimes,
    "done": Done,
    "model": Answering,
    "reasoned": lambda _: Reasoned(),
}


def _reasoning(text: str) -> Token:
    return Token(text, "reasoning")


class FreeRunningOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What such a server takes."""

    model: str | None = None


PROTOCOL = ServerProtocol(
    name="free_running",
    schemes=("http", "https"),
    default_url="http://localhost:8080/v1",
    framing="http1",
    options=FreeRunningOptions,
    converse=FreeRunning,
)


def speaking(plan: Plan, url: str = PROTOCOL.default_url, **options: Any) -> Plan:
    """The plan with such an LLM server."""
    servers = {**plan.target.servers, "llm": ServerPlan(PROTOCOL.name, url, options)}
    return replace(plan, target=replace(plan.target, servers=servers))


def protocols() -> Protocols:
    """Such an LLM server beside a Magpie server."""
    return Protocols({"llm": PROTOCOL, "tts": TTS["magpie"]}, refused_handshake)


def words(text: str, kind: str = "answer", *, first: float = 0.0, token: float = 0.02) -> list[Played]:
    """A text as tokens of one word each, the space before it included."""
    steps: list[Played] = []
    for number, piece in enumerate(re.findall(" ?[^ ]+", text)):
        steps += [token if number else first, {kind: piece}]
    return steps


def answering(*steps: Played) -> Callable[[], Peer]:
    """A server that answers with these steps, and then says that it is done."""
    return lambda: lambda _request: [*steps, 0.0, {"done": "stop"}]
