"""Whole runs with an agent that hears: it answers by script, and logs what came when."""

import base64
from array import array
from pathlib import Path
from typing import Any

import patience
import pytest

from probe import audio
from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.metrics.observations import observations
from probe.plan import new_plan
from probe.record import RunRecord
from probe.reference.faults import Wait
from probe.reference.faults.connection import Step
from probe.reference.faults.log import Entry
from probe.reference.faults.realtime import (
    COMMITTED,
    CREATED,
    STOPPED,
    RealtimeScript,
    ScriptedRealtime,
    answer,
    beta_session,
    done,
    sounds,
    transcript,
    words,
)
from probe.reference.faults.speech import samples
from probe.timestamps import milliseconds

PATIENT = {"connect_s": 30, "stt_s": 30, "llm_s": 30, "tts_s": 30, "run_s": 60}
SAID = "Tell me a joke about a unicorn."
RECORDED_HZ, SENT_HZ = 44_100, 24_000
# From the server's write to our kernel's stamp, where nothing holds the event loop up.
TRANSIT_MS = 20.0


@pytest.fixture(name="recording")
def _recording(tmp_path: Path) -> Path:
    """Half a second of sound between silences."""
    tone = [6000 if n // 60 % 2 else -6000 for n in range(RECORDED_HZ // 2)]
    mono = array("h", [*[0] * (RECORDED_HZ // 10), *tone, *[0] * (RECORDED_HZ // 10)])
    path = tmp_path / "said.wav"
    audio.write_wav(path, mono.tobytes(), RECORDED_HZ)
    return path


async def run(
    agent: ScriptedRealtime, recording: Path, *, turns: int = 1, scenario: dict[str, Any] | None = None, **options: Any
) -> tuple[RunRecord, AnchoredClock, float]:
    """Its record, its clock, and by how much the server's log may differ from it, in milliseconds."""
    clock = AnchoredClock.anchored_now()
    target = TargetConfig.of(
        agent={"url": agent.url, "transcription_model": "whisper", **options},
        limits=PATIENT,
        objective_ms=100_000,
        objective_measure="voice_to_voice",
    )
    said = {"turns": turns, "turn_pause_s": 0.0, "user_turns": [SAID], "user_audio": [str(recording)]}
    plan = new_plan(target.record("agent"), ScenarioConfig.of(**(said | (scenario or {}))).record("default"))
    done = await measure(plan, patience.PATIENT, clock=clock)
    return done.record, clock, TRANSIT_MS + 1000 * done.lag_s


def sent(agent: ScriptedRealtime, kind: str) -> list[Entry]:
    """What the server wrote of one kind."""
    return [each for each in agent.log.sent("text") if each.json["type"] == kind]


def heard(agent: ScriptedRealtime) -> list[tuple[Entry, bytes]]:
    """The audio that came, piece by piece."""
    came = [each for each in agent.log.received("text") if each.json["type"] == "input_audio_buffer.append"]
    return [(each, base64.b64decode(each.json["audio"])) for each in came]


def asked(agent: ScriptedRealtime) -> list[str]:
    kinds = [each.json["type"] for each in agent.log.received("text")]
    return [kind for kind in kinds if kind != "input_audio_buffer.append"]


async def test_a_server_that_finds_the_end_answers_by_itself_and_each_part_is_what_its_log_says(
    recording: Path,
) -> None:
    script = RealtimeScript(
        silence_ms=200,
        on_silence=(STOPPED, COMMITTED, Wait(0.05), transcript(f" {SAID.lower()}")),
        answers=(answer(first=0.03, leading_silence_ms=100),),
    )
    async with ScriptedRealtime(script) as agent:
        record, clock, transit_ms = await run(agent, recording, endpointing="server")
    assert outcome(record) == "ok", (record.failure, record.doubts)
    (turn,), (measured,) = record.turns, measure_run(record)
    pieces = heard(agent)
    assert {len(pcm) for _, pcm in pieces} == {2 * SENT_HZ // 50}, "20 ms"
    last = max(n for n, (_, pcm) in enumerate(pieces) if any(pcm))
    assert any(pieces[last][1][-64:]), "one of them ends with the last voiced sample"
    assert turn.heard is not None and turn.heard.speech_end is not None
    end = turn.heard.speech_end
    assert end <= clock.at(pieces[last][0].at_ns), "our write, and then its read"
    stopped = clock.at(sent(agent, "input_audio_buffer.speech_stopped")[0].at_ns)
    understood = clock.at(sent(agent, "conversation.item.input_audio_transcription.completed")[0].at_ns)
    first = clock.at(sent(agent, "response.output_audio.delta")[0].at_ns)
    assert measured.endpointing_ms == pytest.approx(milliseconds(stopped - end), abs=transit_ms)
    assert (measured.endpointing_ms or 0) >= 200 - transit_ms
    assert measured.transcription_ms == pytest.approx(milliseconds(understood - stopped), abs=transit_ms)
    assert measured.voice_to_voice_ms == pytest.approx(milliseconds(first - end) + 100, abs=transit_ms)
    assert turn.heard.transcript == SAID.lower() and measured.word_error_rate == 0.0
    assert asked(agent) == ["session.update"], "no request: it answers by itself"
    assert turn.chunks[0].inference_start is measured.response_ttfb_ms is None
    assert {each.name for each in observations(record)} >= {"voice_to_voice", "endpointing", "transcription"}
    session = agent.log.received("text")[0].json["session"]["audio"]["input"]
    assert session == {
        "format": {"type": "audio/pcm", "rate": SENT_HZ},
        "turn_detection": {"type": "server_vad"},
        "transcription": {"model": "whisper"},
    }


async def test_a_server_that_is_told_the_end_is_asked_at_once_and_has_no_endpointing(recording: Path) -> None:
    script = RealtimeScript(answers=((Wait(0.05), transcript(SAID), *answer(first=0.05)),))
    async with ScriptedRealtime(script) as agent:
        record, clock, transit_ms = await run(agent, recording, turns=2, endpointing="probe")
    assert outcome(record) == "ok", (record.failure, record.doubts)
    pieces = heard(agent)
    voiced = [n for n, (_, pcm) in enumerate(pieces) if any(pcm)]
    assert any(pieces[-1][1][-64:]) and voiced[-1] == len(pieces) - 1, "no silence behind the speech"
    assert asked(agent) == ["session.update", *["input_audio_buffer.commit", "response.create"] * 2]
    for turn, measured, understood, first in zip(
        record.turns,
        measure_run(record),
        sent(agent, "conversation.item.input_audio_transcription.completed"),
        sent(agent, "response.output_audio.delta")[:: len(sent(agent, "response.output_audio.delta")) // 2],
        strict=True,
    ):
        assert turn.heard is not None and turn.heard.speech_end is not None
        assert turn.heard.speech_stopped is measured.endpointing_ms is None
        took = milliseconds(clock.at(understood.at_ns) - turn.heard.speech_end)
        assert measured.transcription_ms == pytest.approx(took, abs=transit_ms)
        waited = milliseconds(clock.at(first.at_ns) - turn.heard.speech_end)
        assert measured.voice_to_voice_ms == pytest.approx(waited, abs=transit_ms)
        assert measured.response_ttfb_ms is not None and measured.response_ttfb_ms <= (measured.voice_to_voice_ms or 0)


async def test_a_server_of_before_is_told_in_its_words(recording: Path) -> None:
    script = RealtimeScript(
        on_connected=(beta_session(),),
        on_update=(beta_session("updated"),),
        silence_ms=100,
        on_silence=(STOPPED, COMMITTED, transcript(SAID)),
        answers=(answer(dialect="beta"),),
    )
    async with ScriptedRealtime(script) as agent:
        record, *_ = await run(agent, recording, endpointing="server", turn_detection={"silence_duration_ms": 100})
    assert outcome(record) == "ok", (record.failure, record.doubts)
    session = agent.log.received("text")[0].json["session"]
    assert session["turn_detection"] == {"type": "server_vad", "silence_duration_ms": 100}
    assert session["input_audio_transcription"] == {"model": "whisper"}


async def test_an_answer_that_is_spoken_into_is_measured_until_the_last_of_its_audio(recording: Path) -> None:
    script = RealtimeScript(
        silence_ms=200,
        on_silence=(STOPPED, COMMITTED, transcript(SAID)),
        # Three seconds of sound, as fast as it is heard.
        answers=(answer(ms=3000, gap=0.1),),
        stops_after=0.25,
    )
    async with ScriptedRealtime(script) as agent:
        record, clock, transit_ms = await run(
            agent, recording, turns=2, scenario={"interrupt_after_ms": 500}, endpointing="server"
        )
    assert outcome(record) == "ok", (record.failure, record.doubts)
    ends = sent(agent, "response.done")
    pieces = heard(agent)
    for turn, measured, end in zip(record.turns, measure_run(record), ends, strict=True):
        spoken = turn.interruption
        assert spoken is not None and spoken.stopped
        first = turn.chunks[0].tts_first_audio
        assert first is not None
        assert milliseconds(spoken.start - first) >= 500 - 1, "so much of it was heard"
        # The piece with the first sound behind the start of the answer was written then, and read a little later.
        into = next(each for each, pcm in pieces if clock.at(each.at_ns) > first and any(pcm))
        assert spoken.start <= clock.at(into.at_ns)
        last = max(each.at_ns for each in sent(agent, "response.output_audio.delta") if each.at_ns < end.at_ns)
        assert measured.interrupted_ms == pytest.approx(milliseconds(clock.at(last) - spoken.start), abs=transit_ms)
        assert (measured.interrupted_ms or 0) >= 250 - 100 - transit_ms
        assert measured.voice_to_voice_ms is not None
    truncated = [each.json for each in agent.log.received("text") if each.json["type"] == "conversation.item.truncate"]
    assert [each["audio_end_ms"] for each in truncated] == [500, 500]
    assert asked(agent).count("input_audio_buffer.clear") == 2


async def test_an_answer_that_was_whole_before_it_was_spoken_into_is_not_interrupted(recording: Path) -> None:
    script = RealtimeScript(silence_ms=100, on_silence=(STOPPED, COMMITTED, transcript(SAID)))
    async with ScriptedRealtime(script) as agent:
        record, *_ = await run(agent, recording, scenario={"interrupt_after_ms": 200}, endpointing="server")
    assert outcome(record) == "ok", (record.failure, record.doubts)
    assert record.turns[0].interruption is None
    assert measure_run(record)[0].interrupted_ms is None


async def test_a_server_that_speaks_on_is_a_failure(recording: Path) -> None:
    script = RealtimeScript(
        silence_ms=100, on_silence=(STOPPED, COMMITTED, transcript(SAID)), on_interruption=None,
        answers=(answer(ms=2000, gap=0.1),),
    )  # fmt: skip
    async with ScriptedRealtime(script) as agent:
        record, *_ = await run(agent, recording, scenario={"interrupt_after_ms": 100}, endpointing="server")
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason, record.failure.server) == ("stt", "not_interrupted", "agent")
    assert measure_run(record)[0].interrupted_ms is None


async def test_a_server_that_takes_silence_for_an_interruption_is_a_failure(recording: Path) -> None:
    cancelled = done("cancelled", status_details={"type": "cancelled", "reason": "turn_detected"})
    script = RealtimeScript(
        silence_ms=100, on_silence=(STOPPED, COMMITTED, transcript(SAID)),
        answers=((CREATED, words(" Hello"), *sounds(samples(400, 0, SENT_HZ)), Wait(0.1), cancelled),),
    )  # fmt: skip
    async with ScriptedRealtime(script) as agent:
        record, *_ = await run(agent, recording, scenario={"interrupt_after_ms": 30_000}, endpointing="server")
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason, record.failure.server) == ("stt", "false_trigger", "agent")


@pytest.mark.parametrize("before", [(CREATED,), (transcript(SAID),)], ids=["answers", "transcript"])
async def test_an_end_that_is_announced_late_is_in_no_figure(recording: Path, before: tuple[Step, ...]) -> None:
    """It has found the end before it answers or transcribes: endpointing must not be in its transcription."""
    said = () if before != (CREATED,) else (transcript(SAID),)
    script = RealtimeScript(
        silence_ms=200,
        on_silence=(),
        answers=((Wait(0.1), *before, Wait(0.05), STOPPED, COMMITTED, *said, *answer()[before == (CREATED,) :]),),
    )
    async with ScriptedRealtime(script) as agent:
        record, clock, transit_ms = await run(agent, recording, endpointing="server")
    assert outcome(record) == "ok", (record.failure, record.doubts)
    (turn,), (measured,) = record.turns, measure_run(record)
    assert turn.heard is not None and turn.heard.speech_end is not None and turn.heard.transcript_done is not None
    late = clock.at(sent(agent, "input_audio_buffer.speech_stopped")[0].at_ns)
    assert milliseconds((turn.heard.stopped_late or 0) - late) == pytest.approx(0, abs=transit_ms)
    assert turn.heard.speech_stopped is measured.endpointing_ms is measured.transcription_ms is None
    assert (measured.voice_to_voice_ms or 0) > 300 and measured.word_error_rate == 0.0
    assert not {each.name for each in observations(record)} & {"endpointing", "transcription"}
