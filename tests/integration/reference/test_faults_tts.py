"""The scripted TTS server, both versions, through a client that is not ours."""

import asyncio
from array import array
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from gate import Gate

from probe.reference.faults import Binary, Drop, Json, ScriptedTts, Stall, TtsScript, TtsTurn, Wait, audio, tts

DEADLINE = 30.0
INIT = {"type": "init", "voice": "aria", "language": "en"}
CLOSE = {"type": "close"}
PING = {"type": "ping"}
BLIP = Binary(audio.tone(10))


def text(words: str) -> dict[str, str]:
    return {"type": "text", "text": words}


def turn(*segments: Any, **parts: Any) -> TtsScript:
    return TtsScript(turns=(TtsTurn(segments=segments or ((BLIP,),), **parts),))


class Client:
    """Replies as the server's JSON, or the bytes of an audio frame, or None at the end of the connection."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, *requests: object) -> None:
        for request in requests:
            await asyncio.wait_for(self.socket.send_json(request), DEADLINE)

    async def reply(self) -> Any:
        message = await asyncio.wait_for(self.socket.receive(), DEADLINE)
        if message.type is aiohttp.WSMsgType.CLOSED:
            return None
        return message.json() if message.type is aiohttp.WSMsgType.TEXT else message.data

    async def until(self, kind: str | None) -> tuple[bytes, list[str | None]]:
        """All audio, and the types of all other replies, up to the first of that type (None: the connection's end)."""
        pcm, kinds = b"", list[str | None]()
        while kinds[-1:] != [kind]:
            reply = await self.reply()
            if isinstance(reply, bytes):
                pcm += reply
            else:
                kinds.append(reply and reply["type"])
        return pcm, kinds


@asynccontextmanager
async def connected(server: ScriptedTts) -> AsyncIterator[Client]:
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url, max_msg_size=0) as socket,
    ):
        yield Client(socket)


def peak(pcm: bytes) -> int:
    return max(abs(sample) for sample in array("h", pcm))


class TestNewer:
    async def test_every_text_is_a_segment_with_a_marker(self) -> None:
        script = turn(tts.speech(100), tts.speech(200))
        async with ScriptedTts(script) as server, connected(server) as client:
            await client.send(INIT, text("One."), text("Two."), CLOSE)
            created = await client.reply()
            first = await client.until("segment_complete")
            second = await client.until("segment_complete")
            done = await client.reply()
        assert created["type"] == "stream_created"
        assert (first, second) == (
            (audio.tone(100), ["segment_complete"]),
            (audio.tone(200), ["segment_complete"]),
        )
        assert done == {"type": "done", "total_audio_ms": 300, "segments_generated": 2}

    async def test_a_marker_tells_which_segment_and_how_long(self) -> None:
        async with ScriptedTts(turn(tts.speech(100), tts.speech(250))) as server, connected(server) as client:
            await client.send(INIT, text("One."), text("Two."))
            await client.until("segment_complete")
            await client.until("segment_complete")
            markers = [entry.json for entry in server.log.sent("text")[1:]]
        assert [(marker["segment"], marker["audio_ms"]) for marker in markers] == [(1, 100), (2, 250)]

    async def test_the_connection_takes_another_init(self) -> None:
        script = TtsScript(turns=(TtsTurn(), TtsTurn(segments=(tts.speech(500),))))
        async with ScriptedTts(script) as server, connected(server) as client:
            await client.send(INIT, text("One."), CLOSE, INIT, text("Two."), CLOSE)
            first, second = await client.until("done"), await client.until("done")
        assert [len(pcm) for pcm, _ in (first, second)] == [len(audio.tone(300)), len(audio.tone(500))]
        assert second[1] == ["stream_created", "segment_complete", "done"]

    async def test_a_text_after_done_is_answered_with_a_new_stream(self) -> None:
        async with ScriptedTts() as server, connected(server) as client:
            await client.send(INIT, CLOSE, text("Again."))
            await client.until("done")
            _, kinds = await client.until("segment_complete")
        assert kinds == ["stream_created", "segment_complete"]


