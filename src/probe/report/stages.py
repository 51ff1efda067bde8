"""What took the time of a turn: every stage of each chunk, and what a listener hears of it, as spans on one axis."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from probe import delays, whole_wait
from probe.audio import playout
from probe.measures import ChunkMeasures, TurnMeasures
from probe.plan import Target
from probe.playing import audible_ns
from probe.record import Chunk, Connect, RunRecord, Turn
from probe.timestamps import NS_PER_MS, milliseconds

Kind = Literal[
    "speaking", "endpointing", "transcribing", "connect", "llm_first", "reasoning", "llm_rest", "queue", "tts_first",
    "audio", "own",
    "waiting", "silence", "heard", "gap", "underrun",
]  # fmt: skip
# In words, as a legend has them.
MEANING: Mapping[Kind, str] = {
    "speaking": "the person speaks",
    "endpointing": "STT: until it finds the end of the speech",
    "transcribing": "STT: waiting for the transcript",
    "connect": "connecting",
    "llm_first": "LLM: waiting for the first token",
    "reasoning": "LLM: reasoning before the answer",
    "llm_rest": "LLM: rest of the chunk's text",
    "queue": "the text waits: TTS is not free",
    "tts_first": "TTS: waiting for the first audio",
    "audio": "TTS: audio arrives",
    "own": "the probe's own delay, in no measure",
    "waiting": "the listener waits",
    "silence": "silence at the beginning of the audio",
    "heard": "the listener hears speech",
    "gap": "the listener hears nothing",
    "underrun": "the listener hears nothing",
}
# Nothing shorter is a stage: it is how long the handing over takes.
_LEAST_OWN_NS = NS_PER_MS // 10


@dataclass(frozen=True, slots=True)
class Stage:
    """What something was, from when to when (epoch nanoseconds), of which chunk; `over`: whether it came to its end.

    Where it did not, `end` is when nobody waited any longer.
    """

    kind: Kind
    start: int
    end: int
    chunk_num: int | None = None
    over: bool = True
    # Of `connect`: to which server.
    text: str = ""

    @property
    def ms(self) -> float:
        return milliseconds(self.end - self.start)


@dataclass(frozen=True, slots=True)
class TurnStages:
    """A turn's stages: connections, those of each chunk, and what a listener hears.

    `zero` is when the wait begins: the turn's request, or the end of the speech that comes before it. `hearing` are
    the stages of that speech, none where the target does not hear.
    """

    turn: Turn
    measured: TurnMeasures
    zero: int
    connects: Sequence[Stage]
    chunks: Sequence[Sequence[Stage]]
    heard: Sequence[Stage]
    hearing: Sequence[Stage] = ()

    def every(self) -> Iterator[Stage]:
        yield from self.hearing
        yield from self.connects
        for each in self.chunks:
            yield from each
        yield from self.heard


def of_run(record: RunRecord, measured: Sequence[TurnMeasures]) -> list[TurnStages]:
    """The stages of each turn; `measured` are the turns' measures. Without a turn, those of the connections alone."""
    if not record.turns and record.connects:
        nothing = TurnMeasures(None, None, ())
        return [TurnStages(Turn(1, "", ()), nothing, record.started, connections(record), (), ())]
    return [
        _of_turn(record, turn, each, _connects(record, number))
        for number, (turn, each) in enumerate(zip(record.turns, measured, strict=True))
    ]


def connections(record: RunRecord) -> list[Stage]:
    """Every attempt to connect."""
    return [_connect(each, record.ended) for each in record.connects]


def _connect(each: Connect, ended: int) -> Stage:
    end = ended if each.end is None else each.end
    return Stage("connect", each.start, max(end, each.start), over=each.end is not None, text=each.server)


def _connects(record: RunRecord, number: int) -> list[Stage]:
    """Those before and during a turn, since the end of the turn before it."""
    turns = record.turns
    since = None if number == 0 else turns[number - 1].done
    until = turns[number].done if number + 1 < len(turns) else None
    return [
        each
        for each in connections(record)
        if (since is None or each.start >= since) and (until is None or each.start < until)
    ]


