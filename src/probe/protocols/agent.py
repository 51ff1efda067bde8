"""The interface of an agent: one server that thinks and speaks, asked as an LLM server and heard as a TTS server."""

from collections.abc import Iterable

from probe.protocols.base import LlmConversation, Question, Step, TtsConversation
from probe.protocols.segments import Attribution, Whole
from probe.record import Pause


class AgentConversation(LlmConversation, TtsConversation):
    """A server that thinks and speaks: it is asked as an LLM server is, and heard as a TTS server is.

    Nobody cuts its answer, nor hands it a text to speak: a whole answer is one chunk, its audio one segment.
    Its texts, where it shows any, are `Token`s; one `Done` is the end of both. `ask` may be called once `open` has led
    to `Ready`.
    """

    pausing = True

    def prepare(self, question: Question) -> None:
        """What the turn that begins will ask: `open` may have to tell the server of what was said before."""
        raise NotImplementedError

    def attribution(self) -> Attribution:
        return Whole(self.sample_rate)

    def resume(self, pause: Pause, now: int) -> Iterable[Step]:
        del pause, now
        return ()

    def speak(self, text: str, now: int) -> Iterable[Step]:
        del text, now
        return ()

    def close(self, now: int) -> Iterable[Step]:
        del now
        return ()

    def cancel(self) -> Iterable[Step]:
        """`release` ends the answer."""
        return ()
