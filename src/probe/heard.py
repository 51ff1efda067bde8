"""Speech of a person as the probe plays it to a server (Utterance), and the result of that (Heard). Frozen values."""

from dataclasses import dataclass, field

from probe.timestamps import milliseconds


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that belongs to what is said: its first sample, the one behind it, and how many words come before it."""

    start: int
    end: int
    words: int


@dataclass(frozen=True, slots=True)
class PlayedPause:
    """The same as it was played: when it was due, from its begin to its end."""

    start: int
    end: int
    words: int


@dataclass(frozen=True, slots=True)
class Utterance:
    """One turn of a person, as 16-bit mono samples of `sample_rate`.

    `text` is what is said in it, None where nobody knows. `first_voiced` and `last_voiced` are the samples between
    which it can be heard, the second one excluded; what lies behind it is the recording's own silence.
    """

    pcm: bytes = field(repr=False)
    sample_rate: int
    first_voiced: int
    last_voiced: int
    text: str | None = None
    # What is heard before and behind it, again and again; digital silence where there is none.
    silence: bytes = field(default=b"", repr=False)
    # Those that were written into the text; how a person breathes otherwise is part of the speech.
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, slots=True)
class Interruption:
    """Speech into an answer: the write of its first voiced sample, and the last audio of the answer that came.

    `stopped`: the server ended the answer for it. Else it was over by itself, and there was nothing to be stopped.
    """

    start: int
    last_audio: int | None = None
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """The part of a turn before its question: speech was played to a server, which understood it.

    `speech_end` is the write of the frame that ends with the last voiced sample. None is what did not happen:
    `speech_stopped` also where the probe itself ended the audio. `said` is the text that was played, where it is known.
    `stopped_late` is when a server said that the speech was over that answered already, or had transcribed it: when it
    found the end nobody knows.
    """

    speech_start: int | None = None
    speech_end: int | None = None
    speech_stopped: int | None = None
    transcript_done: int | None = None
    transcript: str = ""
    said: str | None = None
    # How late the frames were written: the one that ends with the last voiced sample, and the latest of all.
    end_late_ns: int | None = None
    longest_late_ns: int | None = None
    # When the first voiced sample was due, and the pauses of what is said, as far as they have begun.
    voice_start: int | None = None
    pauses: tuple[PlayedPause, ...] = ()
    stopped_late: int | None = None

    @property
    def end_late_ms(self) -> float:
        """How late the last voiced sample was written; 0 where it was not."""
        return milliseconds(self.end_late_ns or 0)