class TestOlder:
    async def test_one_word_waits_in_the_buffer_for_close(self) -> None:
        async with ScriptedTts(TtsScript(generation="older")) as server, connected(server) as client:
            await client.send(INIT, text("Word."), PING)
            _, before = await client.until("pong")
            await client.send(CLOSE)
            pcm, after = await client.until(None)
        assert before == ["stream_created", "pong"]
        assert (pcm, after) == (audio.tone(300), ["done", None])

    async def test_enough_words_are_spoken_at_once_and_end_without_a_marker(self) -> None:
        async with ScriptedTts(TtsScript(generation="older")) as server, connected(server) as client:
            await client.send(INIT, text("Two words."))
            assert (await client.reply())["type"] == "stream_created"
            assert await client.reply() == audio.tone(300)[:4096]
            await client.send(PING)
            pcm, kinds = await client.until("pong")
        assert (pcm, kinds) == (audio.tone(300)[4096:], ["pong"])

    async def test_texts_that_wait_while_it_is_busy_are_one_segment(self) -> None:
        all_came = Gate()
        script = TtsScript(generation="older", turns=(TtsTurn(on_init=(all_came, tts.CREATED)),))
        async with ScriptedTts(script) as server, connected(server) as client:
            await client.send(INIT, text("Two words."), text("Two more."))
            await server.log.until(lambda entry: b"Two more." in entry.data)
            all_came.opened.set()
            await client.until("stream_created")
            await client.send(CLOSE)
            await client.until("done")
            assert server.log.sent("text")[-1].json["segments_generated"] == 1

    async def test_done_is_followed_by_a_drop_without_a_close_frame(self) -> None:
        async with ScriptedTts(TtsScript(generation="older")) as server, connected(server) as client:
            await client.send(INIT, CLOSE)
            assert (await client.until(None))[1] == ["stream_created", "done", None]
            assert server.log.sent("close") == []

    async def test_a_second_init_is_ignored(self) -> None:
        async with ScriptedTts(TtsScript(generation="older")) as server, connected(server) as client:
            await client.send(INIT, INIT, PING)
            assert (await client.until("pong"))[1] == ["stream_created", "pong"]

    async def test_a_close_before_stream_created_is_lost(self) -> None:
        close_came = Gate()
        script = TtsScript(generation="older", turns=(TtsTurn(on_init=(close_came, tts.CREATED)),))
        async with ScriptedTts(script) as server, connected(server) as client:
            await client.send(INIT, CLOSE)
            await server.log.until(lambda entry: b"close" in entry.data)
            close_came.opened.set()
            await client.until("stream_created")
            await client.send(PING)
            assert (await client.until("pong"))[1] == ["pong"]


class TestBothGenerations:
    @pytest.mark.parametrize("generation", ["newer", "older"])
    @pytest.mark.parametrize(
        "requests",
        [(INIT | {"voice": "nobody"}, text("Two words."), CLOSE), (INIT, text(""))],
        ids=["unknown voice", "empty text"],
    )
    async def test_silence(self, generation: Any, requests: tuple[object, ...]) -> None:
        async with ScriptedTts(TtsScript(generation=generation)) as server, connected(server) as client:
            await client.send(*requests, PING)
            assert await client.until("pong") == (b"", ["stream_created", "pong"])

    async def test_a_text_before_any_init_is_an_error_that_is_not_fatal(self) -> None:
        async with ScriptedTts() as server, connected(server) as client:
            await client.send(text("Hello."))
            assert (await client.reply())["fatal"] is False

    async def test_an_idle_connection_is_dropped(self) -> None:
        async with ScriptedTts(TtsScript(idle_s=0.02)) as server, connected(server) as client:
            assert await client.until(None) == (b"", [None])

    async def test_health_and_the_audio_configuration(self) -> None:
        async with ScriptedTts() as server, aiohttp.ClientSession() as session:
            async with session.get(f"{server.http_url}/health") as response:
                assert (await response.json())["status"] == "healthy"
            async with session.get(f"{server.http_url}/v1/audio/config") as response:
                assert (await response.json())["sample_rate"] == 22_000


