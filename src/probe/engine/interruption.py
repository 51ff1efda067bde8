"""Speech into an agent's answer: the microphone stays on while it speaks, and after a while a person interrupts it."""

from collections.abc import Callable
from itertools import count

from probe.audio import duration_ns
from probe.engine.faults import Fault
from probe.engine.hearing import FRAME_MS, Playback
from probe.engine.lines import AGENT
from probe.engine.session import Session
from probe.heard import Interruption, Utterance
from probe.protocols.agent import AgentConversation
from probe.protocols.segments import Segment
from probe.timestamps import NS_PER_MS, NS_PER_S

_FRAME_NS = FRAME_MS * NS_PER_MS


class Interrupting:
    """One answer, which is spoken into once `after_ms` of it have been heard."""

    def __init__(
        self, session: Session, conversation: AgentConversation, utterance: Utterance, segment: Segment, after_ms: float
    ) -> None:
        self._session = session
        self._conversation = conversation
        self._playback = Playback(utterance)
        self._segment = segment
        self._after_ns = round(after_ms * NS_PER_MS)
        # On the playout clock: how many frames are counted, how long they last, and until when they are played.
        self._counted = 0
        self._lasts = 0.0
        self._until = 0.0
        # When so much has been heard.
        self._moment: float | None = None
        self._start: int | None = None
        self._whole = False
        self._heard_last = session.clock.now()

    def result(self, *, stopped: bool) -> Interruption | None:
        """The result; None where nobody spoke. `stopped`: the server says that it ended the answer for it."""
        if self._start is None:
            return None
        last = self._segment.frames[-1][0] if self._segment.frames else None
        return Interruption(self._start, last, stopped=stopped)

    @property
    def heard_ms(self) -> int:
        """How much of the answer had been heard when it was interrupted."""
        self._count()
        return round(min(self._lasts, self._after_ns) / NS_PER_MS)

    async def speak(self, owes: Callable[[], bool]) -> None:
        """Go on until the answer is over. Raises Fault where it does not end."""
        frames = self._playback.frames()
        said = 0
        began = self._session.clock.now()
        for number in count(1):
            due = began + number * _FRAME_NS
            if not await self._read(due, owes):
                return
            if said or self._is_time(due):
                said += 1
                await self._write(next(frames), due, first=said == self._playback.first)
                self._whole |= said >= self._playback.voiced
            else:
                await self._write(self._playback.background(number), due, first=False)

    def require_stopped(self, *, stopped: bool) -> None:
        """Require that an answer that was interrupted did not go on to its end. Raises Fault."""
        if self._whole and not stopped:
            raise self._unheard("spoke on to the end of its answer")

    async def _read(self, due: int, owes: Callable[[], bool]) -> bool:
        """Read until the next frame is due; False once the answer is over."""
        while await self._session.pump(due):
            self._heard_last = self._session.clock.now()
            if not owes():
                return False
        self._require_sign_of_life(due)
        return True

    async def _write(self, frame: bytes, due: int, *, first: bool) -> None:
        written = await self._session.perform(AGENT, self._conversation.hear(frame, due))
        if first:
            self._start = self._session.clock.now() if written is None else written
            self._conversation.interrupt()
            self._session.report("interruption", self._start)

    def _is_time(self, due: int) -> bool:
        """Whether to begin with the silence before the speech, so that its first voiced sample comes at the moment."""
        self._count()
        return self._moment is not None and due + (self._playback.first - 1) * _FRAME_NS >= self._moment

    def _count(self) -> None:
        """Put what has come since the last time on the playout clock."""
        for at, size in self._segment.frames[self._counted :]:
            start = max(float(at), self._until)
            length = duration_ns(size, self._segment.sample_rate)
            if self._moment is None and self._lasts + length >= self._after_ns:
                self._moment = start + self._after_ns - self._lasts
            self._lasts += length
            self._until = start + length
        self._counted = len(self._segment.frames)

    def _require_sign_of_life(self, now: int) -> None:
        limits = self._session.plan.target.limits
        if self._start is not None and now - self._start > limits.stt_s * NS_PER_S:
            raise self._unheard(f"spoke on for {limits.stt_s:g} s")
        stage = self._session.sides[AGENT].stage
        patience_s = limits.llm_s if stage == "llm" else limits.tts_s
        if now - self._heard_last > patience_s * NS_PER_S:
            raise Fault(stage, "timeout", f"nothing from the agent server for {patience_s:g} s", AGENT)

    def _unheard(self, what: str) -> Fault:
        return Fault("stt", "not_interrupted", f"the agent server was interrupted, and {what}", AGENT)
