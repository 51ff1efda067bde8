"""Speech of a person as the probe plays it to a server (Utterance), and the result of that (Heard). Frozen values."""

from dataclasses import dataclass, field

from probe.timestamps import milliseconds


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


@dataclass(frozen=True, slots=True)
class Heard:
    """The part of a turn before its question: speech was played to a server, which understood it.

    `speech_end` is the write of the frame that ends with the last voiced sample. None is what did not happen:
    `speech_stopped` also where the probe itself ended the audio. `said` is the text that was played, where it is known.
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

    @property
    def end_late_ms(self) -> float:
        """How late the last voiced sample was written; 0 where it was not."""
        return milliseconds(self.end_late_ns or 0)
