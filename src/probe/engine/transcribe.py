"""Has a server write down speech that is there already, outside of every measure: as fast as it takes it."""

from collections.abc import Sequence

from msgspec import Struct

from probe.clock import Clock
from probe.engine.faults import Busy, Fault
from probe.engine.lines import STT
from probe.engine.session import Session
from probe.plan import Plan
from probe.progress import Event as ProgressEvent
from probe.protocols.base import Event, Malformed, Refused, Terms, Transcript
from probe.protocols.choice import Protocols
from probe.protocols.hearing import SttConversation
from probe.record import Stage
from probe.timestamps import NEVER
from probe.transport.connector import Connector
from probe.transport.deadline import within

# What is written at once; in between the server's answers are read.
PIECE_MS = 100


class Dictation(Struct, frozen=True):
    """A transcript for each speech; or the stage and the reason (both of a run's) why there is none, in our words.

    `said` are the server's own words.
    """

    transcripts: tuple[str, ...] = ()
    stage: Stage | None = None
    reason: str = ""
    detail: str = ""
    said: tuple[str, ...] = ()


async def transcribed(
    speech: Sequence[bytes], plan: Plan, protocols: Protocols, connector: Connector, clock: Clock
) -> Dictation:
    """Have each speech transcribed, within the limits of the plan, whose target has an STT server alone.

    The speech is 16-bit mono at the server's rate. Raises nothing but CancelledError.
    """
    server, limits = plan.target.servers["stt"], plan.target.limits
    conversation: SttConversation = protocols.of["stt"].converse(Terms(server, plan.run_id, limits.stt_s))
    session = Session(plan, protocols, {STT: conversation}, connector, clock, _unseen)
    transcripts = []
    try:
        async with within(limits.run_s):
            for each in speech:
                transcripts.append(await _Listening(session, conversation).take(each))  # noqa: PERF401 - kept if late
        return Dictation(tuple(transcripts))
    except Busy as busy:
        return Dictation((), "stt", "unavailable", str(busy), tuple(session.quotes.all))
    except TimeoutError:
        late = f"the transcript was not there within {limits.run_s:g} s"
        return Dictation((), "stt", "run_deadline", late, tuple(session.quotes.all))
    except Fault as fault:
        return Dictation((), fault.stage, fault.reason, str(fault), tuple(session.quotes.all))
    finally:
        await session.drop_all()


class _Listening:
    """One speech, and the server's transcript of it, which may be empty."""

    stage: Stage = "stt"

    def __init__(self, session: Session, conversation: SttConversation) -> None:
        self._session = session
        self._conversation = conversation
        self._began = False
        self._transcript: str | None = None

    @property
    def owes(self) -> bool:
        return self._began and self._transcript is None

    async def take(self, pcm: bytes) -> str:
        """Raises Fault and Busy."""
        session, conversation = self._session, self._conversation
        session.sides = {STT: self}
        session.stage = "stt"
        await session.perform(STT, conversation.begin(session.clock.now()))
        self._began = True
        size = 2 * (conversation.input_rate * PIECE_MS // 1000)
        for at in range(0, len(pcm), size):
            await session.perform(STT, conversation.hear(pcm[at : at + size], session.clock.now()))
            await session.rest(0)
        if self._transcript is None:
            await session.perform(STT, conversation.end(session.clock.now()))
        while self._transcript is None:
            await session.pump(NEVER, STT)
        return self._transcript

    def on_event(self, event: Event, at: int) -> None:
        del at
        if not self.owes:
            return
        match event:
            case Transcript(text):
                self._transcript = text
            case Refused(fatal=True, busy=True):
                raise Busy(event.message)
            case Refused(fatal=True):
                raise Fault("stt", event.reason, f"STT server: {event.message}", STT)
            case Malformed(detail):
                raise Fault("stt", "malformed", f"the STT server sent a frame that is not its protocol: {detail}", STT)

    def on_written(self, at: int) -> None:
        """No request of it has a time of its own."""


def _unseen(_event: ProgressEvent) -> None:
    """Progress is not shown."""
