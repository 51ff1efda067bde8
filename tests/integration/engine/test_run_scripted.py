"""Whole runs over real sockets against scripted servers, whose log holds the truth."""

import asyncio
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import macos
import patience
import pytest
from gate import Gate

from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.engine import runner
from probe.measures import measure_run, outcome
from probe.plan import Plan, new_plan
from probe.protocols.registry import chosen
from probe.record import INTERRUPTED, RunRecord
from probe.reference.faults import (
    Drop,
    LlmScript,
    ScriptedLlm,
    ScriptedTts,
    TtsScript,
    TtsTurn,
    Wait,
    llm,
    tts,
)
from probe.report import audio_file, terminal
from probe.transport.connector import SocketConnector

# Only bounds a hang; everything healthy here answers within milliseconds.
PATIENT = {"connect_s": 60, "llm_s": 60, "tts_s": 60, "run_s": 120, "release_s": 20, "hold_s": 20}


LIMITS_ALONE = {name: value for name, value in PATIENT.items() if name != "hold_s"}


def plan(
    llm_url: str, tts_url: str, turns: int = 1, limits: Mapping[str, float] = PATIENT, voice: str = "aria"
) -> Plan:
    target = TargetConfig.of(llm_url=llm_url, tts_url=tts_url, limits=dict(limits), voice=voice)
    return new_plan(target.record("scripted"), ScenarioConfig.of(turns=turns).record("default"))


async def go(planned: Plan, clock: AnchoredClock | None = None, stop: asyncio.Event | None = None) -> RunRecord:
    clock = clock or AnchoredClock.anchored_now()
    most = patience.PATIENT.max_error_ms
    return await runner.run(
        planned, chosen(planned.target), SocketConnector(clock), clock, stop=stop, max_error_ms=most
    )


@pytest.mark.parametrize("generation", ["newer", "older"])
async def test_every_timestamp_is_the_servers_truth(generation: Any) -> None:
    clock = AnchoredClock.anchored_now()
    turn = (llm.chunk("Why did", " the unicorn", first=0.05, gap=0.02), llm.last_chunk(" cross", " it?", first=0.02))
    segments = TtsTurn(segments=(tts.speech(400, first=0.05, gap=0.002), tts.speech(300, first=0.08)))
    # The older server's end of a segment: a machine may well take the default for a pause between two frames.
    limits = PATIENT | {"gap_ms": 600}
    async with (
        ScriptedLlm(LlmScript(turns=(turn,))) as llm_server,
        ScriptedTts(TtsScript(generation=generation, turns=(segments,))) as tts_server,
    ):
        record = await go(plan(llm_server.url, tts_server.url, turns=2, limits=limits), clock)
    assert record.failure is None
    assert outcome(record) == "ok"

    def true(at_ns: int) -> int:
        return clock.wall_ns + at_ns - clock.monotonic_ns

    chunks = [chunk for each in record.turns for chunk in each.chunks]
    requests = [e for e in llm_server.log.received("text") if e.json["action"] in ("start_stream", "continue_stream")]
    texts = [e for e in tts_server.log.received("text") if e.json["type"] == "text"]
    tokens = [e for e in llm_server.log.sent("text") if (e.json or {}).get("type") == "token"]
    ends = [e for e in llm_server.log.sent("text") if (e.json or {}).get("type") in ("paused", "done")]
    frames = tts_server.log.sent("binary")
    assert [len(c.frames) for c in chunks] == [5, 4, 5, 4]
    token_at = frame_at = 0
    for chunk, request, text, end in zip(chunks, requests, texts, ends, strict=True):
        assert chunk.llm_first_token and chunk.llm_done and chunk.tts_text_sent and chunk.tts_last_audio
        assert chunk.began <= true(request.at_ns)
        assert true(tokens[token_at].at_ns) <= chunk.llm_first_token
        assert true(end.at_ns) <= chunk.llm_done <= chunk.tts_text_sent <= true(text.at_ns)
        own = frames[frame_at : frame_at + len(chunk.frames)]
        for (at, size), sent in zip(chunk.frames, own, strict=True):
            assert size == len(sent.data)
            assert true(sent.at_ns) <= at
        token_at += chunk.token_count
        frame_at += len(chunk.frames)
    ends_by = ["marker", "marker"] if generation == "newer" else ["gap", "done"]
    assert [c.segment_end for c in chunks] == ends_by * 2
    assert len([c for c in record.connects if c.server == "tts"]) == (1 if generation == "newer" else 2)


