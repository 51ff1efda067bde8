"""The interface of a server that hears: audio in as it is spoken, and what was understood of it out."""

from collections.abc import Iterable

from probe.protocols.base import Conversation, Step


class SttConversation(Conversation):
    """A server that transcribes what a person says, turn after turn.

    It says `SpeechStopped` where it finds the end of the speech itself, and `Transcript` once, when all is understood.
    """

    @property
    def sample_rate(self) -> int:
        """Of the audio that it is sent (16-bit mono), in Hz."""
        raise NotImplementedError

    @property
    def finds_end(self) -> bool:
        """Whether the server finds the end of the speech, and is sent silence until it has. Else `end` says it."""
        raise NotImplementedError

    def begin(self, now: int) -> Iterable[Step]:
        """A person begins to speak."""
        raise NotImplementedError

    def hear(self, pcm: bytes, now: int) -> Iterable[Step]:
        """The next samples."""
        raise NotImplementedError

    def end(self, now: int) -> Iterable[Step]:
        """No more samples come in this turn."""
        raise NotImplementedError
