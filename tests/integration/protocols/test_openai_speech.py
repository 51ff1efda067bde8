"""Whole runs with a server of `/v1/audio/speech` that does what a script says, whose log holds the truth."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import patience
import pytest
from fakes import tone
from speech_answers import base64, chunk, event, fmt, riff, wav
from speech_server import (
    DROP,
    END,
    STALL,
    SpeechServer,
    Step,
    head,
    piece,
    pieces,
    speech_server,
    whole,
)

from probe import config
from probe.clock import AnchoredClock
from probe.daemon.plans import entries
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import new_plan
from probe.record import RunRecord
from probe.reference.faults import LlmScript, ScriptedLlm, llm

RATE = 24000
ONE, TWO = tone(300, RATE), tone(200, RATE)
HELLO = ONE[:4096], ONE[4096:]


async def run(
    tmp_path: Path,
    server: SpeechServer,
    more: str = "",
    *,
    tts_s: float = 60,
    turns: int = 1,
    clock: AnchoredClock | None = None,
    stop: asyncio.Event | None = None,
) -> RunRecord:
    """An answer of two chunks, " Hello there." and " How are you?", in each turn."""
    path = tmp_path / "probe.toml"
    async with ScriptedLlm(LlmScript(turns=(llm.HEALTHY_TURN,))) as llm_server:
        path.write_text(
            f'[targets.t.llm]\nurl = "{llm_server.url}"\n[targets.t.tts]\nurl = "{server.url}"\n{more}\n'
            f"[targets.t.limits]\nconnect_s = 60\nllm_s = 60\ntts_s = {tts_s}\n"
            f"[scenarios.s]\nturns = {turns}\nturn_pause_s = 0\n"
        )
        (entry,) = entries(config.load(path))
        planned = new_plan(entry.target, entry.scenario)
        done = await measure(planned, tolerance=patience.PATIENT, clock=clock, stop=stop)
    return RunRecord.from_json(done.record.to_json())


def failed(record: RunRecord) -> tuple[str, str]:
    assert record.failure is not None
    return record.failure.stage, record.failure.reason


async def test_every_timestamp_is_the_servers_truth(tmp_path: Path) -> None:
    clock = AnchoredClock.anchored_now()
    async with speech_server([0.05, *pieces(*HELLO)], [0.03, *pieces(TWO)]) as server:
        record = await run(tmp_path, server, 'voice = "af_heart"\nextra_body = { lang_code = "a" }', clock=clock)
    assert outcome(record) in ("ok", "slow"), record.failure or record.doubts

    def true(at_ns: int) -> int:
        return clock.wall_ns + at_ns - clock.monotonic_ns

    first, second = record.turns[0].chunks
    for spoken, asked, data in zip((first, second), server.asked, (HELLO, (TWO,)), strict=True):
        assert spoken.tts_text_sent and spoken.tts_first_audio and spoken.tts_last_audio and spoken.tts_segment_done
        sent = [server.sent_at(piece(each))[0] for each in data]
        assert spoken.tts_text_sent <= true(asked.at_ns) <= true(sent[0]) <= spoken.tts_first_audio
        assert true(sent[-1]) <= spoken.tts_last_audio <= spoken.tts_segment_done
        assert spoken.segment_end == "end" and spoken.audio_bytes == sum(map(len, data))
        assert spoken.sample_rate == RATE
    assert (first.tts_segment_done or 0) <= (second.tts_text_sent or 0)
    assert [each.body for each in server.asked] == [
        {"voice": "af_heart", "response_format": "pcm", "input": text, "lang_code": "a"}
        for text in (" Hello there.", " How are you?")
    ]
    assert {each.target for each in server.asked} == {"/v1/audio/speech"}
    assert record.turns[0].done and record.turns[0].done >= (second.tts_segment_done or 0)
    (measured,) = measure_run(record)
    assert measured.chunks[0].audio_duration_ms == pytest.approx(300)
    assert measured.chunks[0].tts_ttfb_ms and measured.chunks[0].tts_ttfb_ms >= 50
    # One connection for the whole run.
    assert [each.server for each in record.connects].count("tts") == server.connections == 1


@pytest.mark.parametrize(
    ("content_type", "before", "sound", "after"),
    [
        ("audio/pcm", (), ONE, ()),
        ("audio/wav", (riff(fmt(rate=RATE), chunk(b"data", b"", 0xFFFFFFFF), size=0xFFFFFFFF),), ONE, ()),
        ("audio/pcm", (b"RIFF", wav(ONE)[4:44]), ONE, (chunk(b"LIST", b"INFO"),)),
        ("text/event-stream", (b": ready\n\n",), event({"type": "speech.audio.delta", "audio": base64(ONE)}), ()),
    ],
)
async def test_the_first_sound_is_the_first_sample(
    tmp_path: Path, content_type: str, before: Sequence[bytes], sound: bytes, after: Sequence[bytes]
) -> None:
    """A head, a container's header and a sign of life may come long before it."""
    clock = AnchoredClock.anchored_now()
    answer: list[Step] = [head(content_type), *map(piece, before), 0.2, piece(sound), *map(piece, after), END]
    async with speech_server(answer, answer) as server:
        record = await run(tmp_path, server, clock=clock)
    assert outcome(record) in ("ok", "slow"), record.failure or record.doubts
    for spoken, sent in zip(record.turns[0].chunks, server.sent_at(piece(sound)), strict=True):
        assert spoken.tts_first_audio and spoken.tts_text_sent
        assert spoken.tts_first_audio >= clock.wall_ns + sent - clock.monotonic_ns
        assert spoken.tts_first_audio - spoken.tts_text_sent >= 200_000_000
        assert spoken.audio_bytes == len(ONE)