def _of_turn(record: RunRecord, turn: Turn, measured: TurnMeasures, connects: Sequence[Stage]) -> TurnStages:
    given_up = _given_up(record, turn)
    own = delays.of_texts(turn.chunks)
    asked = [whole_wait.asked(turn), *(chunk.inference_start for chunk in turn.chunks[1:])]
    each = zip([None, *turn.chunks], turn.chunks, own, asked, strict=False)
    chunks = [[*_of_chunk(*one, given_up)] for one in each]
    zero = whole_wait.began(turn) or (turn.chunks[0].began if turn.chunks else record.started)
    hearing = [*_hearing(turn, given_up, record.plan.target)]
    return TurnStages(turn, measured, zero, connects, chunks, [*_heard(turn, measured, zero, given_up)], hearing)


def _hearing(turn: Turn, given_up: int, target: Target) -> Iterator[Stage]:
    """The speech as it is played, and what its server does until the question is asked, or it has its transcript."""
    heard = turn.heard
    if heard is None or heard.speech_start is None:
        return
    end = heard.speech_end
    # Cut short where the server was done with it before it was over.
    yield Stage("speaking", heard.speech_start, max(heard.speech_start, given_up if end is None else end))
    if end is None:
        return
    yield from _understanding(turn, end, given_up, target)
    asking = whole_wait.question_since(turn)
    if asking is not None and (own := whole_wait.question_delay(turn)) >= _LEAST_OWN_NS:
        yield Stage("own", asking, asking + own)


def _understanding(turn: Turn, end: int, given_up: int, target: Target) -> Iterator[Stage]:
    stopped, understood = (
        (None, None) if turn.heard is None else (turn.heard.speech_stopped, turn.heard.transcript_done)
    )
    if stopped is not None:
        yield Stage("endpointing", end, max(end, stopped))
    elif understood is None and target.option("stt", "endpointing") == "server" and not turn.answered:
        yield Stage("endpointing", end, max(end, given_up), over=False)
        return
    late = turn.heard is not None and turn.heard.stopped_late is not None
    if late or (understood is None and not whole_wait.is_transcribed(target)):
        return
    since = end if stopped is None else max(end, stopped)
    until = given_up if understood is None else understood
    yield Stage("transcribing", since, max(since, until), over=understood is not None)


def _given_up(record: RunRecord, turn: Turn) -> int:
    """Until when what never came was waited for."""
    failure = record.failure
    if turn.done is not None:
        return turn.done
    return record.ended if failure is None or failure.turn_num != turn.turn_num else failure.at


def _of_chunk(before: Chunk | None, chunk: Chunk, of_text: int, asked: int | None, given_up: int) -> Iterator[Stage]:
    """Its stages; `of_text` is how long its text waited for the probe alone, `asked` since when it is thought about."""
    number = chunk.chunk_num
    own = 0 if before is None else delays.of_request(before, chunk)
    if own >= _LEAST_OWN_NS and chunk.inference_start is not None:
        yield Stage("own", chunk.inference_start - own, chunk.inference_start, number)
    yield from _writing(chunk, asked, given_up)
    if chunk.tts_text_sent is not None:
        yield from _handed_over(chunk, of_text, chunk.tts_text_sent)
    if chunk.segment_end != "merged":
        yield from _speaking(chunk, asked, given_up)


def _writing(chunk: Chunk, asked: int | None, given_up: int) -> Iterator[Stage]:
    number, first = chunk.chunk_num, chunk.llm_first_token
    if asked is not None and first is None and chunk.tts_first_audio is None:
        yield Stage("llm_first", asked, max(asked, given_up), number, over=False)
    if first is None:
        return
    if asked is not None:
        yield Stage("llm_first", asked, first, number)
    answer = chunk.llm_first_answer_token
    if answer is not None and answer > first:
        yield Stage("reasoning", first, answer, number)
    began, done = max(first, answer or first), chunk.llm_done
    yield Stage("llm_rest", began, max(began, given_up if done is None else done), number, over=done is not None)


def _speaking(chunk: Chunk, asked: int | None, given_up: int) -> Iterator[Stage]:
    number, sent, first = chunk.chunk_num, chunk.tts_began, chunk.tts_first_audio
    if sent is None and first is not None:
        # An agent that shows no text: since its request, or what it answers without one.
        sent = asked
    if sent is not None:
        yield Stage("tts_first", sent, max(sent, given_up if first is None else first), number, over=first is not None)
    if first is not None:
        # Frames without a segment's end, after which the run was given up: that was waited for.
        last = given_up if chunk.tts_segment_done is None else chunk.tts_last_audio
        yield Stage("audio", first, max(first, last or first), number, over=chunk.tts_segment_done is not None)


