"""The part of `probe demo` that is asked by voice: what its target needs, and what its figures mean."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from probe import extras
from probe.cli.usage import UsageProblem
from probe.measures import Summary, outcome, summarise
from probe.record import RunRecord
from probe.report.format import MISSING, ms, table, wrapped

# pocketsphinx understands each of its words as the demo's voice says them.
QUESTION = "What is the capital of France?"
# The whole wait has a second for the silence that ends the question, and one for the rest. A slow machine fails no run.
_SETTINGS = """[targets.{name}]
objective_ms = 2000
objective_measure = "voice_to_voice"
limits = {{ stt_s = 60, llm_s = 60, tts_s = 60 }}
{servers}endpointing = "server"
[scenarios.{name}]
user_turns = ["{question}"]
"""
_COLUMNS = ("Run", "Outcome", "Voice to voice", "Endpointing", "Transcription", "LLM", "TTS", "Silence", "Words wrong")
_MEANINGS = (
    "the STT server waits for silence, to be sure that the question is over (endpointing)",
    "it finishes its transcript (transcription)",
    "the LLM reads the question and writes the first piece of its answer",
    "the TTS server makes the first audio of that",
    "silence with which that audio begins",
)


def require() -> None:
    """Raise UsageProblem where speech can't be recognised here."""
    if find_spec("pocketsphinx") is None:
        raise UsageProblem(
            f"--voice needs pocketsphinx, which is not installed; this installs it: `{extras.install('stt')}`"
            " (in a checkout, `make demo ARGS=--voice` does). Where it has no wheel, as for Python 3.12, it needs a C"
            " compiler"
        )


def settings(name: str, servers: str) -> str:
    """The tables of the target and of what is said to it; `servers` ends with that of the STT server."""
    return _SETTINGS.format(name=name, servers=servers, question=QUESTION)


def is_asked_by_voice(record: RunRecord) -> bool:
    return "stt" in record.plan.target.servers


def explained(records: Sequence[RunRecord], width: int) -> Iterator[str]:
    """The whole wait of each run that was asked by voice, and what the parts of the last one mean."""
    asked = [record for record in records if is_asked_by_voice(record)]
    if not asked:
        return
    yield ""
    yield "THE WHOLE WAIT, from the end of the question to the first sound of the answer:"
    yield from table(_COLUMNS, [_row(number, record) for number, record in enumerate(asked, 1)], width)
    whole = [record for record in asked if summarise(record).voice_to_voice_ms is not None]
    if whole:
        yield ""
        yield from _in_words(len(asked) if whole[-1] is asked[-1] else asked.index(whole[-1]) + 1, whole[-1], width)


def _row(number: int, record: RunRecord) -> list[str]:
    summary = summarise(record)
    wrong = summary.word_error_rate
    return [
        str(number), outcome(record), ms(summary.voice_to_voice_ms), *map(ms, _parts(summary)),
        MISSING if wrong is None else f"{wrong:.0%}",
    ]  # fmt: skip


def _parts(summary: Summary) -> tuple[float | None, ...]:
    """What the whole wait consists of, in its order."""
    first_byte, speaks = summary.response_ttfb_ms, summary.first.tts_ttfb_ms if summary.first else None
    return (
        summary.endpointing_ms,
        summary.transcription_ms,
        _less(first_byte, speaks),
        speaks,
        _less(summary.response_ttfa_ms, first_byte),
    )


def _less(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else whole - part


def _in_words(number: int, record: RunRecord, width: int) -> Iterator[str]:
    summary = summarise(record)
    parts = _parts(summary)
    yield f"In run {number} a person would have waited {ms(summary.voice_to_voice_ms)}:"
    for length, meaning in zip(parts, _MEANINGS, strict=True):
        yield from wrapped(meaning, width, f"  {ms(length):>7}  ")
    heard = record.turns[0].heard
    if heard is not None and summary.word_error_rate is not None:
        yield f'It understood "{heard.transcript}" of "{heard.said}": {summary.word_error_rate:.0%} of the words wrong.'
    known = [(length, meaning) for length, meaning in zip(parts, _MEANINGS, strict=True) if length is not None]
    if known:
        yield from wrapped(f"{max(known)[1]}.", width, "The longest part: ")
