"""A record without any word that was said, asked or answered: what a stranger may see of a run."""

from dataclasses import replace

from probe.record import RunRecord, Turn
from probe.report.format import counted
from probe.transcription import Transcription


def without_words(record: RunRecord) -> RunRecord:
    """The same run; in place of each text stands how long it was. Names, addresses and messages of ours stay."""
    scenario = record.plan.scenario
    quiet = replace(
        scenario,
        system_prompt=_length(scenario.system_prompt),
        user_turns=tuple(map(_length, scenario.user_turns)),
    )
    return replace(
        record,
        plan=replace(record.plan, scenario=quiet),
        turns=tuple(map(_turn, record.turns)),
        said=tuple(f"a server's words: {_length(each)}" for each in record.said),
        transcription=None if record.transcription is None else _transcription(record.transcription),
    )


def _turn(turn: Turn) -> Turn:
    chunks = tuple(replace(chunk, text=_length(chunk.text), pcm=b"") for chunk in turn.chunks)
    heard = turn.heard and replace(turn.heard, transcript=_length(turn.heard.transcript), said=None)
    return replace(turn, user=_length(turn.user), chunks=chunks, heard=heard)


def _transcription(found: Transcription) -> Transcription:
    turns = (replace(each, transcript=_length(each.transcript)) for each in found.turns)
    return replace(found, turns=tuple(turns), said=tuple(map(_length, found.said)))


def _length(text: str) -> str:
    return f"[{counted(len(text), 'character')}]" if text else ""
