"""Answers that are transcribed after their run, over real sockets, by a scripted recogniser."""

import asyncio
from dataclasses import replace

import patience
import pytest

from probe import intelligibility
from probe.config import ScenarioConfig, TargetConfig
from probe.config.intelligibility import IntelligibilityConfig
from probe.measurement import measure
from probe.measures import outcome
from probe.plan import new_plan
from probe.record import RunRecord
from probe.reference.faults import (
    Drop,
    LlmScript,
    ScriptedLlm,
    ScriptedTts,
    Wait,
    llm,
    refusing_port,
)
from probe.reference.faults.wyoming import Event
from probe.reference.faults.wyoming_hearing import HearingScript, ScriptedHearing, transcript
from probe.timestamps import milliseconds
from probe.transcription import Transcription

PATIENT = {"connect_s": 30, "stt_s": 30, "llm_s": 30, "tts_s": 30, "run_s": 60}


async def run(tts_url: str, *texts: str) -> RunRecord:
    """A run whose answers are these texts, one each turn."""
    turns = tuple((llm.last_chunk(f" {text}"),) for text in texts)
    async with ScriptedLlm(LlmScript(turns=turns)) as llm_server:
        target = TargetConfig.of(
            llm={"url": llm_server.url}, tts={"url": tts_url}, limits=PATIENT, objective_ms=100_000
        )
        scenario = ScenarioConfig.of(turns=len(texts), turn_pause_s=0.0)
        plan = new_plan(target.record("spoken"), scenario.record("default"))
        return (await measure(plan, patience.PATIENT)).record


async def transcribed(record: RunRecord, url: str, timeout_s: float = 60.0) -> Transcription:
    chosen = IntelligibilityConfig.of(stt={"url": url}, timeout_s=timeout_s)
    recogniser = intelligibility.recogniser_of(chosen, record.plan.target.name)
    assert recogniser is not None
    found = (await intelligibility.at_once(record, recogniser, asyncio.Event())).transcription
    assert found is not None
    return found


async def test_each_turn_is_compared_as_a_whole_and_the_figures_stay_as_they_are() -> None:
    script = HearingScript(answers=((transcript("why did the unicorn"),), (transcript("cross a the road"),)))
    async with ScriptedTts() as tts_server, ScriptedHearing(script) as stt:
        record = await run(tts_server.url, "Why did the unicorn?", "Cross the road.")
        found = await transcribed(record, stt.url)
    assert outcome(record) == "ok", record.failure
    assert [(each.words, each.errors) for each in found.turns] == [(4, 0), (3, 1)]
    assert found.word_error_ratio == pytest.approx(1 / 7)
    assert (found.protocol, found.url, found.mishap) == ("wyoming", stt.url, None)
    assert found.started >= record.ended, "after the run"
    kinds = [each.json["type"] for each in stt.log.received("event")]
    assert kinds == ["transcribe", "audio-start", "audio-stop"] * 2
    sent_ms = sum(len(piece.data) for piece in stt.log.received("audio")) / 2 / 16
    heard_ms = sum(1000 * chunk.audio_bytes / 2 / (chunk.sample_rate or 1) for t in record.turns for chunk in t.chunks)
    assert sent_ms == pytest.approx(heard_ms + 4 * 300, abs=2), "all of the audio, between silences"
    took_ms = milliseconds(found.ended - found.started)
    assert replace(record, transcription=found).turns == record.turns and took_ms > 0


@pytest.mark.parametrize(
    ("script", "stage", "reason"),
    [
        (HearingScript(answers=((Wait(60),),)), "stt", "run_deadline"),
        (HearingScript(answers=((Drop(),),)), "stt", "closed"),
        (
            HearingScript(answers=((Event("error", {"text": "no model of yours", "code": "x"}),),)),
            "stt",
            "server_error",
        ),
        (HearingScript(answers=((Event("transcript", {"text": 5}),),)), "stt", "malformed"),
        (HearingScript(on_accept=(Drop(),)), "stt", "closed"),
    ],
    ids=["late", "closed", "error", "malformed", "gone"],
)
async def test_each_mishap_has_a_reason_and_the_run_stays_as_it_was(
    script: HearingScript, stage: str, reason: str
) -> None:
    async with ScriptedTts() as tts_server:
        record = await run(tts_server.url, "Why did the unicorn?")
    async with ScriptedHearing(script) as stt:
        found = await transcribed(record, stt.url, timeout_s=3.0 if reason == "run_deadline" else 60.0)
    assert found.mishap is not None
    assert (found.mishap.stage, found.mishap.reason) == (stage, reason)
    assert found.turns == () and found.word_error_ratio is None
    assert "no model of yours" not in found.mishap.detail, "the server's words are in `said`"
    assert outcome(replace(record, transcription=found)) == "ok"


async def test_a_recogniser_that_is_not_there_is_a_mishap_of_the_stage_connect() -> None:
    async with ScriptedTts() as tts_server, ScriptedHearing() as stt:
        record, gone = await run(tts_server.url, "Why did the unicorn?"), stt.url
    found = await transcribed(record, gone)
    assert found.mishap is not None and (found.mishap.stage, found.mishap.reason) == ("connect", "refused")


async def test_secrets_of_the_address_are_nowhere() -> None:
    async with ScriptedTts() as tts_server:
        record = await run(tts_server.url, "Why did the unicorn?")
    with refusing_port() as port:
        found = await transcribed(record, f"http://me:hunter2@127.0.0.1:{port}/v1?key=hunter3")
    assert found.mishap is not None and (found.mishap.stage, found.mishap.reason) == ("connect", "refused")
    assert "hunter" not in replace(record, transcription=found).to_json()


async def test_whoever_stops_it_waits_for_nothing() -> None:
    async with ScriptedTts() as tts_server, ScriptedHearing(HearingScript(answers=((Wait(60),),))) as stt:
        record = await run(tts_server.url, "Why did the unicorn?")
        recogniser = intelligibility.recogniser_of(IntelligibilityConfig.of(stt={"url": stt.url}), "spoken")
        stop = asyncio.Event()
        assert recogniser is not None
        waiting = asyncio.ensure_future(intelligibility.at_once(record, recogniser, stop))
        while not stt.log.received("audio"):  # noqa: ASYNC110 - the log of a server has no event
            await asyncio.sleep(0.01)
        stop.set()
        assert await asyncio.wait_for(waiting, 30) == record
