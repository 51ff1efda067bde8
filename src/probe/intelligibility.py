"""Has a recogniser write down the answer of a run that is over; compares that with the text that TTS was sent."""

import asyncio
import sys
import threading
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from probe.clock import AnchoredClock, Clock
from probe.config.intelligibility import IntelligibilityConfig
from probe.engine.transcribe import Dictation, transcribed
from probe.plan import Limits, Plan, ServerPlan, Target
from probe.protocols.base import Terms
from probe.protocols.registry import chosen
from probe.record import RunRecord, Turn
from probe.spoken_words import compared, spoken_words
from probe.transcription import AnswerTranscript, Mishap, Transcription, Untranscribed
from probe.transport.connector import Connector, SocketConnector
from probe.transport.threads import in_a_thread
from probe.urls import without_secrets
from probe.user_audio.pieces import resampled_in_pieces

# Before and after an answer: recognisers want to hear where speech begins and ends.
_SILENCE_MS = 300
# Of the whole answer. No recogniser is asked to write down more, and no more is kept for one.
LONGEST_S = 120.0
_BYTES = 2


@dataclass(frozen=True, slots=True)
class Recogniser:
    """An STT server, and for how long it may work on one answer."""

    server: ServerPlan
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was said in one turn: the text, and its audio segment by segment with their rates, in Hz."""

    turn_num: int
    text: str
    segments: tuple[tuple[bytes | bytearray, int], ...]


def recogniser_of(chosen: IntelligibilityConfig, target: str) -> Recogniser | None:
    """What transcribes a target's answers; None where nothing does."""
    if chosen.stt is None or not chosen.wants(target):
        return None
    return Recogniser(chosen.stt.record(), chosen.timeout_s)


async def at_once(record: RunRecord, recogniser: Recogniser, stop: asyncio.Event) -> RunRecord:
    """The run with what is understood of its answer; as it was where it has none, or `stop` is set before."""
    if not (spoken := answers(record)):
        return record
    clock = AnchoredClock.anchored_now()
    work = asyncio.ensure_future(transcription(record, spoken, recogniser, SocketConnector(clock), clock))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([work, stopping], return_when=asyncio.FIRST_COMPLETED)
        return replace(record, transcription=work.result()) if work.done() else record
    finally:
        work.cancel()
        stopping.cancel()
        await asyncio.wait([work, stopping])


def answers(record: RunRecord) -> tuple[Spoken, ...]:
    """The whole text and the whole audio of each turn: which chunk a word is heard in, servers decide.

    Only a run that had its whole answer has any, and only while it has its audio. An agent's answer that was cut short
    has none: its text is ahead of its sound.
    """
    if record.failure is not None or record.skipped is not None:
        return ()
    whole = (_spoken(turn) for turn in record.turns if _is_whole(turn))
    return tuple(each for each in whole if each.segments and spoken_words(each.text))


def _is_whole(turn: Turn) -> bool:
    """Whether the sound went on to its end, and was not ended: by a person who spoke into it, or by the probe."""
    return all(chunk.tts_segment_done is not None for chunk in turn.chunks if chunk.pcm)


def _spoken(turn: Turn) -> Spoken:
    text = "".join(chunk.text for chunk in turn.chunks)
    segments = ((chunk.pcm, chunk.sample_rate) for chunk in turn.chunks if chunk.pcm)
    return Spoken(turn.turn_num, text, tuple((pcm, rate) for pcm, rate in segments if rate))


def seconds(spoken: Iterable[Spoken]) -> float:
    """How long all of it lasts."""
    return sum(len(pcm) / _BYTES / rate for each in spoken for pcm, rate in each.segments)


def mishap(recogniser: Recogniser, at: int, stage: Untranscribed, reason: str, detail: str) -> Transcription:
    """An answer that was not transcribed."""
    return _begun(recogniser, at, at, Mishap(stage, reason, detail))


def too_long(spoken: Iterable[Spoken]) -> str | None:
    """Why nobody is asked to write this down; None where somebody is."""
    lasts = seconds(spoken)
    return f"the answer lasts {lasts:.0f} s; at most {LONGEST_S:g} s are transcribed" if lasts > LONGEST_S else None


