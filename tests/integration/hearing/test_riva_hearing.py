"""Whole runs with a Riva server that hears: it answers by script, and logs what came when."""

from array import array
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import patience
import pytest

from probe import audio, delays, whole_wait
from probe.cli import lookout, survey
from probe.clock import AnchoredClock
from probe.config import Config, ScenarioConfig, TargetConfig
from probe.daemon import questions
from probe.measurement import measure
from probe.measures import TurnMeasures, measure_run, outcome
from probe.plan import ServerPlan, new_plan
from probe.protocols.inquiries import Sign
from probe.protocols.registry import STT
from probe.record import RunRecord, ServerIdentity
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, Wait, llm
from probe.reference.faults.http2_steps import OK
from probe.reference.faults.riva_hearing import RECOGNIZE, Result, RivaHearingScript, ScriptedRivaHearing
from probe.timestamps import milliseconds

PATIENT = {"connect_s": 30, "stt_s": 30, "llm_s": 30, "tts_s": 30, "run_s": 60}
SAID = "Tell me a joke about a unicorn."
RATE = 16_000
FINDS_END: Mapping[str, Any] = {"endpointing": "server", "stop_history_ms": 200}


@pytest.fixture(name="recording")
def _recording(tmp_path: Path) -> Path:
    """Half a second of sound between silences."""
    tone = [6000 if n // 40 % 2 else -6000 for n in range(RATE // 2)]
    path = tmp_path / "said.wav"
    audio.write_wav(path, array("h", [*[0] * (RATE // 10), *tone, *[0] * (RATE // 10)]).tobytes(), RATE)
    return path


async def run(
    script: RivaHearingScript, recording: Path, *, turns: int = 1, **options: Any
) -> tuple[RunRecord, ScriptedRivaHearing, ScriptedTts, AnchoredClock]:
    clock = AnchoredClock.anchored_now()
    answer = LlmScript(turns=((llm.last_chunk(" Here is one."),),))
    async with ScriptedRivaHearing(script) as stt, ScriptedLlm(answer) as llm_server, ScriptedTts() as tts:
        target = TargetConfig.of(
            llm={"url": llm_server.url}, tts={"url": tts.url}, stt={"url": stt.url, **options}, limits=PATIENT,
            objective_ms=100_000,
        )  # fmt: skip
        scenario = ScenarioConfig.of(turns=turns, turn_pause_s=0.0, user_turns=[SAID], user_audio=[str(recording)])
        plan = new_plan(target.record("hearing"), scenario.record("default"))
        done = await measure(plan, patience.PATIENT, clock=clock)
        return done.record, stt, tts, clock


def of_the_turn(record: RunRecord) -> TurnMeasures:
    assert outcome(record) == "ok", record.failure
    (measured,) = measure_run(record)
    return measured


async def test_it_is_sent_audio_as_it_is_spoken_and_its_final_results_are_the_transcript(recording: Path) -> None:
    answer = (Result(" Tell me"), Wait(0.05), Result("a joke about a unicorn. "), Wait(0.05), OK)
    script = RivaHearingScript(answers=(answer,))
    record, stt, tts, clock = await run(script, recording, headers={"function-id": "f"})
    measured, heard = of_the_turn(record), record.turns[0].heard
    assert heard is not None and heard.speech_end is not None and heard.transcript_done is not None
    assert (heard.transcript, measured.word_error_rate) == (SAID, 0.0)
    (head,) = stt.log.received("http")
    assert head.data.split()[1].decode() == RECOGNIZE
    assert (head.headers["function-id"], head.headers["te"]) == ("f", "trailers")
    pieces = stt.log.received("audio")
    sound = b"".join(piece.data for piece in pieces)
    assert {len(piece.data) for piece in pieces} == {640}, "20 ms at 16 kHz"
    assert any(sound[-32:]) and not any(sound[:3200]), "it ends with the last voiced sample, and begins in silence"
    took_ms = milliseconds(pieces[-1].at_ns - pieces[0].at_ns)
    assert took_ms == pytest.approx(20 * (len(pieces) - 1), abs=milliseconds(heard.longest_late_ns or 0) + 30)
    (ended,) = [clock.at(each.at_ns) for each in stt.log.sent("end")]
    assert heard.speech_stopped is measured.endpointing_ms is None
    assert milliseconds(heard.transcript_done - ended) == pytest.approx(0, abs=20), "once nothing more can come"
    assert measured.transcription_ms == pytest.approx(milliseconds(ended - heard.speech_end), abs=20)
    first_sound = clock.at(tts.log.sent("binary")[0].at_ns)
    assert measured.voice_to_voice_ms is not None
    assert measured.voice_to_voice_ms + _held_up_ms(record) == pytest.approx(
        milliseconds(first_sound - heard.speech_end), abs=20
    )


async def test_a_server_that_finds_the_end_is_sent_silence_until_its_final_result(recording: Path) -> None:
    understood = (Result("Tell me", final=False), Wait(0.05), Result(SAID))
    # What it takes to end the call is nobody's wait.
    script = RivaHearingScript(silence_ms=200, on_silence=understood, on_end=(Wait(0.3), OK))
    record, stt, _, clock = await run(script, recording, **FINDS_END)
    measured, heard = of_the_turn(record), record.turns[0].heard
    assert heard is not None and heard.transcript == SAID
    assert heard.speech_stopped is measured.endpointing_ms is None, "it has no event for that alone"
    final = clock.at(stt.log.sent("result")[-1].at_ns)
    received = stt.log.received("audio")
    last_voiced = max(n for n, piece in enumerate(received) if any(piece.data))
    heard_at = clock.at(received[last_voiced].at_ns)
    # The server's log has the times of its own reads and writes: between those and ours is what the loop took.
    assert measured.transcription_ms == pytest.approx(milliseconds(final - heard_at), abs=20)
    assert (measured.transcription_ms or 0) >= 250 - 20
    assert len(received) - last_voiced >= 200 // 20, "silence followed"


async def test_each_turn_is_a_call_on_a_connection_of_its_own(recording: Path) -> None:
    cases: list[tuple[RivaHearingScript, Mapping[str, Any]]] = [
        (RivaHearingScript(), {}),
        (RivaHearingScript(silence_ms=200, on_end=(Wait(5), OK)), FINDS_END),
    ]
    for script, options in cases:
        record, stt, _, _ = await run(script, recording, turns=2, **options)
        assert outcome(record) == "ok", record.failure
        calls = stt.log.received("settings")
        assert len(calls) == len({each.connection for each in calls}) == 2
        # Each call is ended, and none given up.
        assert len(stt.log.received("ended")) == 2


async def test_a_pause_that_it_takes_for_the_end_cuts_people_off(tmp_path: Path) -> None:
    tone = [6000 if n // 40 % 2 else -6000 for n in range(RATE // 4)]
    path = tmp_path / "hesitant.wav"
    audio.write_wav(path, array("h", [*tone, *[0] * (RATE // 2), *tone]).tobytes(), RATE)
    script = RivaHearingScript(silence_ms=200, on_silence=(Result("Tell me"),))
    record, _, _, _ = await run(script, path, **FINDS_END)
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("stt", "ended_early")
    (turn,), (measured,) = record.turns, measure_run(record)
    assert turn.heard is not None and whole_wait.cut_off(turn.heard) is not None
    assert measured.transcription_ms is measured.voice_to_voice_ms is None
    # Where the probe finds the end, its parts are one transcript.
    rest = (Result("a joke about a unicorn."), OK)
    parts = RivaHearingScript(silence_ms=200, on_silence=(Result("Tell me"),), on_end=rest)
    record, _, _, _ = await run(parts, path)
    assert outcome(record) == "ok", record.failure
    heard = record.turns[0].heard
    assert heard is not None and heard.transcript == SAID


def _held_up_ms(record: RunRecord) -> float:
    """The probe's own time, which is in no figure."""
    (turn,) = record.turns
    held_up = delays.before_each_audio(turn.chunks)
    return milliseconds(whole_wait.question_delay(turn) + (held_up[0] if held_up else 0))


async def test_it_is_found_with_the_model_that_understands_the_language() -> None:
    async with ScriptedRivaHearing() as stt:
        (seen,) = await lookout.look(lookout.to_ask([lookout.Place("127.0.0.1", stt.port)]))
    assert (seen.role, seen.protocol.name, seen.url, seen.cold) == ("stt", "riva", stt.url, False)
    assert seen.sign == Sign(None, "1.3", ("scripted-en", "scripted-es"))


async def test_a_model_that_it_does_not_list_is_wrong() -> None:
    async with ScriptedRivaHearing() as stt, ScriptedLlm() as llm_server, ScriptedTts() as tts:
        stt_table = {"url": stt.url, "model": "scripted-fr"}
        target = TargetConfig.of(llm={"url": llm_server.url}, tts={"url": tts.url}, stt=stt_table, objective_ms=1000)
        found = await survey.survey(Config(targets={"spark": target}))
    (of_stt,) = [each for each in found if each.server == "stt"]
    wrong = [each.text for each in of_stt.findings if each.state == "wrong"]
    assert wrong == ["model: it has no scripted-fr, but scripted-en, scripted-es; set model to one of them"]


async def test_what_it_says_of_itself() -> None:
    async with ScriptedRivaHearing() as stt:
        plan = ServerPlan("riva", stt.url, {"language": "en-US"})
        assert await questions.identity(STT["riva"].identity(plan)) == ServerIdentity("scripted-en", "1.3")
        assert await questions.first(STT["riva"].cold(plan)) is False
        sign = await questions.first(STT["riva"].signs(plan))
        assert sign is not None and sign.models == ("scripted-en", "scripted-es")
