"""The interface of a server that hears: audio in as it is spoken, and what was understood of it out."""

from collections.abc import Iterable

from probe.protocols.base import Conversation, Step, Transcript
from probe.text import cut, storable

# Of a transcript so many characters are kept. What comes in may be a thousand times as long, and is compared word by
# word.
MAX_TRANSCRIPT = 2**13
# So many events may be about one turn's speech: each costs time, however small it is.
MAX_EVENTS = 5000


def understood(text: str) -> Transcript:
    """What a server has understood, no longer than it is kept."""
    return Transcript(storable(cut(text.strip(), MAX_TRANSCRIPT)))


class SttConversation(Conversation):
    """A server that transcribes what a person says, turn after turn.

    It says `SpeechStopped` where it finds the end of the speech itself, and `Transcript` once, when all is understood.
    """

    @property
    def input_rate(self) -> int:
        """Of the audio that it is sent (16-bit mono), in Hz."""
        raise NotImplementedError

    @property
    def finds_end(self) -> bool:
        """Whether the server finds the end of the speech, and is sent silence until it has. Else `end` says it."""
        raise NotImplementedError

    @property
    def says_end(self) -> bool:
        """Whether it has an event for the end that it finds, beside the transcript."""
        return self.finds_end

    def begin(self, now: int) -> Iterable[Step]:
        """A person begins to speak."""
        raise NotImplementedError

    def hear(self, pcm: bytes, now: int) -> Iterable[Step]:
        """The next samples."""
        raise NotImplementedError

    def end(self, now: int) -> Iterable[Step]:
        """No more samples come in this turn."""
        raise NotImplementedError
