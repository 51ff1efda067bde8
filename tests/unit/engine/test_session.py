"""What conversations want done later than they were asked: written when it is written, and given up with its server."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from probe.clock import Clock
from probe.config import ScenarioConfig, TargetConfig
from probe.engine.faults import Fault
from probe.engine.lines import LLM
from probe.engine.llm_side import LlmSide
from probe.engine.runner import ignore
from probe.engine.session import Session
from probe.plan import Pause, new_plan
from probe.protocols.base import Connect, Conversation, LlmConversation, Question, Send, Step, Token
from probe.protocols.registry import chosen
from probe.timestamps import NEVER, NS_PER_S
from probe.transport.connection import Deliver, Endpoint, SendError
from probe.transport.framing.base import Ended, Incoming, Outgoing, Raw
from probe.transport.stamps import Stamps

QUESTION = Question(1, (), Pause(), 0.0)
PLAN = new_plan(TargetConfig.of(limits={"llm_s": 2}).record("t"), ScenarioConfig().record("default"))


@dataclass
class Wire:
    """A server that takes what is written, or whose connection turns out to be gone."""

    clock: Clock
    gone: bool = False
    written: list[tuple[int, Outgoing]] = field(default_factory=list)
    delivers: list[Deliver] = field(default_factory=list)
    stamps: Stamps = field(default_factory=Stamps)

    async def open(self, endpoint: Endpoint, deliver: Deliver, timeout_s: float) -> "Wire":  # noqa: ARG002
        self.delivers.append(deliver)
        self.gone = False
        return self

    async def ask(self, *_: Any) -> None:
        raise NotImplementedError

    async def send(self, frame: Outgoing, timeout_s: float) -> int:  # noqa: ARG002
        if self.gone:
            raise SendError("closed", "gone")
        self.written.append((self.clock.now(), frame))
        return self.clock.now()

    async def close(self) -> None: ...

    def abort(self) -> None: ...

    def says(self, frame: Incoming) -> None:
        self.delivers[-1](self.clock.now(), frame)


REQUEST = Send(Raw(b"request"))


class KeptAlive(LlmConversation):
    """Its server may have closed the connection just as it was asked: asks once more."""

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        del question, now
        return Connect(), REQUEST

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        return (Connect(), REQUEST) if isinstance(frame, Ended) else (Token("Hello"),)


class Late(KeptAlive):
    """Connects when it is asked, and writes its request half a second later."""

    at: int | None = None

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        del question
        self.at = now + NS_PER_S // 2
        return (Connect(),)

    def wakes_at(self) -> int | None:
        return self.at

    def wake(self, now: int) -> Iterable[Step]:
        del now
        self.at = None
        return (REQUEST,)


def session(virtual: Any, conversation: Conversation) -> tuple[Session, Wire]:
    wire = Wire(virtual.clock)
    made = Session(PLAN, chosen(PLAN.target), {LLM: conversation}, wire, virtual.clock, ignore)
    return made, wire


def asked(virtual: Any, conversation: LlmConversation) -> tuple[LlmSide, Session, Wire]:
    made, wire = session(virtual, conversation)
    side = LlmSide(made, conversation)
    made.sides = {LLM: side}
    return side, made, wire


def test_a_request_that_is_written_again_began_with_that_write(virtual: Any) -> None:
    side, made, wire = asked(virtual, KeptAlive())

    async def go() -> None:
        await side.ask(QUESTION)
        virtual.loop.call_later(0.3, wire.says, Ended("closed", "idle for too long"))
        await made.pump(NEVER, LLM)
        virtual.loop.call_later(0.1, wire.says, Raw(b"token"))
        await made.pump(NEVER, LLM)

    virtual.run(go())
    (first, _), (again, _) = wire.written
    (chunk,) = side.chunks
    assert again - first == pytest.approx(0.3 * NS_PER_S, abs=1000)
    assert chunk.inference_start == again
    assert chunk.first_token is not None and chunk.first_token - again == pytest.approx(0.1 * NS_PER_S, abs=1000)


def test_what_is_written_once_the_answer_has_begun_is_no_request(virtual: Any) -> None:
    side, made, wire = asked(virtual, KeptAlive())

    async def go() -> None:
        await side.ask(QUESTION)
        wire.says(Raw(b"token"))
        await made.pump(NEVER, LLM)
        virtual.loop.call_later(0.3, wire.says, Ended("closed", "in the middle"))
        await made.pump(NEVER, LLM)

    virtual.run(go())
    assert len(wire.written) == 2
    assert side.chunks[0].inference_start == wire.written[0][0]


def test_a_request_may_be_written_later_than_it_was_asked_for(virtual: Any) -> None:
    side, made, wire = asked(virtual, Late())

    async def go() -> None:
        await side.ask(QUESTION)
        await made.pump(NEVER, LLM)
        virtual.loop.call_later(0.1, wire.says, Raw(b"token"))
        await made.pump(NEVER, LLM)

    virtual.run(go())
    ((written, _),) = wire.written
    assert side.chunks[0].inference_start == written
    assert side.chunks[0].first_token is not None


def test_a_server_that_was_asked_for_nothing_yet_is_given_its_patience(virtual: Any) -> None:
    """And not less: it was asked when its conversation was."""
    conversation = Late()
    side, made, _ = asked(virtual, conversation)

    async def go() -> None:
        await side.ask(QUESTION)
        conversation.at = None
        began = virtual.loop.time()
        with pytest.raises(Fault, match="nothing from the LLM server for 2 s"):
            await made.pump(NEVER, LLM)
        assert virtual.loop.time() - began == pytest.approx(2, abs=0.01)

    virtual.run(go())


def test_a_rest_is_long_enough_to_wake_up_in(virtual: Any) -> None:
    conversation = Late()
    made, wire = session(virtual, conversation)

    async def go() -> None:
        await made.perform(LLM, conversation.ask(QUESTION, virtual.clock.now()))
        began = virtual.loop.time()
        await made.rest(3)
        assert virtual.loop.time() - began == pytest.approx(3, abs=0.01)

    virtual.run(go())
    assert len(wire.written) == 1


class Talkative(KeptAlive):
    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        return () if isinstance(frame, Ended) else (Send(Raw(b"one")), Send(Raw(b"two")))


def test_what_could_not_be_written_leaves_nothing_to_be_written_later(virtual: Any) -> None:
    conversation = Talkative()
    made, wire = session(virtual, conversation)

    async def go() -> None:
        await made.perform(LLM, conversation.ask(QUESTION, virtual.clock.now()))
        wire.says(Raw(b"hello"))
        wire.gone = True
        with pytest.raises(Fault, match="gone"):
            await made.pump(NEVER, LLM)
        await made.connect(LLM)
        wire.says(Raw(b"hello again"))
        await made.pump(NEVER, LLM)

    virtual.run(go())
    assert [frame for _, frame in wire.written] == [Raw(b"request"), Raw(b"one"), Raw(b"two")]