async def test_what_the_answer_says_outranks_what_was_asked_for(tmp_path: Path) -> None:
    """Another rate in a header of WAV, and in one of HTTP."""
    other = tone(300, 22050)
    async with speech_server(
        [whole(wav(other, rate=22050), "audio/pcm")], pieces(TWO, x_sample_rate="16000")
    ) as server:
        record = await run(tmp_path, server, "sample_rate = 48000")
    chunks = record.turns[0].chunks
    assert [each.sample_rate for each in chunks] == [22050, 16000]
    assert measure_run(record)[0].chunks[0].audio_duration_ms == pytest.approx(300, abs=0.1)


@pytest.mark.parametrize("turns", [1, 2])
async def test_a_server_that_closes_after_each_answer(tmp_path: Path, turns: int) -> None:
    closing = [whole(ONE, "audio/pcm", more="connection: close"), DROP]
    async with speech_server(*[closing] * 2 * turns) as server:
        record = await run(tmp_path, server, turns=turns)
    assert outcome(record) in ("ok", "slow"), record.failure or record.doubts
    assert [each.connection for each in server.asked] == [*range(1, 2 * turns + 1)]


async def test_a_body_without_a_length_ends_with_its_connection(tmp_path: Path) -> None:
    old = [b"HTTP/1.0 200 OK\r\ncontent-type: audio/wav\r\n\r\n", wav(ONE), DROP]
    async with speech_server(old, old) as server:
        record = await run(tmp_path, server)
    assert outcome(record) in ("ok", "slow"), record.failure or record.doubts
    assert [each.audio_bytes for each in record.turns[0].chunks] == [len(ONE)] * 2


async def test_a_server_that_closes_without_having_said_so(tmp_path: Path) -> None:
    """As one does whose patience with an idle connection is over, be it in the very moment of the next request."""
    async with speech_server([*pieces(ONE), DROP], [DROP]) as server:
        record = await run(tmp_path, server)
    # Its second connection was opened for the text: that one's end is the answer to it.
    assert failed(record) == ("tts", "closed")
    async with speech_server(pieces(ONE), [DROP], pieces(TWO)) as server:
        record = await run(tmp_path, server)
    assert outcome(record) in ("ok", "slow"), record.failure or record.doubts
    assert [each.connection for each in server.asked] == [1, 1, 2]


BROKEN = {"error": {"message": "out of memory", "type": "server_error"}}