async def test_a_run_on_macos_is_a_run_and_says_that_its_error_bars_are_wider(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may make it doubtful. That a frame was read with others must not, as long as somebody looked."""
    macos.pretend(monkeypatch)
    turn = (llm.last_chunk(" Hello", " there.", first=0.2, gap=0.05),)
    segments = TtsTurn(segments=(tts.speech(300, first=0.1, gap=0.02),))
    async with (
        ScriptedLlm(LlmScript(turns=(turn,))) as llm_server,
        ScriptedTts(TtsScript(turns=(segments,))) as tts_server,
    ):
        record = await go(plan(llm_server.url, tts_server.url, limits=PATIENT))
    assert record.failure is None
    assert record.unstamped > 5
    first = measure_run(record)[0].chunks[0]
    # Late by what held up the loop, and never early.
    assert first.llm_ttft_ms is not None and first.tts_ttfb_ms is not None
    assert first.llm_ttft_ms >= 200 and first.tts_ttfb_ms >= 100
    report = " ".join(" ".join(terminal.report(record, 80)).split())
    assert f"Error bars: wider: {record.unstamped} reads without the kernel's time of arrival" in report


def _texts(server: ScriptedTts) -> list[str]:
    return [entry.json["text"] for entry in server.log.received("text") if entry.json["type"] == "text"]


async def test_a_client_that_goes_on_hears_a_kept_text_as_soon() -> None:
    """Eight words, of an older server that speaks ten: the second text is sent as soon as it is generated."""
    turn = (llm.chunk(" Why did the unicorn cross the wide road", first=0.05), llm.last_chunk(", my dear?", first=0.05))
    script = TtsScript(
        generation="older", target_audio_ms=4000, turns=(TtsTurn(segments=(tts.speech(400, first=0.03),)),)
    )
    async with ScriptedLlm(LlmScript(turns=(turn,))) as llm_server, ScriptedTts(script) as tts_server:
        known = TargetConfig.of(
            llm_url=llm_server.url,
            tts={"url": tts_server.url, "generation": "older", "hold_s": 60},
            limits=LIMITS_ALONE,
        )
        record = await go(new_plan(known.record("scripted"), ScenarioConfig.of(turns=1).record("default")))
    assert (record.failure, outcome(record)) == (None, "ok")
    assert _texts(tts_server) == [" Why did the unicorn cross the wide road", ", my dear?"]
    assert [chunk.segment_end for chunk in record.turns[0].chunks] == ["merged", "done"]
    asked = next(e for e in llm_server.log.received("text") if e.json["action"] == "start_stream")
    truth_ms = (tts_server.log.sent("binary")[0].at_ns - asked.at_ns) / 1e6
    response_ms = measure_run(record)[0].response_ttfb_ms
    assert response_ms is not None
    assert 130 <= response_ms <= truth_ms + 1000, "a machine may be slow"
    assert truth_ms < 30_000, "no text was waited for"


@pytest.mark.parametrize("generation", ["newer", "older"])
async def test_each_stream_that_ends_by_itself_is_followed_by_another(generation: Any) -> None:
    """Three of them in a turn of three texts, and each text's audio is what its own stream sent."""
    chunks = (llm.chunk(" Hello there."), llm.chunk(" How are you?", first=0.3), llm.last_chunk(" Bye.", first=0.3))
    ended = (tts.DONE, Drop()) if generation == "older" else (tts.DONE,)
    after = () if generation == "older" else (tts.SEGMENT_COMPLETE,)
    streams = [TtsTurn(segments=((*tts.speech(ms), *after, Wait(0.2), *ended),), after_segment=()) for ms in (200, 300)]
    script = TtsScript(generation=generation, turns=(*streams, TtsTurn(segments=(tts.speech(400),))))
    async with ScriptedLlm(LlmScript(turns=(chunks,))) as llm_server, ScriptedTts(script) as tts_server:
        record = await go(plan(llm_server.url, tts_server.url))
    assert (record.failure, outcome(record)) == (None, "ok")
    assert _texts(tts_server) == [" Hello there.", " How are you?", " Bye."]
    assert [chunk.audio_bytes for chunk in record.turns[0].chunks] == [44 * ms for ms in (200, 300, 400)]
    assert record.turns[0].stray_audio_bytes == 0
    inits = [entry for entry in tts_server.log.received("text") if entry.json["type"] == "init"]
    assert len(inits) == 3
    assert len([c for c in record.connects if c.server == "tts"]) == (1 if generation == "newer" else 3)


async def test_the_wav_is_what_was_sent(tmp_path: Path) -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        record = await go(plan(llm_server.url, tts_server.url))
    size = audio_file.save(record, tmp_path / "out.wav")
    with wave.open(str(tmp_path / "out.wav")) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 22000)
        pcm = wav.readframes(wav.getnframes())
    assert pcm == b"".join(e.data for e in tts_server.log.sent("binary"))
    assert len(pcm) == size