async def transcription(
    record: RunRecord, spoken: tuple[Spoken, ...], recogniser: Recogniser, connector: Connector, clock: Clock
) -> Transcription:
    """What is understood of an answer. Raises nothing but CancelledError, and then leaves the server alone."""
    started = clock.now()
    if (why := too_long(spoken)) is not None:
        return mishap(recogniser, started, "wait", "too_long", why)
    plan = _plan(record.plan, recogniser)
    protocols = chosen(plan.target)
    rate = protocols.of["stt"].converse(Terms(recogniser.server, "", recogniser.timeout_s)).input_rate
    # In the keys of what threads do, too: another attempt with this answer must not get what this one left behind.
    given_up = threading.Event()
    turns: tuple[AnswerTranscript, ...] = ()
    try:
        async with asyncio.timeout(recogniser.timeout_s):
            speech = [
                await in_a_thread((given_up, each.turn_num), partial(_speech, each, rate, given_up)) for each in spoken
            ]
            done = await transcribed(speech, plan, protocols, connector, clock)
            if done.stage is None:
                # With 500 words on either side it takes 0.1 s, of each turn.
                compare = partial(_compared, spoken, done.transcripts, given_up)
                turns = await in_a_thread((given_up, "compared"), compare)
    except TimeoutError:
        done = Dictation((), "stt", "run_deadline", f"the transcript was not there within {recogniser.timeout_s:g} s")
    except Exception as error:  # noqa: BLE001 - a mistake of ours is a mishap of the transcription, no end of anything
        done = Dictation((), "internal", "error", type(error).__name__)
    finally:
        given_up.set()
    if done.stage is not None:
        found = _begun(
            recogniser, started, clock.now(), Mishap(_stage(done), done.reason, without_secrets(done.detail))
        )
        return replace(found, said=done.said)
    return replace(_begun(recogniser, started, clock.now(), None), turns=turns)


def _begun(recogniser: Recogniser, started: int, ended: int, wrong: Mishap | None) -> Transcription:
    server = recogniser.server
    return Transcription(started, ended, server.protocol, without_secrets(server.url), mishap=wrong)


def _stage(done: Dictation) -> Untranscribed:
    match done.stage:
        case "connect" | "stt":
            return done.stage
    return "internal"


def _plan(plan: Plan, recogniser: Recogniser) -> Plan:
    """What the recogniser is reached by: in the run's own trace."""
    limit = recogniser.timeout_s
    limits = Limits(min(limit, plan.target.limits.connect_s), limit, limit, limit, limit, stt_s=limit)
    target = Target(plan.target.name, {"stt": recogniser.server}, plan.target.objective_ms, limits)
    return replace(plan, target=target, speech=())


def _compared(
    spoken: tuple[Spoken, ...], transcripts: tuple[str, ...], given_up: threading.Event
) -> tuple[AnswerTranscript, ...]:
    """In a thread; it ends early where nobody wants it any more."""
    return tuple(
        AnswerTranscript(each.turn_num, text, *compared(each.text, text))
        for each, text in zip(spoken, transcripts, strict=True)
        if not given_up.is_set()
    )


def _speech(spoken: Spoken, wanted: int, given_up: threading.Event) -> bytes:
    """A turn's audio at one rate, between silences. In a thread; it ends early where nobody wants it any more."""
    silence = bytes(_BYTES * (wanted * _SILENCE_MS // 1000))
    found = bytearray(silence)
    for part in _parts(spoken, wanted):
        if given_up.is_set():
            break
        found += part
    found += silence
    return bytes(found)


def _parts(spoken: Spoken, wanted: int) -> Iterator[bytes]:
    for pcm, rate in spoken.segments:
        samples = array("h")
        samples.frombytes(memoryview(pcm)[: len(pcm) - len(pcm) % _BYTES])
        if sys.byteorder == "big":
            samples.byteswap()
        for piece in resampled_in_pieces(samples, rate, wanted):
            if sys.byteorder == "big":
                piece.byteswap()
            yield piece.tobytes()
