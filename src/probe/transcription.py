"""What a recogniser understood of a run's answer, after the run: it changes no figure of that. Frozen values."""

from dataclasses import dataclass
from typing import Literal

# What ended an attempt: it waited in vain, a connection did not open, the recogniser failed, or a mistake of ours.
Untranscribed = Literal["wait", "connect", "stt", "internal"]
# Why an answer that waited to be transcribed was given up: others wait already, its audio is too long, users hold a
# server, a server does not say whether it is in use, runs leave no room between them, or runs came in its way.
WAITED: tuple[str, ...] = ("full", "too_long", "users", "unknown_users", "no_room", "interrupted")

# With more than this share of its words wrong an answer counts as garbled, here and in the alert.
GARBLED = 0.5


@dataclass(frozen=True, slots=True)
class Mishap:
    """Why an answer was not transcribed: a stage, its reason (of WAITED, or one of a run's), and a sentence of ours."""

    stage: Untranscribed
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class AnswerTranscript:
    """What was understood of one turn's answer, compared with the text that was sent to the TTS server.

    `words` are those of the text, `errors` how many of them were substituted or left out, or were added.
    """

    turn_num: int
    transcript: str
    words: int
    errors: int

    @property
    def word_error_ratio(self) -> float | None:
        """None where the text has no words."""
        return self.errors / self.words if self.words else None


@dataclass(frozen=True, slots=True)
class Transcription:
    """One attempt to understand the answer of a run; `turns` only where all of them were transcribed.

    `url` is without secrets; `said` are the server's own words about a mishap, for the run's owner alone.
    """

    started: int
    ended: int
    protocol: str
    url: str
    turns: tuple[AnswerTranscript, ...] = ()
    mishap: Mishap | None = None
    said: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        return sum(each.words for each in self.turns)

    @property
    def errors(self) -> int:
        return sum(each.errors for each in self.turns)

    @property
    def word_error_ratio(self) -> float | None:
        """Of all turns together; None where nothing was transcribed, or no text has words."""
        return self.errors / self.words if self.words else None
