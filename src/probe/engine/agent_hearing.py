"""The user's speech in a turn with an agent: played until the agent has its end; it answers while it transcribes."""

from collections.abc import Sequence

from probe.engine.faults import Fault
from probe.engine.hearing import Hearing
from probe.engine.lines import AGENT
from probe.engine.session import Session
from probe.heard import Utterance
from probe.protocols.agent import AgentConversation
from probe.protocols.base import Answering, Audio, Done, Event, Malformed, Refused, SpeechStopped, Token, Transcript
from probe.record import REASONS
from probe.timestamps import NEVER

# What an agent says only once it answers.
_ANSWERS = (Answering, Token, Audio, Done)
# Refusals that are of the speech whenever they come.
_OF_THE_SPEECH: Sequence[str] = ("no_transcript", "audio_refused", "false_trigger")


class AgentHearing(Hearing):
    """One utterance. `playing`: until the agent has its end; what it answers before that is no answer to it."""

    def __init__(self, session: Session, conversation: AgentConversation, utterance: Utterance) -> None:
        super().__init__(session, conversation, utterance, AGENT)
        self._transcribes = conversation.transcribes
        self.playing = False
        self._answered = False

    @property
    def owes(self) -> bool:
        """Whether its end is due, or what was understood of it."""
        return self.playing or (self._began and self._transcribes and self._understood is None)

    @property
    def listens(self) -> bool:
        return self._began and self._understood is None

    @property
    def is_over(self) -> bool:
        return super().is_over or self._answered

    @property
    def transcript(self) -> str:
        return self._transcript

    async def play(self) -> None:
        self.playing = True
        await super().play()
        self.playing = False

    async def finish(self) -> None:
        """Wait for the transcript, where one is due. Raises Fault."""
        try:
            while self.owes:
                await self._session.pump(NEVER, AGENT)
        except Fault as fault:
            if fault.reason != "timeout":
                raise
            raise self._fault("no_transcript", f"sent no transcript of the speech: {fault}") from fault

    def means(self, event: Event) -> bool:
        """Whether an event is of the speech, and not of the answer."""
        match event:
            case SpeechStopped() | Transcript():
                return True
            case Refused(fatal=True, reason=reason):
                return reason in _OF_THE_SPEECH or (self.playing and reason in REASONS["stt"])
            case Malformed():
                return self.playing
        return False

    def note(self, event: Event, at: int) -> None:
        """Note that it answers: before the whole speech was sent, it can't. Raises Fault."""
        if self.playing and isinstance(event, _ANSWERS):
            self._answered = True
            self._require_whole(at, "answered the speech")

    def on_event(self, event: Event, at: int) -> None:
        if isinstance(event, Refused):
            raise self._refusal(event)
        if isinstance(event, SpeechStopped) and self.is_over:
            self._stopped_late = at
            self._session.report("speech_stopped_late", at)
            return
        super().on_event(event, at)
        if isinstance(event, Transcript) and self._understood == at:
            self._require_understood()
