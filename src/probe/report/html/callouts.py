"""What took the time, in sentences: a stall is found without a look at a picture."""

from collections.abc import Iterator, Mapping, Sequence

from probe.blame import NAMES
from probe.plan import Role
from probe.record import RunRecord
from probe.report.html.figures import milliseconds, percent
from probe.report.stages import Kind, Stage, TurnStages

# What a listener notices, and how many silences are named one by one.
_NOTICED_MS = 50
_MOST_SILENCES = 3
# So long a pause between two tokens is none of a model's pace.
_STALL_MS = 300
_WAITS: Mapping[Kind, str] = {
    "endpointing": "for the {stt} to find the end of the speech",
    "transcribing": "for the {stt}'s transcript",
    "connect": "for the connection to the {server} server",
    "llm_first": "for the {llm}'s first token",
    "reasoning": "while the model reasoned before it answered",
    "llm_rest": "while the {llm} wrote the rest of the text",
    "queue": "for the {tts}, which was not free",
    "tts_first": "for the {tts}'s first audio",
    "audio": "for the end of the {tts}'s audio",
    "own": "for the probe itself, which is in no measure",
}
# Before the question.
_OF_SPEECH: tuple[Kind, ...] = ("endpointing", "transcribing")
# Of these something had come, only not their end.
_ENDLESS: tuple[Kind, ...] = ("llm_rest", "audio")


def sentences(record: RunRecord, turns: Sequence[TurnStages]) -> list[str]:
    """The longest wait first, then the silences that a listener heard, and where the LLM stopped."""
    return [*_longest(record, turns), *_silences(record, turns), *_stalls(turns)]


def _longest(record: RunRecord, turns: Sequence[TurnStages]) -> Iterator[str]:
    waits = [(each, stages) for stages in turns for each in _waits(stages)]
    if not waits:
        return
    longest, stages = max(waits, key=lambda wait: wait[0].ms)
    text = f"The longest wait was {milliseconds(longest.ms)}, {_where(longest, stages, turns)}{_what(longest, record)}"
    if not longest.over:
        yield f"{text}. {'It did not come' if longest.kind in _ENDLESS else 'Nothing came'}."
        return
    share = _share_of_first_byte(longest, stages)
    unheard = " A listener did not notice it: speech was still playing." if _was_unheard(longest, stages) else ""
    yield f"{text}{share}.{unheard}"
    first = turns[0]
    if stages is not first or not share:
        yield from _to_first_byte(record, first, turns)


def _to_first_byte(record: RunRecord, stages: TurnStages, turns: Sequence[TurnStages]) -> Iterator[str]:
    """What took most of the first response, where something else took longer later on."""
    wait, its = _wait(stages), [*_first_chunks(stages)]
    if wait and its:
        longest = max(its, key=lambda each: each.ms)
        of = "the first response" if len(turns) > 1 else "the response"
        what = "byte" if stages.turn.heard is None else "sound"
        since = "To" if stages.turn.heard is None else "From the end of the speech to"
        yield (
            f"{since} the first {what} of {of} it took {milliseconds(wait)}, of that {milliseconds(longest.ms)}"
            f" {_what(longest, record)}."
        )


def _wait(stages: TurnStages) -> float | None:
    """Until a listener heard something, in ms: since the end of the speech where there was one, else the first byte."""
    return stages.measured.response_ttfb_ms if stages.turn.heard is None else stages.measured.voice_to_voice_ms


def _first_chunks(stages: TurnStages) -> Iterator[Stage]:
    """What the first byte was waited for."""
    yield from (each for each in _waits(stages) if _counts(each))


def _counts(stage: Stage) -> bool:
    """Whether it is a part of the first wait; the probe's own delay is in no measure."""
    return stage.kind in _OF_SPEECH or (stage.chunk_num == 1 and stage.kind != "own")


def _waits(stages: TurnStages) -> Iterator[Stage]:
    """What something was waited for. Text that is written while it is spoken already holds nothing up."""
    for of_chunk in (stages.hearing, stages.connects, *stages.chunks):
        spoken = min((each.start for each in of_chunk if each.kind == "tts_first"), default=None)
        for each in of_chunk:
            beside = each.kind == "llm_rest" and each.over and spoken is not None and each.end > spoken
            plays = each.kind == "audio" and each.over
            if each.kind in _WAITS and not beside and not plays:
                yield each


