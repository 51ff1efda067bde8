"""How well an answer was understood, for the reports: word error rate and transcripts, or why there are none."""

from collections.abc import Iterator, Mapping
from typing import Any

from probe.record import RunRecord
from probe.report.format import number
from probe.transcription import GARBLED, AnswerTranscript, Transcription


def document(record: RunRecord) -> dict[str, Any] | None:
    """As a part of the run's JSON document; None where no recogniser was asked."""
    found = record.transcription
    if found is None:
        return None
    wrong = found.mishap
    return {
        "protocol": found.protocol,
        "url": found.url,
        "word_error_rate": _rounded(found.word_error_ratio),
        "words": found.words if found.turns else None,
        "errors": found.errors if found.turns else None,
        "turns": [
            {
                "turn_num": each.turn_num,
                "transcript": each.transcript,
                "word_error_rate": _rounded(each.word_error_ratio),
                "words": each.words,
                "errors": each.errors,
            }
            for each in found.turns
        ],
        "not_transcribed": None
        if wrong is None
        else {"stage": wrong.stage, "reason": wrong.reason, "detail": wrong.detail},
        "said": list(found.said),
    }


def of_turn(record: RunRecord, turn_num: int) -> AnswerTranscript | None:
    """What was understood of one turn's answer."""
    turns = () if record.transcription is None else record.transcription.turns
    return next((each for each in turns if each.turn_num == turn_num), None)


def errors_in_words(found: Transcription) -> str:
    """The word error rate, and what it is made of."""
    ratio = found.word_error_ratio
    if found.mishap is not None or ratio is None:
        return "unknown"
    wrong = "error" if found.errors == 1 else "errors"
    return f"{number(100 * ratio, 1)}% ({found.errors} {wrong} in {found.words} words)"


def why_not(found: Transcription) -> str | None:
    """Why it was not transcribed, with the server's own words; None where it was."""
    if found.mishap is None:
        return None
    return "; ".join((f"{found.mishap.stage}/{found.mishap.reason}: {found.mishap.detail}", *found.said))


def figures(found: Transcription) -> Mapping[str, str]:
    """What a report shows in one line each."""
    if (why := why_not(found)) is not None:
        return {"Not transcribed": why}
    return {"Word error rate": errors_in_words(found)}


def transcripts(found: Transcription) -> Iterator[tuple[str, str]]:
    """What was understood of each turn, under the name of the turn where there are several."""
    for each in found.turns:
        yield f"Turn {each.turn_num}" if len(found.turns) > 1 else "Transcript", each.transcript


def remark(record: RunRecord) -> str:
    """What to say of an answer that is garbled, where the run itself was good; empty for any other."""
    ratio = rate(record)
    return "" if ratio is None or ratio <= GARBLED else f"not understood: word error rate {number(100 * ratio, 1)}%"


def rate(record: RunRecord) -> float | None:
    """The word error rate of the answer; None where it is not known."""
    return None if record.transcription is None else _rounded(record.transcription.word_error_ratio)


def _rounded(ratio: float | None) -> float | None:
    return None if ratio is None else round(ratio, 4)
