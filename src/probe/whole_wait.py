"""The whole wait of a person who speaks: from the end of the speech to the first sound of the answer. Pure."""

from probe import words
from probe.record import Turn
from probe.timestamps import milliseconds

# The measures of a turn that a target which hears adds.
NAMES = ("endpointing_ms", "transcription_ms", "voice_to_voice_ms", "word_error_rate")


def began(turn: Turn) -> int:
    """Since when a person waits where no request to the LLM server was written; 0 where nobody spoke either."""
    heard = turn.heard
    return 0 if heard is None else heard.speech_end or heard.speech_start or 0


def question_delay(turn: Turn) -> int:
    """How long the question waited for the probe: from the transcript to the request, in nanoseconds."""
    heard, asked = turn.heard, turn.chunks[0].inference_start if turn.chunks else None
    return 0 if heard is None or asked is None else max(0, asked - (heard.transcript_done or asked))


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
        "transcription_ms": _between(end if stopped is None else stopped, understood),
        "voice_to_voice_ms": whole,
        "word_error_rate": words.error_rate(heard.said or "", heard.transcript) if known else None,
    }


def _between(start: int | None, end: int | None) -> float | None:
    return None if start is None or end is None else milliseconds(end - start)
