"""Speech in, speech out, on three servers that others wrote: Whisper, llama.cpp and Piper as one target.

The figures are compared with a recording: what was said and what was answered, each placed on one time line at the
time at which it came by a process between the probe and the server. The silence in it is the wait.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import patience
import pytest
from between import Passed, between, passed
from other_hearing import whisper
from other_speech import piper
from others import llama_server, llama_url
from two_tracks import Piece, silence, write

from probe import delays, whole_wait
from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.measures import TurnMeasures, measure_run, outcome
from probe.plan import new_plan
from probe.record import RunRecord
from probe.timestamps import NS_PER_MS
from probe.words import words

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

SAID = "What is the capital of France?"
PATIENT = {"connect_s": 60, "stt_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 200}
# Where the process in between, or the probe, has to wait for a core, both see other times: the best of so many runs.
RUNS = 4
CLOSE_MS = 25


@dataclass(frozen=True)
class Chain:
    """The three servers, two of them behind a process that notes what comes by."""

    stt: str
    llm: str
    tts: str
    heard: Path
    spoken: Path
    kept: Path


def chain(folder: Path, *options: str) -> Iterator[Chain]:
    names = ("whisper", "llama", "piper")
    for name in names:
        (folder / name).mkdir()
    heard, spoken = folder / "heard.log", folder / "spoken.log"
    whisper_in, llama_in, piper_in = (folder / name for name in names)
    with whisper(whisper_in, *options) as stt, llama_server(llama_in) as llm, piper(piper_in) as tts:
        url = llama_url(llm)
        with between(stt, heard) as noted_stt, between(tts, spoken) as noted_tts:
            yield Chain(noted_stt, f"{url}/v1", noted_tts, heard, spoken, folder / "kept")


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A server that waits for the end of the audio."""
    yield from chain(tmp_path_factory.mktemp("waiting"))


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """A server that finds the end itself, after 0.6 s of silence, and then sends its transcript."""
    yield from chain(tmp_path_factory.mktemp("listening"), "--vad-endpointing", "0.6")


async def run(servers: Chain, **stt: Any) -> RunRecord:
    target = TargetConfig.of(
        llm={"url": servers.llm, "max_tokens": 20}, tts={"url": servers.tts}, stt={"url": servers.stt, **stt},
        limits=PATIENT, objective_ms=100_000, machine="none",
    )  # fmt: skip
    scenario = ScenarioConfig.of(user_turns=[SAID]).record("default")
    plan = new_plan(target.record("chain"), scenario, speech_dir=servers.kept)
    return (await measure(plan, patience.PATIENT)).record


# The recording


def recorded_ms(servers: Chain) -> float:
    """The wait in the recording of the last run."""
    heard = passed(servers.heard)
    transcript = next(event for event in reversed(heard) if event.type == "transcript")
    user = pieces(event for event in heard if event.connection == transcript.connection)
    answer = pieces(event for event in passed(servers.spoken) if event.at > transcript.at)
    path = servers.heard.with_name("recording.wav")
    write(path, user, answer)
    return silence(path).ms


def pieces(events: Iterable[Passed]) -> list[Piece]:
    return [Piece(event.at, event.data["rate"], event.payload) for event in events if event.type == "audio-chunk"]


def own_ms(record: RunRecord) -> float:
    """What the probe itself held the answer up for, which is in the recording and not in its figures."""
    (turn,) = record.turns
    held_up = delays.before_each_audio(turn.chunks)
    return (whole_wait.question_delay(turn) + (held_up[0] if held_up else 0)) / NS_PER_MS


def of_the_turn(record: RunRecord) -> TurnMeasures:
    assert outcome(record) in ("ok", "suspect"), record.failure
    (measured,) = measure_run(record)
    return measured


# What is measured


async def test_the_wait_is_the_silence_in_the_recording(waiting: Chain) -> None:
    differences = []
    for _ in range(RUNS):
        record = await run(waiting)
        measured, recorded = of_the_turn(record), recorded_ms(waiting)
        heard = record.turns[0].heard
        assert heard is not None and words(heard.transcript) == words(SAID)
        assert measured.word_error_rate == 0.0
        assert measured.endpointing_ms is None, "the probe knows it"
        parts = (measured.transcription_ms, measured.response_ttfa_ms, measured.voice_to_voice_ms)
        transcription, answered, whole = (part or 0.0 for part in parts)
        assert 20 < transcription < whole
        assert whole == pytest.approx(transcription + answered, abs=1)
        differences.append(whole + own_ms(record) - recorded)
        if abs(differences[-1]) < CLOSE_MS:
            break
    else:
        pytest.fail(f"the recording has other silences: {differences}")


async def test_a_server_that_finds_the_end_itself_is_waited_for(listening: Chain) -> None:
    differences = []
    for _ in range(RUNS):
        record = await run(listening, endpointing="server")
        measured, recorded = of_the_turn(record), recorded_ms(listening)
        heard = record.turns[0].heard
        assert heard is not None and words(heard.transcript) == words(SAID)
        # It says nothing before the transcript: how long it took to find the end is in the transcription.
        assert measured.endpointing_ms is None
        assert 600 - 100 < (measured.transcription_ms or 0) < (measured.voice_to_voice_ms or 0)
        differences.append((measured.voice_to_voice_ms or 0) + own_ms(record) - recorded)
        if abs(differences[-1]) < CLOSE_MS:
            break
    else:
        pytest.fail(f"the recording has other silences: {differences}")
