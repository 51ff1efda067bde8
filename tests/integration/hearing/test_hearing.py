"""Whole runs with a target that hears: its STT server answers by script, and logs what came when."""

from array import array
from itertools import pairwise
from pathlib import Path
from typing import Any

import patience
import pytest

from probe import audio, whole_wait
from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import new_plan
from probe.record import RunRecord
from probe.reference.faults import LlmScript, ScriptedLlm, ScriptedTts, Wait, llm, refusing_port
from probe.reference.faults.wyoming_hearing import HearingScript, ScriptedHearing, transcript
from probe.timestamps import milliseconds

PATIENT = {"connect_s": 30, "stt_s": 30, "llm_s": 30, "tts_s": 30, "run_s": 60}
SAID = "Tell me a joke about a unicorn."
RATE = 44_100
# Between a server's own read or write and ours, where nothing holds the event loop up.
TRANSIT_MS = 20.0


@pytest.fixture(name="recording")
def _recording(tmp_path: Path) -> Path:
    """Half a second of sound in stereo, between silences."""
    tone = [6000 if n // 60 % 2 else -6000 for n in range(RATE // 2)]
    mono = array("h", [*[0] * (RATE // 10), *tone, *[0] * (RATE // 10)])
    path = tmp_path / "said.wav"
    audio.write_wav(path, mono.tobytes(), RATE)
    return path


async def run(
    stt: ScriptedHearing,
    recording: Path | None,
    folder: Path,
    *,
    turns: int = 1,
    said: str = SAID,
    speaker: str | None = None,
    **options: Any,
) -> tuple[RunRecord, ScriptedLlm, AnchoredClock, float]:
    """Its record, the LLM server, its clock, and by how much a server's log may differ from it, in milliseconds."""
    clock = AnchoredClock.anchored_now()
    async with ScriptedLlm(LlmScript(turns=((llm.last_chunk(" Here is one."),),))) as llm_server, ScriptedTts() as tts:
        target = TargetConfig.of(
            llm={"url": llm_server.url},
            tts={"url": tts.url},
            stt={"url": stt.url, **options},
            limits=PATIENT,
            objective_ms=100_000,
            **({} if speaker is None else {"user_speech": {"url": speaker}}),
        )
        recorded: dict[str, Any] = {} if recording is None else {"user_audio": [str(recording)]}
        scenario = ScenarioConfig.of(turns=turns, turn_pause_s=0.0, user_turns=[said], **recorded)
        plan = new_plan(target.record("hearing"), scenario.record("default"), speech_dir=folder)
        done = await measure(plan, patience.PATIENT, clock=clock)
        return done.record, llm_server, clock, TRANSIT_MS + 1000 * done.lag_s


async def test_the_speech_is_played_at_the_pace_of_life_and_its_parts_are_measured(
    recording: Path, tmp_path: Path
) -> None:
    script = HearingScript(answers=((Wait(0.1), transcript(f" {SAID.lower()}")),))
    async with ScriptedHearing(script) as stt:
        record, llm_server, clock, transit_ms = await run(stt, recording, tmp_path)
    assert outcome(record) == "ok", record.failure
    (turn,), (measured,) = record.turns, measure_run(record)
    heard = turn.heard
    assert heard is not None and heard.speech_end is not None and heard.transcript_done is not None
    pieces = stt.log.received("audio")
    sound = b"".join(piece.data for piece in pieces)
    assert {len(piece.data) for piece in pieces} == {640}, "20 ms at 16 kHz"
    assert any(sound[-32:]) and not any(sound[:3200]), "it ends with the last voiced sample, and begins in silence"
    took_ms = milliseconds(pieces[-1].at_ns - pieces[0].at_ns)
    assert took_ms == pytest.approx(
        20 * (len(pieces) - 1), abs=milliseconds(heard.longest_late_ns or 0) + transit_ms + 10
    )
    understood = stt.log.sent("event")[0]
    wrote = clock.at(understood.at_ns)
    assert heard.speech_stopped is measured.endpointing_ms is None
    assert measured.transcription_ms == pytest.approx(milliseconds(wrote - heard.speech_end), abs=transit_ms)
    assert (measured.transcription_ms or 0) >= 100
    assert (heard.transcript, measured.word_error_rate) == (SAID.lower(), 0.0)
    asked = llm_server.log.received("text")[0].json
    assert asked["messages"][-1] == {"role": "user", "content": SAID.lower()}
    assert measured.voice_to_voice_ms == pytest.approx(
        (measured.transcription_ms or 0) + (measured.response_ttfa_ms or 0), abs=0.01
    )


async def test_a_server_that_finds_the_end_is_sent_silence_until_then(recording: Path, tmp_path: Path) -> None:
    script = HearingScript(silence_ms=200, answers=((Wait(0.05), transcript(SAID)),))
    async with ScriptedHearing(script) as stt:
        record, _, clock, transit_ms = await run(stt, recording, tmp_path, endpointing="server")
    assert outcome(record) == "ok", record.failure
    (turn,), (measured,) = record.turns, measure_run(record)
    assert turn.heard is not None and turn.heard.speech_stopped is not None
    stopped, understood = (clock.at(each.at_ns) for each in stt.log.sent("event")[:2])
    last_voiced = max(n for n, piece in enumerate(stt.log.received("audio")) if any(piece.data))
    heard_at = clock.at(stt.log.received("audio")[last_voiced].at_ns)
    # The server's log has the times of its own reads and writes: between those and ours is what the loop took.
    assert measured.endpointing_ms == pytest.approx(milliseconds(stopped - heard_at), abs=transit_ms)
    assert (measured.endpointing_ms or 0) >= 200 - transit_ms
    assert measured.transcription_ms == pytest.approx(milliseconds(understood - stopped), abs=transit_ms)
    kinds = [each.json["type"] for each in stt.log.received("event")]
    assert kinds == ["transcribe", "audio-start", "audio-stop"]


async def test_without_a_recording_the_targets_own_voice_speaks_once(tmp_path: Path) -> None:
    async with ScriptedHearing() as stt:
        record, *_ = await run(stt, None, tmp_path / "kept", turns=2)
    assert outcome(record) == "ok", record.failure
    kept = {path.suffix: path.stat().st_mode & 0o777 for path in _all(tmp_path)}
    assert kept == {"": 0o700, ".wav": 0o600}, "one for both turns, and its owner's alone"
    assert len(record.turns) == 2
    assert len({each.connection for each in stt.log.received("audio")}) == 2, "a connection for each turn"


PAUSED = "Tell me [pause 700ms] a joke about [pause 300ms] a unicorn."


async def test_another_server_speaks_for_the_user_with_pauses_of_exactly_that_length(tmp_path: Path) -> None:
    async with ScriptedHearing() as stt, ScriptedTts() as speaker:
        record, llm_server, *_ = await run(stt, None, tmp_path, said=PAUSED, speaker=speaker.url)
    assert outcome(record) == "ok", record.failure
    texts = [each.json["text"] for each in speaker.log.received("text") if each.json.get("type") == "text"]
    assert texts == ["Tell me", "a joke about", "a unicorn."]
    (turn,) = record.turns
    assert turn.heard is not None
    assert (turn.user, turn.heard.said) == (SAID, SAID), "the words alone"
    (measured,) = measure_run(record)
    assert measured.word_error_rate == 0
    lengths = [milliseconds(each.end - each.start) for each in turn.heard.pauses]
    assert lengths == pytest.approx([700, 300])
    assert record.plan.target.user_speech is not None
    assert PAUSED in record.plan.scenario.user_turns, "the record says what was planned"
    silent = silences(b"".join(piece.data for piece in stt.log.received("audio")))
    assert [each for each in silent if each >= 250] == pytest.approx([700, 300], abs=1)
    assert llm_server.log.received("text")[0].json["messages"][-1]["content"] == SAID


def silences(pcm: bytes, rate: int = 16_000) -> list[float]:
    """How long the digital silences between sounds are, in milliseconds."""
    sounds = [n for n, sample in enumerate(array("h", pcm)) if sample]
    return [(after - before - 1) / rate * 1000 for before, after in pairwise(sounds) if after - before > rate // 20]


async def test_a_server_that_takes_a_pause_for_the_end_cuts_people_off(tmp_path: Path) -> None:
    async with ScriptedHearing(HearingScript(silence_ms=400)) as stt:
        record, *_ = await run(stt, None, tmp_path, said=PAUSED, endpointing="server")
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason) == ("stt", "ended_early")
    (turn,), (measured,) = record.turns, measure_run(record)
    assert measured.endpointing_ms is measured.transcription_ms is measured.voice_to_voice_ms is None
    assert turn.heard is not None
    where = whole_wait.cut_off(turn.heard)
    assert where is not None and where.into_ms is not None
    assert where.pause_ms == pytest.approx(700)
    late = milliseconds(turn.heard.longest_late_ns or 0)
    assert 400 - 20 <= where.into_ms <= 400 + 40 + late, "what was enough for it"


async def test_a_speaker_that_fails_is_no_failure_of_the_target(tmp_path: Path) -> None:
    with refusing_port() as port:
        async with ScriptedHearing() as stt:
            record, *_ = await run(stt, None, tmp_path, speaker=f"ws://127.0.0.1:{port}")
    assert record.failure is not None
    assert (record.failure.stage, record.failure.reason, record.failure.server) == ("internal", "user_audio", None)
    assert "by the server of user_speech (refused)" in record.failure.detail


def _all(folder: Path) -> list[Path]:
    return [*folder.rglob("*")]