@pytest.mark.parametrize(
    ("status", "body", "reason", "detail", "said"),
    [
        (
            401,
            {"error": {"message": "Invalid API Key"}},
            "unauthorized",
            "speech; no credentials were sent: set headers",
            "Invalid API Key",
        ),
        (403, {}, "unauthorized", "speech; no credentials were sent: set headers", "{}"),
        (404, {"detail": "Not Found"}, "not_found", "for /v1/audio/speech", "Not Found"),
        (
            400,
            {"detail": {"message": "Voice 'x' not found"}},
            "unknown_voice",
            "for /v1/audio/speech",
            "Voice 'x' not found",
        ),
        (500, BROKEN, "server_error", "for /v1/audio/speech", "out of memory"),
        (502, {}, "unavailable", "for /v1/audio/speech", "{}"),
        (503, {"error": "Loading model"}, "loading", "for /v1/audio/speech", "Loading model"),
        (503, {}, "unavailable", "for /v1/audio/speech", "{}"),
        (200, BROKEN, "wrong_format", "JSON instead of 16-bit mono PCM", "out of memory"),
    ],
)
async def test_what_a_server_answers_is_why_the_run_failed(
    tmp_path: Path, status: int, body: Any, reason: str, detail: str, said: str
) -> None:
    async with speech_server([whole(json.dumps(body).encode(), "application/json", status)]) as server:
        record = await run(tmp_path, server)
    assert failed(record) == ("tts", reason)
    assert record.failure and record.failure.detail.endswith(detail)
    assert record.said == (f"TTS server: {said}",)


async def test_a_busy_server_belongs_to_its_users(tmp_path: Path) -> None:
    async with speech_server([whole(b'{"detail": "busy"}', "application/json", 429)]) as server:
        record = await run(tmp_path, server)
    assert (record.failure, record.skipped) == (None, "HTTP 429 for /v1/audio/speech")
    assert record.said == ("TTS server: busy",)


async def test_a_redirect_names_where_to(tmp_path: Path) -> None:
    async with speech_server([whole(b"", "text/plain", 307, "location: http://u:p@elsewhere/v1?key=k")]) as server:
        record = await run(tmp_path, server)
    assert failed(record) == ("tts", "not_found")
    assert record.failure and record.failure.detail.endswith(": it redirects: enter the address that it is at")
    assert record.said == ("TTS server: it redirects to http://elsewhere/v1",)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([STALL], "no_audio"),
        ([head(), STALL], "no_audio"),
        ([head("audio/wav"), piece(wav()[:44]), STALL], "no_audio"),
        ([head(status=500), piece(b"no"), STALL], "server_error"),
        ([head(), piece(ONE), STALL], "timeout"),
        ([head(), piece(ONE), DROP], "closed"),
        ([head("audio/wav"), piece(wav()[:44]), DROP], "closed"),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n", ONE, DROP], "closed"),
        ([head(), piece(ONE), b"xyz\r\n", DROP], "malformed"),
        (pieces(b"\x1f\x8b\x08\0", content_encoding="gzip"), "wrong_format"),
        (pieces(b"ID3\4" + bytes(40), content_type="audio/mpeg"), "wrong_format"),
        (pieces(), "no_audio"),
        (pieces(event({"type": "speech.audio.error", "error": {"message": "x"}}), content_type="text/event-stream"),
         "server_error"),
    ],
)  # fmt: skip
async def test_an_answer_that_goes_wrong(tmp_path: Path, answer: list[Step], reason: str) -> None:
    # So long does a healthy answer not stall, however slow the machine.
    waits = any(step is STALL for step in answer)
    async with speech_server(answer) as server:
        record = await run(tmp_path, server, tts_s=3 if waits else 60)
    assert failed(record) == ("tts", reason), record.failure


async def test_a_server_without_the_voice_may_answer_with_nothing(tmp_path: Path) -> None:
    voices = b'{"voices": [{"id": "af_heart", "name": "Heart"}, {"id": "af_sky"}]}'
    async with speech_server(pieces(), voices=voices) as server:
        record = await run(tmp_path, server, 'voice = "nobody"')
    assert failed(record) == ("tts", "unknown_voice")
    assert record.failure and record.failure.detail == "the TTS server has no voice 'nobody' among its 3"
    assert record.said == ("TTS server: it has the voices af_heart, Heart, af_sky",)
    async with speech_server(pieces(), voices=voices) as server:
        record = await run(tmp_path, server, 'voice = "af_sky"')
    assert failed(record) == ("tts", "no_audio")


async def test_a_run_that_is_stopped_ends_the_request(tmp_path: Path) -> None:
    stop = asyncio.Event()

    async def stopped() -> None:
        stop.set()

    async with speech_server([head(), piece(ONE), stopped, STALL]) as server:
        record = await run(tmp_path, server, stop=stop)
        await asyncio.wait_for(server.lost.wait(), 60)
    assert (record.failure, record.skipped) == (None, "interrupted")