async def test_a_pause_inside_a_segment_is_not_its_end() -> None:
    burst = tts.speech(200)
    went_on, was_said = Gate(), Gate()
    turn = TtsTurn(segments=((*burst, went_on, *burst), tts.speech(400)))
    slow = (llm.chunk("Why did", " the unicorn"), (was_said, *llm.last_chunk(" cross", " the road?")))
    async with (
        ScriptedLlm(LlmScript(turns=(slow,))) as llm_server,
        ScriptedTts(TtsScript(generation="older", turns=(turn,))) as tts_server,
    ):
        running = asyncio.ensure_future(go(plan(llm_server.url, tts_server.url)))
        # The gap has ended the segment once the next chunk is asked for; only then does the server speak on.
        await llm_server.log.until(lambda entry: entry.kind == "text" and b"continue_stream" in entry.data)
        went_on.opened.set()
        await tts_server.log.until(lambda _: len(tts_server.log.sent("binary")) == 2 * len(burst) // 2)
        was_said.opened.set()
        record = await running
    first, second = record.turns[0].chunks
    assert first.audio_bytes == second.audio_bytes == 17600
    assert (first.late_audio_bytes, second.late_audio_bytes) == (8800, 0)
    assert outcome(record) == "ok"


@pytest.mark.parametrize("seed", range(12))
async def test_an_interrupted_run_leaves_no_slot_taken(seed: int) -> None:
    """The server reads nothing while it generates, and keeps a slot whose client has gone."""
    turn = (llm.chunk(*["na "] * 20, gap=0.02), llm.last_chunk(*["na "] * 20, gap=0.02))
    async with ScriptedLlm(LlmScript(turns=(turn,))) as llm_server, ScriptedTts() as tts_server:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.003 + 0.09 * seed, stop.set)
        async with asyncio.timeout(60):
            record = await go(plan(llm_server.url, tts_server.url), stop=stop)
        assert not llm_server.active_streams
    assert record.failure is None and record.skipped in (None, INTERRUPTED)


async def test_a_server_that_generates_for_long_still_gets_its_slot_back() -> None:
    """It reads nothing until it is done, and finds its client gone by then."""
    async with (
        ScriptedLlm(LlmScript(turns=((llm.endless("na ", gap=0.05),),))) as llm_server,
        ScriptedTts() as tts_server,
    ):
        stop = asyncio.Event()
        limits = PATIENT | {"release_s": 5}
        running = asyncio.ensure_future(go(plan(llm_server.url, tts_server.url, limits=limits), stop=stop))
        await llm_server.log.until(lambda _: len(llm_server.log.sent("text")) > 3)
        stop.set()
        async with asyncio.timeout(60):
            record = await running
        assert (record.failure, record.skipped) == (None, INTERRUPTED)
        assert not llm_server.active_streams


async def test_swapped_urls_say_what_the_server_said() -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        limits = PATIENT | {"tts_s": 1}
        async with asyncio.timeout(60):
            record = await go(plan(tts_server.url, llm_server.url, limits=limits))
    assert record.failure is not None
    assert record.failure.stage == "tts"
    assert record.failure.detail == "TTS server: it reported an error"
    assert "Unknown action" in " ".join(record.said)


async def test_the_measures_of_a_run_add_up() -> None:
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        record = await go(plan(llm_server.url, tts_server.url, turns=3))
    for turn in measure_run(record):
        assert turn.response_ttfb_ms == pytest.approx(turn.chunks[0].combined_ttfb_ms)
        for chunk in turn.chunks:
            assert chunk.combined_ttfb_ms is not None and chunk.llm_gen_time_ms is not None
            assert chunk.tts_ttfb_ms is not None
            stages = chunk.llm_gen_time_ms + chunk.tts_ttfb_ms
            assert chunk.combined_ttfb_ms == pytest.approx(stages), "what the probe took is in none of them"
