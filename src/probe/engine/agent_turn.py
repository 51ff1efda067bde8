"""One turn with an agent, which thinks and speaks by itself: one chunk, whose words and sound come as they come."""

from msgspec import Struct

from probe.audio import speakable
from probe.engine import answer_limit
from probe.engine.agent_hearing import AgentHearing
from probe.engine.faults import Fault
from probe.engine.interruption import Interrupting
from probe.engine.lines import AGENT, Line
from probe.engine.llm_side import LlmSide
from probe.engine.session import Session
from probe.engine.side import Side
from probe.engine.tts_side import TtsSide
from probe.engine.turn import TurnInProgress, quietly
from probe.protocols.agent import AgentConversation
from probe.protocols.base import Done, Event, Malformed, Messages, Question, Refused, Token
from probe.protocols.segments import Segment
from probe.record import REASONS, Stage


class AgentSide(Struct):
    """What one server says, as both sides of a turn have it."""

    llm: LlmSide
    tts: TtsSide
    # The speech that it answers, where it hears.
    hearing: AgentHearing | None = None
    # The answer's sound, once the turn has begun.
    segment: Segment | None = None

    @property
    def stage(self) -> Stage:
        """It hears until it has the end of the speech, and where only the transcript is due.

        It thinks from the question to the first of its answer, text or sound; else it is the voice that is due.
        """
        if self.hearing is not None and (self.hearing.playing or (self.hearing.owes and not self.owes_answer)):
            return "stt"
        if not self.llm.chunks or self.segment is None:
            return "tts"
        return "llm" if self.llm.chunks[0].first_token is None and not self.segment.frames else "tts"

    @property
    def owes(self) -> bool:
        return self.owes_answer or (self.hearing is not None and self.hearing.owes)

    @property
    def owes_answer(self) -> bool:
        """Whether some of its answer is still to come."""
        return self.llm.owes or self.tts.owes

    def on_event(self, event: Event, at: int) -> None:
        if self.hearing is not None:
            self.hearing.note(event, at)
        match event:
            case _ if self.hearing is not None and self.hearing.means(event):
                self.hearing.on_event(event, at)
            case Refused(fatal=True, reason=reason) if self.stage == "llm" and reason in REASONS["llm"]:
                self.llm.on_event(event, at)
            case Malformed() if self.stage == "llm":
                self.llm.on_event(event, at)
            case Refused() | Malformed():
                self.tts.on_event(event, at)
            case Done():
                self.tts.on_event(event, at)
                self._end_text(event, at)
            case Token(text, "answer") if self.segment is not None and self.llm.reading:
                # It is bounded there; what comes after a flood, or after the answer, is no text of it.
                self.llm.on_event(event, at)
                self.segment.text += text
            case _:
                self.llm.on_event(event, at)
                self.tts.on_event(event, at)

    def on_written(self, at: int) -> None:
        self.llm.on_written(at)

    def _end_text(self, event: Done, at: int) -> None:
        """The text was complete with its last piece, whenever the server says so; one that shows none has no end."""
        last = self.llm.chunks[-1].last_token if self.llm.chunks else None
        self.llm.on_event(event, at if last is None else last)
        if self.llm.chunks and last is None:
            self.llm.chunks[-1].done_at = None


# How an answer ends that was spoken into.
_STOPPED = ("turn_detected", "cancelled")


class AgentTurn(TurnInProgress):
    """A turn while it goes on."""

    def __init__(self, session: Session, conversation: AgentConversation, turn_num: int) -> None:
        speech = session.plan.speech
        hearing = AgentHearing(session, conversation, speech[turn_num - 1]) if conversation.hears else None
        super().__init__(session, conversation, {AGENT: conversation}, turn_num, AGENT, hearing)
        self._conversation = conversation
        self._side = AgentSide(self.llm, self.tts.sides[AGENT], hearing)

    @property
    def by_line(self) -> dict[Line, Side]:
        return {AGENT: self._side}

    async def hear(self, before: Messages) -> str:
        hearing = self._side.hearing
        if hearing is None:
            return self.user
        scenario = self._session.plan.scenario
        await self._open(Question(self.turn_num, before, scenario.first_pause, scenario.temperature))
        if self._conversation.finds_end:
            self.llm.expect()
        try:
            await hearing.play()
        except BaseException:
            self.llm.forget()
            raise
        return hearing.transcript or self.user

    async def take(self, question: Question) -> None:
        segment = self._side.segment or await self._open(question)
        try:
            await self._answered(question, segment)
        except BaseException:
            if not segment.frames:
                self.llm.forget()
            raise

    async def _open(self, question: Question) -> Segment:
        self._conversation.prepare(question)
        await self.tts.open()
        # Its sound may come while the question is still being written.
        segment = self._side.segment = await self.tts.speak(1, "")
        return segment

    async def _answered(self, question: Question, segment: Segment) -> None:
        if not self.llm.chunks:
            await self.llm.ask(question)
        await self.tts.close()
        await self._interrupted(segment)
        stopped = False
        while self._side.owes_answer:
            await self.tts.step(AGENT)
            if self.llm.overrun and self._side.owes and not stopped:
                stopped = True
                await quietly(self._cancel())
        if self._side.hearing is not None:
            await self._side.hearing.finish()
        if self.interruption is not None and self.interruption.stopped:
            # The text may be ahead of the sound.
            segment.end = segment.done = None
        elif stopped:
            self._cut_short(segment)
        elif segment.end == "marker":
            # Only now it is known to have been the last.
            self.report_segment("tts_segment_end", segment.done or 0, segment)
        self._session.report("turn_done", self._session.clock.now(), text=self.answer())
        if not segment.frames and not speakable(self.answer()):
            raise Fault("llm", "empty_response", "the response has neither a word nor a sound")

    async def _interrupted(self, segment: Segment) -> None:
        """Speak into the answer, where that is wanted."""
        after_ms = self._session.plan.scenario.interrupt_after_ms
        if after_ms is None or not self._conversation.finds_end:
            return
        utterance = self._session.plan.speech[self.turn_num - 1]
        speaking = Interrupting(self._session, self._conversation, utterance, segment, after_ms)
        await speaking.speak(lambda: self._side.owes_answer)
        last = self.llm.chunks[-1].end
        stopped = last is not None and last.reason in _STOPPED
        self.interruption = speaking.result(stopped=stopped)
        if self.interruption is not None:
            speaking.require_stopped(stopped=stopped)
            steps = self._conversation.interrupted(speaking.heard_ms)
            await self._session.perform(AGENT, steps)

    async def _cancel(self) -> None:
        """Have it stop; its answer ends when it has."""
        await self._session.perform(AGENT, self._conversation.release(self._session.clock.now(), 0))

    def _cut_short(self, segment: Segment) -> None:
        """We ended it: the text may be ahead of the sound, and is not to be heard in it."""
        segment.end = segment.done = None
        last = self.llm.chunks[-1]
        if last.end is not None:
            last.end = answer_limit.ended(last.end)