def _share_of_first_byte(stage: Stage, stages: TurnStages) -> str:
    wait = _wait(stages)
    if not wait or not _counts(stage) or stage.ms >= wait:
        return ""
    to = "to the first byte" if stages.turn.heard is None else "from the end of the speech to the first sound"
    return f": {percent(stage.ms / wait)} of the {milliseconds(wait)} {to}"


def _was_unheard(stage: Stage, stages: TurnStages) -> bool:
    """Whether speech or its beginning played all the while."""
    heard = [each for each in stages.heard if each.kind in {"heard", "silence"}]
    silent = any(
        each.start < stage.end and each.end > stage.start
        for each in stages.heard
        if each.kind not in {"heard", "silence"}
    )
    return bool(heard) and not silent and heard[0].start <= stage.start and heard[-1].end >= stage.end


def _what(stage: Stage, record: RunRecord) -> str:
    servers = record.plan.target.servers
    names = {role: NAMES["agent"] if "agent" in servers else f"{NAMES[role]} server" for role in _ROLES}
    of = next((name for role, name in NAMES.items() if role == stage.text), "")
    return _WAITS[stage.kind].format(server=of, **names)


_ROLES: tuple[Role, ...] = ("stt", "llm", "tts")


def _where(stage: Stage, stages: TurnStages, turns: Sequence[TurnStages]) -> str:
    of_turn = f" of turn {stages.turn.turn_num}" if len(turns) > 1 else ""
    if stage.kind in _OF_SPEECH:
        return f"in turn {stages.turn.turn_num}, " if of_turn else ""
    if stage.chunk_num is None:
        return f"before turn {stages.turn.turn_num}, " if of_turn else ""
    return f"in chunk {stage.chunk_num}{of_turn}, " if of_turn or len(stages.turn.chunks) > 1 else ""


def _silences(record: RunRecord, turns: Sequence[TurnStages]) -> Iterator[str]:
    found = [
        (each, stages)
        for stages in turns
        for each in stages.heard
        if each.kind in {"gap", "underrun"} and each.ms >= _NOTICED_MS
    ]
    longest = sorted(found, key=lambda silence: -silence[0].ms)[:_MOST_SILENCES]
    for each, stages in longest:
        around, why = _around(each, stages, turns), _why(each, stages, record)
        yield f"A listener heard nothing for {milliseconds(each.ms)} {around}{why}."
    if len(found) > len(longest):
        yield f"There were {len(found) - len(longest)} more silences, none of them longer."


def _around(silence: Stage, stages: TurnStages, turns: Sequence[TurnStages]) -> str:
    of_turn = f" of turn {stages.turn.turn_num}" if len(turns) > 1 else ""
    if silence.chunk_num is None:
        return f"at the end{of_turn}"
    where = "within" if silence.kind == "underrun" else "before" if silence.over else "in place of"
    return f"{where} chunk {silence.chunk_num}{of_turn}"


def _why(silence: Stage, stages: TurnStages, record: RunRecord) -> str:
    if silence.kind == "underrun":
        return ": its audio came later than it plays"
    cause = _cause(silence, stages, record)
    return f": {cause}" if cause else ""


def _cause(gap: Stage, stages: TurnStages, record: RunRecord) -> str:
    """The stage of the chunk that was missing which took most of the silence."""
    its = [
        stage
        for chunk, of_chunk in zip(stages.turn.chunks, stages.chunks, strict=True)
        if chunk.chunk_num == gap.chunk_num
        for stage in of_chunk
        if stage.kind in _WAITS and (stage.kind != "audio" or not stage.over)
    ]
    shares = [(min(each.end, gap.end) - max(each.start, gap.start), each) for each in its]
    longest, stage = max(shares, key=lambda share: share[0], default=(0, gap))
    return f"most of it {_what(stage, record)}" if longest > 0 else ""


def _stalls(turns: Sequence[TurnStages]) -> Iterator[str]:
    for stages in turns:
        stall = stages.measured.llm_longest_stall_ms
        if stall is not None and stall >= _STALL_MS:
            where = f" in turn {stages.turn.turn_num}" if len(turns) > 1 else ""
            yield f"Between two tokens{where} there were {milliseconds(stall)} once."