def _handed_over(chunk: Chunk, of_text: int, sent: int) -> Iterator[Stage]:
    own = of_text if of_text >= _LEAST_OWN_NS else 0
    if not chunk.text_streamed and chunk.llm_done is not None and sent - own - chunk.llm_done >= _LEAST_OWN_NS:
        yield Stage("queue", chunk.llm_done, sent - own, chunk.chunk_num)
    if own:
        yield Stage("own", sent - own, sent, chunk.chunk_num)


def _heard(turn: Turn, measured: TurnMeasures, zero: int, given_up: int) -> Iterator[Stage]:
    """What a listener hears: the wait for it, speech, and the silences, frame after frame as they are played."""
    if not turn.chunks and (turn.heard is None or turn.heard.speech_end is None):
        return
    asked, until = turn.chunks[0].began if turn.chunks else zero, None
    for chunk, each in zip(turn.chunks, measured.chunks, strict=True):
        if not chunk.frames or not chunk.sample_rate:
            continue
        frames = [(at - asked, size) for at, size in chunk.frames]
        played = [*playout(frames, chunk.sample_rate, until)]
        start = played[0][0]
        if until is None:
            at = asked + max(0, round(start))
            own = _own_ns(at - asked, measured.response_ttfb_ms) + whole_wait.question_delay(turn)
            yield from _waited(zero, at, own, chunk.chunk_num)
        elif start > until:
            yield from _gap(asked, until, start, chunk, each)
        # Where nobody listened (the run ended before), it is taken to be speech.
        audible = start if chunk.sound is None else audible_ns(chunk, asked, until)
        yield from _segment(asked, played, audible, chunk.chunk_num)
        until = played[-1][1]
    if until is None:
        yield Stage("waiting", zero, max(zero, given_up), over=False)
    elif turn.done is None and given_up - asked > until:
        # The answer was not over: somebody still listened.
        missing = next((each.chunk_num for each, _ in turn.spoken() if not each.frames), None)
        yield Stage("gap", asked + round(until), given_up, missing, over=False)


def _own_ns(took: int, theirs: float | None) -> int:
    """Of the wait for the first byte, what the probe itself took. `theirs` is the measure, in ms."""
    return 0 if theirs is None else took - round(theirs * NS_PER_MS)


def _waited(since: int, heard_at: int, own: int, chunk_num: int) -> Iterator[Stage]:
    """The wait for the first byte; what the probe itself took of it comes last."""
    if own < _LEAST_OWN_NS:
        yield Stage("waiting", since, heard_at, chunk_num)
        return
    yield Stage("waiting", since, heard_at - own, chunk_num)
    yield Stage("own", heard_at - own, heard_at, chunk_num)


def _gap(zero: int, until: float, start: float, chunk: Chunk, measured: ChunkMeasures) -> Iterator[Stage]:
    """A silence between two chunks; the part of it that the probe itself caused is no server's."""
    begin, end = zero + round(until), zero + round(start)
    theirs = measured.playout_gap_ms
    own = 0 if theirs is None else max(0, end - begin - round(theirs * NS_PER_MS))
    if own >= _LEAST_OWN_NS:
        yield Stage("own", begin, begin + own, chunk.chunk_num)
        begin += own
    if end > begin:
        yield Stage("gap", begin, end, chunk.chunk_num)


def _segment(
    zero: int, played: Sequence[tuple[float, float]], audible: float | None, chunk_num: int
) -> Iterator[Stage]:
    """A segment's speech, without the silence it begins with, and where it ran dry."""
    for start, end in _joined(played):
        heard = end if audible is None else min(max(start, audible), end)
        if heard > start:
            yield Stage("silence", zero + round(start), zero + round(heard), chunk_num)
        if end > heard:
            yield Stage("heard", zero + round(heard), zero + round(end), chunk_num)
    for (_, end), (start, _) in pairwise(_joined(played)):
        yield Stage("underrun", zero + round(end), zero + round(start), chunk_num)


def _joined(played: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Frames that play back to back as one."""
    found = [played[0]]
    for start, end in played[1:]:
        if start <= found[-1][1]:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return found
