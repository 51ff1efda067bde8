"""A voice that became unintelligible, and is as long and as loud as before: a real recogniser notices it."""

import asyncio
from collections.abc import Iterator

import patience
import pytest
from recogniser import Recogniser, RecognisingServer

from probe import intelligibility
from probe.config import ScenarioConfig, TargetConfig
from probe.config.intelligibility import IntelligibilityConfig
from probe.measurement import measure
from probe.measures import outcome
from probe.plan import new_plan
from probe.record import AudioAnalysis, RunRecord
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, TtsScript, TtsTurn, llm, tts
from probe.reference.faults.audio import RATE, scrambled
from probe.reference.speech.hibari import HibariEngine
from probe.reference.speech.synthesizer import pcm_pieces
from probe.transcription import Transcription

SAID = "Please open the window and close the door, it is cold in here."
PATIENT = {"connect_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 300}
# Decoding what is no speech takes much longer than decoding speech.
PATIENCE_S = 900


def spoken() -> bytes:
    engine = HibariEngine()
    engine.load()
    return b"".join(pcm_pieces(engine, SAID, "aria", "en", RATE))


async def run(pcm: bytes) -> RunRecord:
    script = LlmScript(turns=((llm.last_chunk(SAID),),))
    voice = TtsScript(turns=(TtsTurn(segments=(tts.pcm(pcm),)),))
    async with ScriptedLlm(script) as llm_server, ScriptedTts(voice) as tts_server:
        target = TargetConfig.of(
            llm={"url": llm_server.url}, tts={"url": tts_server.url}, limits=PATIENT, objective_ms=200_000
        )
        plan = new_plan(target.record("t"), ScenarioConfig().record("s"))
        return (await measure(plan, patience.PATIENT)).record


async def understood(record: RunRecord, stt: RecognisingServer) -> Transcription:
    recogniser = intelligibility.recogniser_of(
        IntelligibilityConfig.of(stt={"url": stt.url}, timeout_s=PATIENCE_S), "t"
    )
    assert recogniser is not None
    found = (await intelligibility.at_once(record, recogniser, asyncio.Event())).transcription
    assert found is not None and found.mishap is None, found
    return found


def sounds(record: RunRecord) -> Iterator[AudioAnalysis]:
    return (chunk.sound for turn in record.turns for chunk in turn.chunks if chunk.sound is not None)


async def test_speech_is_understood_and_garbled_speech_is_not_although_nothing_else_shows_it() -> None:
    speech = spoken()
    clear, garbled = await run(speech), await run(scrambled(speech))
    assert (outcome(clear), outcome(garbled)) == ("ok", "ok"), (clear.failure, garbled.failure, garbled.doubts)
    (before,), (after,) = sounds(clear), sounds(garbled)
    assert after.samples == before.samples and after.rms == pytest.approx(before.rms, rel=0.01)
    async with RecognisingServer(Recogniser()) as stt:
        good, bad = await understood(clear, stt), await understood(garbled, stt)
    assert (good.word_error_ratio or 0) <= 0.25, good
    assert (bad.word_error_ratio or 0) >= 0.75, bad
