"""Every latency, defined once: pure functions of the record. Milliseconds; None where a measure does not exist."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from math import fsum
from typing import Any

from probe import audio, delays, playing, whole_wait
from probe.plan import Target
from probe.record import Chunk, Outcome, RunRecord, Turn
from probe.timestamps import milliseconds

# Of these the whole answer came and nothing casts doubt on its figures: only then are they latencies.
TRUSTED: tuple[Outcome, ...] = ("ok", "slow")


@dataclass(frozen=True, slots=True)
class ChunkMeasures:
    """The measures of one chunk. Each is the time between two timestamps, see `measure_chunk`."""

    llm_ttft_ms: float | None = None
    llm_ttfat_ms: float | None = None
    llm_gen_time_ms: float | None = None
    tts_wait_ms: float | None = None
    tts_ttfb_ms: float | None = None
    tts_gen_time_ms: float | None = None
    tts_stream_time_ms: float | None = None
    audio_duration_ms: float | None = None
    combined_ttfb_ms: float | None = None
    probe_delay_ms: float | None = None
    leading_silence_ms: float | None = None
    combined_ttfa_ms: float | None = None
    playout_gap_ms: float | None = None
    underrun_ms: float | None = None
    realtime_factor: float | None = None


@dataclass(frozen=True, slots=True)
class TurnMeasures:
    """A listener's waits in one turn, the speed of the LLM, and each chunk's measures.

    Its speed is known only for an answer from a single request: any other contains waits that we chose.
    """

    response_ttfb_ms: float | None
    response_ttfa_ms: float | None
    chunks: tuple[ChunkMeasures, ...]
    llm_tokens_per_second: float | None = None
    llm_longest_stall_ms: float | None = None
    # Of a target that hears, see `whole_wait`.
    endpointing_ms: float | None = None
    transcription_ms: float | None = None
    voice_to_voice_ms: float | None = None
    word_error_rate: float | None = None
    interrupted_ms: float | None = None


# What a person waits for at the start of a turn, and the three stages that it is made of, in their order.
STAGES = ("combined_ttfb", "llm_ttft", "llm_decode", "tts_ttfb")


@dataclass(frozen=True, slots=True)
class Summary:
    """A run in a few figures. `first` is the first turn's first chunk; averages leave out what does not exist.

    What is a turn's (`response_*`, `llm_tokens_per_second`, `llm_longest_stall_ms`, the whole wait) is the first
    turn's.
    """

    chunks: int
    tokens: int
    audio_ms: float
    wall_time_ms: float | None
    realtime_factor: float | None
    response_ttfb_ms: float | None
    response_ttfa_ms: float | None
    llm_tokens_per_second: float | None
    llm_longest_stall_ms: float | None
    tts_wait_longest_ms: float | None
    playout_gaps: int
    playout_gap_total_ms: float
    playout_gap_longest_ms: float | None
    underruns: int
    underrun_total_ms: float
    first: ChunkMeasures | None
    average: ChunkMeasures
    endpointing_ms: float | None = None
    transcription_ms: float | None = None
    voice_to_voice_ms: float | None = None
    word_error_rate: float | None = None
    interrupted_ms: float | None = None


def elapsed_ms(start: int | None, end: int | None) -> float | None:
    """Time from one timestamp to another, None where one of them is missing."""
    return None if start is None or end is None else milliseconds(end - start)


def measure_turn(turn: Turn) -> TurnMeasures:
    """Measure a turn; the playout clock runs through all its chunks. What is `unknown` of it is left out."""
    measured = []
    played_until: float | None = None
    asked = turn.chunks[0].inference_start if turn.chunks else None
    # Floats hold few nanoseconds of a time since the epoch.
    base = whole_wait.began(turn) if asked is None else asked
    first_sound: float | None = None
    held_up, of_texts = delays.before_each_audio(turn.chunks), delays.of_texts(turn.chunks)
    for n, chunk in enumerate(turn.chunks):
        # As it would have been had the probe held up nothing.
        zero = base + held_up[n]
        frames = chunk.frames
        gap = None if not frames or played_until is None else max(0.0, milliseconds(frames[0][0] - zero - played_until))
        if first_sound is None:
            first_sound = playing.audible_ns(chunk, zero, played_until)
        dry, played_until = playing.played(chunk, zero, played_until)
        every = measure_chunk(chunk, of_texts[n], gap, None if dry is None else milliseconds(dry))
        measured.append(replace(every, **dict.fromkeys(chunk.unknown)))
    rate, stall = (_tokens_per_second(turn), _longest_stall_ms(turn)) if shows_its_pace(turn) else (None, None)
    ttfa = None if first_sound is None or asked is None else milliseconds(first_sound)
    whole = TurnMeasures(_response_ttfb_ms(turn), ttfa, tuple(measured), rate, stall)
    left_out: dict[str, Any] = dict.fromkeys(turn.unknown)
    return replace(whole, **(whole_wait.measures(turn, base, first_sound) | left_out))


def _response_ttfb_ms(turn: Turn) -> float | None:
    heard = [(chunk.tts_first_audio, n) for n, chunk in enumerate(turn.chunks) if chunk.tts_first_audio is not None]
    if not heard or turn.chunks[0].inference_start is None:
        return None
    # Of the first text that is heard: where several are asked for at once, a later one may come before it.
    first_audio, n = heard[0]
    return milliseconds(first_audio - turn.chunks[0].inference_start - delays.before_audio(turn.chunks[: n + 1]))


def runs_freely(turn: Turn) -> bool:
    """Whether the whole answer came from one request: only the first chunk has one."""
    return bool(turn.chunks) and all(chunk.inference_start is None for chunk in turn.chunks[1:])


def shows_its_pace(turn: Turn) -> bool:
    """Whether the pieces of the answer came as the LLM wrote them: an agent shows its text when and as it likes."""
    return runs_freely(turn) and not any(chunk.frames and chunk.tts_text_sent is None for chunk in turn.chunks)


def answer_tokens(turn: Turn) -> int:
    """How many tokens the LLM made, reasoning included: as its server counted them, else the pieces that came."""
    return sum(chunk.token_count for chunk in turn.chunks) if turn.usage_tokens is None else turn.usage_tokens


def _tokens_per_second(turn: Turn) -> float | None:
    first = next((chunk.llm_first_token for chunk in turn.chunks if chunk.llm_first_token is not None), None)
    last = max((chunk.llm_last_token for chunk in turn.chunks if chunk.llm_last_token is not None), default=None)
    took_ms, tokens = elapsed_ms(first, last), answer_tokens(turn)
    return (tokens - 1) * 1000 / took_ms if took_ms is not None and took_ms > 0 and tokens > 1 else None


def _longest_stall_ms(turn: Turn) -> float | None:
    stalls = [chunk.llm_longest_stall for chunk in turn.chunks if chunk.llm_longest_stall is not None]
    return milliseconds(max(stalls)) if stalls else None


def measure_chunk(
    chunk: Chunk,
    text_delay: int | None = None,
    playout_gap_ms: float | None = None,
    underrun_ms: float | None = None,
) -> ChunkMeasures:
    """Measure one chunk.

    Silences as a listener hears them depend on the chunks before it, so they are passed in, as is how long its text
    waited for the probe (in ns, see `delays.of_texts`): without that, as if it were the only one.
    """
    silence = duration = stream_time = gen_time = None
    if chunk.frames and chunk.sample_rate:
        duration = milliseconds(audio.duration_ns(chunk.audio_bytes, chunk.sample_rate))
        stream_time = elapsed_ms(chunk.tts_text_sent, chunk.tts_last_audio)
        gen_time = None if chunk.tts_segment_done is None else elapsed_ms(chunk.tts_text_sent, delays.spoken_at(chunk))
        audible = playing.audible_ns(chunk, chunk.frames[0][0], None)
        silence = None if audible is None else milliseconds(audible)
    handed_on = chunk.llm_done is not None and chunk.tts_text_sent is not None and chunk.segment_end != "merged"
    own = delays.of_texts([chunk])[0] if text_delay is None else text_delay
    delay = milliseconds(own) if handed_on else None
    merged_or_streamed = chunk.segment_end == "merged" or chunk.text_streamed
    ttfb = elapsed_ms(chunk.inference_start, chunk.tts_first_audio)
    if ttfb is not None:
        ttfb -= delay or 0.0
    return ChunkMeasures(
        llm_ttft_ms=elapsed_ms(chunk.inference_start, chunk.llm_first_token),
        llm_ttfat_ms=elapsed_ms(chunk.inference_start, chunk.llm_first_answer_token),
        llm_gen_time_ms=elapsed_ms(chunk.inference_start, chunk.llm_done),
        tts_wait_ms=None if merged_or_streamed else elapsed_ms(chunk.llm_done, chunk.tts_text_sent),
        tts_ttfb_ms=elapsed_ms(chunk.tts_began, chunk.tts_first_audio),
        tts_gen_time_ms=gen_time,
        tts_stream_time_ms=stream_time,
        audio_duration_ms=duration,
        combined_ttfb_ms=ttfb,
        probe_delay_ms=delay,
        leading_silence_ms=silence,
        combined_ttfa_ms=None if ttfb is None or silence is None else ttfb + silence,
        playout_gap_ms=playout_gap_ms,
        underrun_ms=underrun_ms,
        realtime_factor=duration / stream_time if duration is not None and stream_time else None,
    )


def measure_run(record: RunRecord) -> tuple[TurnMeasures, ...]:
    """Measure every turn of a run."""
    return tuple(measure_turn(turn) for turn in record.turns)


def stages_ms(turn: TurnMeasures) -> dict[str, float | None]:
    """How long each of STAGES took at the start of a turn.

    `llm_decode` lasts from the first token to the end of the first chunk. Where the first chunk is spoken by itself,
    the three stages and the handing over of the text (well under 1 ms) make up `combined_ttfb`, which is the turn's.
    An agent has no `llm_decode`: it writes on while it speaks, and the two others make up the whole.
    """
    first = turn.chunks[0] if turn.chunks else ChunkMeasures()
    ttft, generated = first.llm_ttft_ms, first.llm_gen_time_ms
    by_agent = first.tts_ttfb_ms is not None and first.tts_wait_ms is None
    decode = None if ttft is None or generated is None or by_agent else generated - ttft
    return dict(zip(STAGES, (turn.response_ttfb_ms, ttft, decode, first.tts_ttfb_ms), strict=True))


def summarise(record: RunRecord) -> Summary:
    """Fold a run into a few figures.

    Wall time is that of the turns, each from its first inference start to its end: pauses between turns are left out.
    A turn that needed no request begins with the end of the speech that it answers.
    """
    turns = measure_run(record)
    measured = [chunk for turn in turns for chunk in turn.chunks]
    recorded = [chunk for turn in record.turns for chunk in turn.chunks]
    audio_ms = sum(chunk.audio_duration_ms or 0.0 for chunk in measured)
    wall = sum(_turn_time_ms(turn, record.ended) for turn in record.turns) if recorded else None
    underruns = [chunk.underrun_ms for chunk in measured if chunk.underrun_ms]
    gaps = [chunk.playout_gap_ms for chunk in measured if chunk.playout_gap_ms]
    return Summary(
        chunks=len(recorded),
        tokens=sum(answer_tokens(turn) for turn in record.turns),
        audio_ms=audio_ms,
        wall_time_ms=wall,
        realtime_factor=audio_ms / wall if wall and audio_ms else None,
        response_ttfb_ms=turns[0].response_ttfb_ms if turns else None,
        response_ttfa_ms=turns[0].response_ttfa_ms if turns else None,
        llm_tokens_per_second=turns[0].llm_tokens_per_second if turns else None,
        llm_longest_stall_ms=turns[0].llm_longest_stall_ms if turns else None,
        tts_wait_longest_ms=max((each.tts_wait_ms for each in measured if each.tts_wait_ms is not None), default=None),
        playout_gaps=len(gaps),
        playout_gap_total_ms=sum(gaps),
        playout_gap_longest_ms=max(gaps, default=None),
        underruns=len(underruns),
        underrun_total_ms=sum(underruns),
        first=measured[0] if measured else None,
        average=average(measured),
        **({name: getattr(turns[0], name) for name in whole_wait.NAMES} if turns else {}),
    )


def longest_silence_ms(summary: Summary) -> float:
    """The longest time for which a listener heard nothing once the speech had begun: between chunks, or inside them."""
    return max(summary.playout_gap_longest_ms or 0.0, summary.underrun_total_ms)


def _turn_time_ms(turn: Turn, ended: int) -> float:
    if not turn.chunks:
        return 0.0
    return elapsed_ms(turn.chunks[0].inference_start or whole_wait.began(turn) or None, turn.done or ended) or 0.0


def reasoned(measured: ChunkMeasures) -> bool:
    """Whether the answer began later than the tokens did, because the model reasoned first."""
    return measured.llm_ttfat_ms is not None and measured.llm_ttfat_ms != measured.llm_ttft_ms


def average(measured: Iterable[ChunkMeasures]) -> ChunkMeasures:
    """Mean of each measure over the chunks that have it."""
    chunks = list(measured)
    values = {
        f.name: [v for chunk in chunks if (v := getattr(chunk, f.name)) is not None] for f in fields(ChunkMeasures)
    }
    # Not `statistics`, which takes every start of the probe 2 ms.
    return ChunkMeasures(**{name: fsum(each) / len(each) if each else None for name, each in values.items()})


def outcome(record: RunRecord) -> Outcome:
    """How the run ended. A failure outweighs a doubt, a doubt outweighs a number."""
    return outcome_and_turns(record)[0]


def outcome_and_turns(record: RunRecord) -> tuple[Outcome, tuple[TurnMeasures, ...]]:
    """How the run ended, and its turns as measured for that; none where its figures are no latencies."""
    if record.skipped is not None:
        return "skipped", ()
    if record.failure is not None:
        return "failed", ()
    if record.doubts:
        return "suspect", ()
    turns = measure_run(record)
    return "slow" if any(is_slow(turn, record.plan.target) for turn in turns) else "ok", turns


def judged_ms(turn: TurnMeasures, target: Target) -> float | None:
    """What the objective is about, in one turn, as `objective_measure` says."""
    judged: float | None = getattr(turn, f"{target.objective_measure}_ms")
    return judged


def is_slow(turn: TurnMeasures, target: Target) -> bool:
    """Whether a turn began later than the objective. Audio in which nothing can be heard never begins."""
    judged = judged_ms(turn, target)
    return turn.response_ttfb_ms is not None if judged is None else judged > target.objective_ms