class TestFaults:
    @pytest.mark.parametrize(
        ("script", "expected"),
        [
            (turn(on_init=()), [440, "segment_complete", "done"]),
            (turn(on_init=(BLIP, tts.CREATED)), [440, "stream_created", 440, "segment_complete", "done"]),
            (turn(on_init=(tts.CREATED, BLIP)), ["stream_created", 440, 440, "segment_complete", "done"]),
            (turn((tts.DONE, BLIP)), ["stream_created", "done", 440, "segment_complete", "done"]),
            (turn(after_segment=()), ["stream_created", 440, "done"]),
            (turn(on_close=(tts.DONE, BLIP)), ["stream_created", 440, "segment_complete", "done", 440]),
            (turn(on_close=(tts.DONE, Drop())), ["stream_created", 440, "segment_complete", "done", None]),
            (turn((BLIP, Drop())), ["stream_created", 440, None]),
            (turn((tts.error("no", fatal=True), Drop())), ["stream_created", "error", None]),
            (turn((Json([1]),)), ["stream_created", [1], "segment_complete", "done"]),
        ],
    )
    async def test_a_stream_goes_as_scripted(self, script: TtsScript, expected: list[object]) -> None:
        async with ScriptedTts(script) as server, connected(server) as client:
            await client.send(INIT, text("Some words."), CLOSE)
            replies = [await client.reply() for _ in expected]
        assert [_brief(reply) for reply in replies] == expected

    async def test_a_done_that_never_comes(self) -> None:
        async with ScriptedTts(turn(on_close=(Stall(),))) as server, connected(server) as client:
            await client.send(INIT, CLOSE)
            await client.until("stream_created")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.socket.receive(), 0.1)

    async def test_a_pause_inside_a_segment(self) -> None:
        async with ScriptedTts(turn((BLIP, Wait(0.16), BLIP))) as server, connected(server) as client:
            await client.send(INIT, text("Some words."))
            await client.until("segment_complete")
            first, second = server.log.sent("binary")
        assert second.at_ns - first.at_ns >= 159e6

    async def test_frames_are_as_large_and_as_late_as_asked(self) -> None:
        script = turn(tts.pcm(audio.tone(50) + b"\0", first=0.03, gap=0.02, size=1101))
        async with ScriptedTts(script) as server, connected(server) as client:
            await client.send(INIT, text("Some words."))
            await client.until("segment_complete")
            asked, sent = server.log.received("text")[1], server.log.sent("binary")
        assert [len(entry.data) for entry in sent] == [1101, 1100]
        assert sent[0].at_ns - asked.at_ns >= 29e6
        assert sent[1].at_ns - sent[0].at_ns >= 19e6


class TestAudio:
    def test_a_tone_is_audible_and_not_full_scale(self) -> None:
        assert 4000 < peak(audio.tone(100)) < 8000

    def test_noise_is_full_scale(self) -> None:
        assert peak(audio.noise(100)) > 32_000

    def test_silence_is_silent(self) -> None:
        assert peak(audio.silence(100)) == 0

    @pytest.mark.parametrize("make", [audio.tone, audio.noise, audio.silence])
    @pytest.mark.parametrize("ms", [0, 1, 7.5, 1234])
    def test_it_lasts_as_long_as_asked(self, make: Callable[[float], bytes], ms: float) -> None:
        assert audio.duration_ms(len(make(ms))) == pytest.approx(ms, abs=0.05)

    async def test_speech_may_begin_with_silence(self) -> None:
        async with ScriptedTts(turn(tts.speech(100, leading_silence_ms=50))) as server, connected(server) as client:
            await client.send(INIT, text("Some words."))
            pcm, _ = await client.until("segment_complete")
        assert pcm == audio.silence(50) + audio.tone(100)


def _brief(reply: Any) -> object:
    if isinstance(reply, bytes):
        return len(reply)
    return reply["type"] if isinstance(reply, dict) else reply
