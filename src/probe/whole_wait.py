"""The whole wait of a person who speaks: from the end of the speech to the first sound of the answer. Pure."""

from dataclasses import dataclass

from probe import words
from probe.heard import Heard, PlayedPause
from probe.plan import Target
from probe.record import RunRecord, Turn
from probe.spoken_words import error_rate, spoken_words
from probe.timestamps import milliseconds

# The measures of a turn that a target which hears adds.
NAMES = ("endpointing_ms", "transcription_ms", "voice_to_voice_ms", "word_error_rate", "interrupted_ms")


@dataclass(frozen=True, slots=True)
class CutOff:
    """Where a server took the speech for finished before it was: after so many milliseconds of it, or in a pause.

    `into_ms` says how far into the pause, where a time shows it. Where only the transcript does, that ends with the
    last word before a pause, and `after_ms` is when the pause began.
    """

    after_ms: float
    pause: PlayedPause | None = None
    into_ms: float | None = None

    @property
    def pause_ms(self) -> float | None:
        return None if self.pause is None else milliseconds(self.pause.end - self.pause.start)

    def __str__(self) -> str:
        after = f"{self.after_ms:.0f} ms after it began"
        if self.pause_ms is None:
            return after
        if self.into_ms is None:
            return f"from a pause of {self.pause_ms:.0f} ms on, {after}"
        return f"{after}, {self.into_ms:.0f} ms into a pause of {self.pause_ms:.0f} ms"


def cut_off(heard: Heard) -> CutOff | None:
    """Where the speech was cut off; None where it was not, or nobody knows where."""
    voice, end = heard.voice_start, heard.speech_end
    found = [at for at in (heard.speech_stopped, heard.transcript_done) if at is not None]
    if voice is None or not found:
        return None
    at = min(found)
    if end is None or at < end:
        pause = next((each for each in reversed(heard.pauses) if each.start <= at < each.end), None)
        into = None if pause is None else milliseconds(at - pause.start)
        return CutOff(milliseconds(max(0, at - voice)), pause, into)
    understood = spoken_words(heard.transcript)
    pause = next((each for each in heard.pauses if each.words == len(understood)), None)
    if pause is None or not words.is_beginning(spoken_words(heard.said or ""), understood):
        return None
    return CutOff(milliseconds(pause.start - voice), pause)


def transcribed_since(heard: Heard) -> int | None:
    """Since when the server transcribes: since it found the end of the speech, or since that where it does not say so.

    None where it says so late: when it found the end, nobody knows.
    """
    if heard.stopped_late is not None:
        return None
    return heard.speech_end if heard.speech_stopped is None else heard.speech_stopped


def is_transcribed(target: Target) -> bool:
    """Whether a transcript of what is said is due: from an STT server always, from an agent that was asked for one."""
    return "stt" in target.servers or target.option("stt", "transcription_model") is not None


def began(turn: Turn) -> int:
    """Since when a person waits where no request to the LLM server was written; 0 where nobody spoke either."""
    heard = turn.heard
    return 0 if heard is None else heard.speech_end or heard.speech_start or 0


def asked(turn: Turn) -> int | None:
    """Since when the answer is thought about: its request, or the end of the speech that it needed none after.

    That is known when the server says so, unless it says so only after it has begun to answer.
    """
    request = turn.chunks[0].inference_start if turn.chunks else None
    if request is not None or turn.heard is None:
        return request
    stopped = turn.heard.speech_stopped
    begun = [at for each in turn.chunks[:1] for at in (each.llm_first_token, each.tts_first_audio) if at is not None]
    return turn.heard.speech_end if stopped is None or stopped > min(begun, default=stopped) else stopped


def question_since(turn: Turn) -> int | None:
    """Since when the question could be asked: of an agent whose speech the probe ends, since that end.

    Of any other LLM server, since the transcript. None where nobody spoke, or no request was needed.
    """
    first = turn.chunks[0] if turn.chunks else None
    if turn.heard is None or first is None or first.inference_start is None:
        return None
    by_agent = first.tts_text_sent is None and bool(first.frames)
    return turn.heard.speech_end if by_agent else turn.heard.transcript_done


def question_delay(turn: Turn) -> int:
    """How long the question waited for the probe, until its request, in nanoseconds."""
    since = question_since(turn)
    return 0 if since is None else max(0, (turn.chunks[0].inference_start or since) - since)


def speech_to_end_ms(record: RunRecord) -> float | None:
    """From the end of the speech to that of the answer, all turns together; None where one of them is not known."""
    ends = [(None if turn.heard is None else turn.heard.speech_end, turn.done) for turn in record.turns]
    took = [milliseconds(done - speech) for speech, done in ends if speech is not None and done is not None]
    return sum(took) if took and len(took) == len(ends) else None


def measures(turn: Turn, base: int, first_sound: float | None) -> dict[str, float | None]:
    """Each of NAMES. `first_sound` is the first audible sample on the playout clock, in nanoseconds since `base`.

    It is heard as early as it would have been had the probe held up nothing of the answer; what the question waited
    for the probe is taken off here.
    """
    heard = turn.heard
    if heard is None:
        return {}
    end, stopped, understood = heard.speech_end, heard.speech_stopped, heard.transcript_done
    whole = None
    if end is not None and first_sound is not None:
        whole = milliseconds(base - end - question_delay(turn) + first_sound)
    known = understood is not None and heard.said
    return {
        "endpointing_ms": _between(end, stopped),
        "transcription_ms": _between(transcribed_since(heard), understood),
        "voice_to_voice_ms": whole,
        "interrupted_ms": _interrupted(turn),
        "word_error_rate": error_rate(heard.said or "", heard.transcript) if known else None,
    }


def _interrupted(turn: Turn) -> float | None:
    """How long an answer that was spoken into still came; None where it was not stopped for that."""
    spoken = turn.interruption
    if spoken is None or not spoken.stopped:
        return None
    return milliseconds(max(0, (spoken.last_audio or spoken.start) - spoken.start))


def _between(start: int | None, end: int | None) -> float | None:
    """What came before its cause is no wait: the speech was cut off."""
    return None if start is None or end is None or end < start else milliseconds(end - start)
