"""What a run adds to the latency histograms, in seconds. Pure: what is scraped and what is back-filled share it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from probe.measures import TRUSTED, ChunkMeasures, TurnMeasures, measure_run, outcome
from probe.record import RunRecord

Position = Literal["first", "next"]
Answering = Literal["pausing", "free_running", "streamed", "agent"]
EndOfSpeech = Literal["server", "probe"]
POSITIONS: tuple[Position, ...] = ("first", "next")

# Histogram (voice_probe_*_seconds) and the measure that it is made of.
MEASURES = {
    "combined_ttfb": "combined_ttfb_ms",
    "combined_ttfa": "combined_ttfa_ms",
    "llm_ttft": "llm_ttft_ms",
    "llm_ttfat": "llm_ttfat_ms",
    "llm_generation": "llm_gen_time_ms",
    "tts_wait": "tts_wait_ms",
    "tts_ttfb": "tts_ttfb_ms",
    "tts_generation": "tts_gen_time_ms",
    "audio_duration": "audio_duration_ms",
    "playout_gap": "playout_gap_ms",
    "probe_delay": "probe_delay_ms",
}
# The same of a target that hears, once in a turn.
OF_SPEECH = {
    "voice_to_voice": "voice_to_voice_ms",
    "endpointing": "endpointing_ms",
    "transcription": "transcription_ms",
    "interrupted": "interrupted_ms",
}
# Of these only where a person speaks into the answer.
_OF_INTERRUPTION = ("interrupted",)
# What a listener waits for at the start of a turn is the turn's, whichever chunk made the first sound.
_OF_THE_TURN = {"combined_ttfb": "response_ttfb_ms", "combined_ttfa": "response_ttfa_ms"}

# A histogram and a position: one that a target can fill, or not.
Series = Collection[tuple[str, Position]]
EVERY: Series = frozenset((name, position) for name in MEASURES for position in POSITIONS)
# How a target's LLM server answers. One that stops after each chunk does not mark reasoning; where it runs
# freely, no chunk but the first is asked for.
_FROM_A_REQUEST = ("combined_ttfb", "combined_ttfa", "llm_ttft", "llm_ttfat", "llm_generation")
# An agent's answer is one chunk, and what it hands over to its own voice nobody sees.
_OF_AN_AGENT = (
    "combined_ttfb",
    "combined_ttfa",
    "llm_ttft",
    "llm_ttfat",
    "llm_generation",
    "tts_ttfb",
    "audio_duration",
)
SERIES: Mapping[Answering, Series] = {
    "pausing": frozenset((name, position) for name, position in EVERY if name != "llm_ttfat"),
    "free_running": frozenset(
        (name, position) for name, position in EVERY if position == "first" or name not in _FROM_A_REQUEST
    ),
    "agent": frozenset((name, "first") for name in _OF_AN_AGENT),
    # An answer that the TTS server cuts is one chunk, whose text waits for nothing.
    "streamed": frozenset((name, position) for name, position in EVERY if position == "first" and name != "tts_wait"),
}
# What a target that hears has beyond these: by who finds the end of the speech, the server, or the probe that knows it.
HEARING: Mapping[EndOfSpeech, Series] = {
    "server": frozenset((name, "first") for name in OF_SPEECH if name not in _OF_INTERRUPTION),
    "probe": frozenset((name, "first") for name in ("voice_to_voice", "transcription")),
}


def fillable(
    answering: Answering, hearing: EndOfSpeech | None, *, interrupted: bool = False, says_end: bool = True
) -> Series:
    """The histograms that a target can fill; `hearing` is None where it does not hear.

    `interrupted`: a person speaks into its answers. `says_end`: whether a server that finds the end says when that was.
    """
    known = SERIES[answering]
    if answering == "agent" and hearing == "server":
        # It answers by itself: there is no request.
        known = frozenset((name, position) for name, position in known if name not in _FROM_A_REQUEST)
    spoken_into = _OF_INTERRUPTION if interrupted else ()
    of_speech = () if hearing is None else HEARING[hearing if says_end else "probe"]
    return {*known, *of_speech, *((name, POSITIONS[0]) for name in spoken_into)}


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one histogram."""

    name: str
    position: Position
    seconds: float


def observations(record: RunRecord) -> Iterator[Observation]:
    """What a run adds: for each turn its start (`first`), and each further chunk that made sound (`next`).

    A failed, skipped or suspect run adds nothing, nor does a cold one, whose latencies are those of loading a model.
    Neither does a measure that does not exist: a first chunk whose text was spoken with the next one has no TTS
    latencies.
    """
    if outcome(record) not in TRUSTED or record.cold:
        return
    for turn in measure_run(record):
        yield from _of_speech(turn)
        if turn.chunks:
            yield from _first(turn)
        for chunk in turn.chunks[1:]:
            if chunk.audio_duration_ms is not None:
                yield from _next(chunk)


def _of_speech(turn: TurnMeasures) -> Iterator[Observation]:
    for name, measure in OF_SPEECH.items():
        if (value := getattr(turn, measure)) is not None:
            yield Observation(name, "first", value / 1000)


def _first(turn: TurnMeasures) -> Iterator[Observation]:
    for name, measure in MEASURES.items():
        source = turn if name in _OF_THE_TURN else turn.chunks[0]
        value = getattr(source, _OF_THE_TURN.get(name, measure))
        if value is not None:
            yield Observation(name, "first", value / 1000)


def _next(chunk: ChunkMeasures) -> Iterator[Observation]:
    for name, measure in MEASURES.items():
        value = getattr(chunk, measure)
        if value is not None:
            yield Observation(name, "next", value / 1000)
