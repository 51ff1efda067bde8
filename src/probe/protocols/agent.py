"""The interface of an agent: one server that thinks and speaks, asked as an LLM server and heard as a TTS server."""

from collections.abc import Iterable

from probe.plan import Pause
from probe.protocols.base import LlmConversation, Question, Step, TtsConversation
from probe.protocols.hearing import SttConversation
from probe.protocols.segments import Attribution, Whole


class AgentConversation(LlmConversation, TtsConversation, SttConversation):
    """A server that thinks and speaks: it is asked as an LLM server is, and heard as a TTS server is.

    Nobody cuts its answer, nor hands it a text to speak: a whole answer is one chunk, its audio one segment.
    Its texts, where it shows any, are `Token`s; one `Done` is the end of both. `ask` may be called once `open` has led
    to `Ready`.

    Where it `hears`, it is played speech before that, as an STT server is (`begin`, `hear`, `end`). If it finds the
    end of the speech itself, it answers by itself, and nobody calls `ask`. `Answering` says that it does.
    """

    pausing = True

    @property
    def hears(self) -> bool:
        """Whether it is asked with speech; else with text."""
        return False

    @property
    def transcribes(self) -> bool:
        """Whether it was asked for what it understood, so that a `Transcript` is due; it may come at any time."""
        return False

    @property
    def input_rate(self) -> int:
        raise NotImplementedError

    @property
    def finds_end(self) -> bool:
        return False

    def begin(self, now: int) -> Iterable[Step]:
        del now
        return ()

    def hear(self, pcm: bytes, now: int) -> Iterable[Step]:
        del pcm, now
        return ()

    def end(self, now: int) -> Iterable[Step]:
        del now
        return ()

    def interrupt(self) -> None:
        """A person speaks into the answer from now on (`hear`): its early end is no fault."""

    def interrupted(self, heard_ms: int) -> Iterable[Step]:
        """The answer that was spoken into is over; so much of it was heard."""
        del heard_ms
        return ()

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
