"""The whole TTS protocol, both versions, on a real engine in a process of its own."""

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from socket import IPPROTO_TCP, TCP_CORK
from typing import Any

import numpy as np
import pytest
import websockets
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

SAMPLE_RATE = 22000
PATIENCE_S = 60
SENTENCE = "Please open the window and close the door."
LONG = " ".join(f"This is sentence number {number} of a long text." for number in range(200))


class Client:
    """Speaks the protocol by hand, so that each test shows the frames."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket
        self.frames: list[bytes] = []

    async def says(self, kind: str, **fields: Any) -> None:
        await self.socket.send_str(json.dumps({"type": kind, **fields}))

    async def hears(self, kind: str) -> dict[str, Any]:
        """Return the next message; the audio before it goes to `frames`."""
        self.frames = []
        while (frame := await self.socket.receive(PATIENCE_S)).type is WSMsgType.BINARY:
            self.frames.append(frame.data)
        assert frame.type is WSMsgType.TEXT, frame
        message: dict[str, Any] = json.loads(frame.data)
        assert message["type"] == kind, message
        return message

    async def hears_nothing_but_pong(self) -> None:
        await self.says("ping")
        await self.hears("pong")
        assert self.frames == []

    def audio_ms(self) -> float:
        return sum(map(len, self.frames)) / 2 / SAMPLE_RATE * 1000


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Client]:
    async with ClientSession() as session, session.ws_connect(url) as socket:
        yield Client(socket)


@contextmanager
def in_one_piece(client: Client) -> Iterator[None]:
    """What the client says reaches the server at once: no message before it has answered the one before."""
    connection = client.socket.get_extra_info("socket")
    connection.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
    yield
    connection.setsockopt(IPPROTO_TCP, TCP_CORK, 0)


async def test_newer_a_whole_conversation(tts_server: str) -> None:
    async with connected(tts_server) as client:
        for _ in range(2):
            await client.says("init", voice="aria", language="en", default_mode="batch")
            assert (await client.hears("stream_created"))["stream_id"]
            await client.says("text", text=SENTENCE)
            first = await client.hears("segment_complete")
            assert first["audio_ms"] == pytest.approx(client.audio_ms(), abs=1)
            assert 2000 < first["audio_ms"] < 4000
            assert {len(frame) for frame in client.frames[:-1]} == {4096}
            assert 0 < len(client.frames[-1]) <= 4096
            await client.says("text", text="Yes.")
            second = await client.hears("segment_complete")
            assert (first["segment"], second["segment"]) == (1, 2)
            await client.says("close")
            done = await client.hears("done")
            assert done["segments_generated"] == 2
            assert done["total_audio_ms"] == pytest.approx(first["audio_ms"] + second["audio_ms"], abs=2)


async def test_newer_markup_and_nothing_speakable_are_segments(tts_server: str) -> None:
    async with connected(tts_server) as client:
        await client.says("init")
        await client.hears("stream_created")
        for text, longest_ms in (("</think>", 5000), ("**", 0), ("\U0001f44d", 0), ("...", 1000), ("\x00\ud800", 0)):
            await client.says("text", text=text)
            complete = await client.hears("segment_complete")
            assert complete["audio_ms"] == pytest.approx(client.audio_ms(), abs=1)
            assert complete["audio_ms"] <= longest_ms


async def test_newer_stream_mode_is_the_same_audio_in_more_pieces(tts_server: str) -> None:
    text = f"{SENTENCE} And then, please, sit down. Thank you."
    spoken = {}
    async with connected(tts_server) as client:
        await client.says("init", default_mode="stream")
        await client.hears("stream_created")
        for mode in ("stream", "batch"):
            await client.says("text", text=text, mode=mode)
            await client.hears("segment_complete")
            spoken[mode] = client.frames
    assert b"".join(spoken["stream"]) == b"".join(spoken["batch"])
    assert len(spoken["stream"]) > len(spoken["batch"])


async def test_older_a_whole_conversation(older_tts_server: str) -> None:
    async with connected(older_tts_server) as client:
        await client.says("init")
        await client.hears("stream_created")
        await client.says("init")
        await client.says("text", text="Hello")
        await client.hears_nothing_but_pong()
        await client.says("text", text=" there, my friend.")
        await client.says("close")
        done = await client.hears("done")
        assert done["segments_generated"] == 1
        assert done["total_audio_ms"] == pytest.approx(client.audio_ms(), abs=1)
        assert (await client.socket.receive(PATIENCE_S)).type is WSMsgType.CLOSED


async def test_older_drops_the_connection_without_a_close_frame(older_tts_server: str) -> None:
    async with websockets.connect(older_tts_server, proxy=None) as socket:
        await socket.send('{"type": "init"}')
        await asyncio.wait_for(socket.recv(), PATIENCE_S)
        await socket.send('{"type": "close"}')
        assert "done" in str(await asyncio.wait_for(socket.recv(), PATIENCE_S))
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await asyncio.wait_for(socket.recv(), PATIENCE_S)
    assert closed.value.rcvd is None


async def test_older_loses_a_close_that_came_too_early(older_tts_server: str) -> None:
    async with connected(older_tts_server) as client:
        with in_one_piece(client):
            await client.says("init")
            await client.says("close")
        await client.hears("stream_created")
        await client.hears_nothing_but_pong()
        await client.says("close")
        await client.hears("done")


@pytest.mark.parametrize("server", ["tts_server", "older_tts_server"])
async def test_cancel_stops_what_is_being_spoken(request: pytest.FixtureRequest, server: str) -> None:
    async with connected(request.getfixturevalue(server)) as client:
        await client.says("init")
        await client.hears("stream_created")
        await client.says("text", text=LONG)
        await client.says("cancel")
        await client.says("close")
        done = await client.hears("done")
        assert done["segments_generated"] == 0


@pytest.mark.parametrize("server", ["tts_server", "older_tts_server"])
async def test_an_unknown_voice_is_silent_and_garbage_is_answered(request: pytest.FixtureRequest, server: str) -> None:
    async with connected(request.getfixturevalue(server)) as client:
        await client.says("init", voice="zoe")
        await client.hears("stream_created")
        await client.says("text", text=SENTENCE)
        await client.says("close")
        await client.hears_nothing_but_pong()
        for garbage in ("no json", "[1]", '{"type": 5}', '{"type": "text", "text": []}'):
            await client.socket.send_str(garbage)
            assert (await client.hears("error"))["fatal"] is False
        await client.socket.send_bytes(b"\xff" * 10)
        assert (await client.hears("error"))["fatal"] is False


async def test_a_language_that_hibari_does_not_speak_is_a_fatal_error(tts_server: str) -> None:
    async with connected(tts_server) as client:
        await client.says("init", language="fr")
        error = await client.hears("error")
        assert (error["fatal"], "only en" in error["message"]) == (True, True)


async def test_the_five_voices_differ(tts_server: str) -> None:
    heard = set()
    async with connected(tts_server) as client:
        for voice in ("john", "sofia", "aria", "jason", "leo"):
            await client.says("init", voice=voice)
            await client.hears("stream_created")
            await client.says("text", text="Hello there.")
            await client.hears("segment_complete")
            heard.add(b"".join(client.frames))
    assert len(heard) == 5


async def test_two_clients_are_served_at_a_time(tts_server: str) -> None:
    async with connected(tts_server) as one, connected(tts_server) as two:
        for client in (one, two):
            await client.says("init")
            await client.hears("stream_created")
            await client.says("text", text=SENTENCE)
        for client in (one, two):
            await client.hears("segment_complete")
        assert one.frames == two.frames


def http(url: str, path: str) -> str:
    return url.replace("ws://", "http://").replace("/ws/tts/stream", path)


async def test_health_and_configuration(tts_server: str) -> None:
    async with ClientSession() as session:
        async with session.get(http(tts_server, "/health")) as health:
            assert await health.json() == {"status": "healthy", "model_loaded": True}
        async with session.get(http(tts_server, "/v1/audio/config")) as config:
            assert await config.json() == {
                "sample_rate": 22000,
                "channels": 1,
                "encoding": "pcm_s16le",
                "voices": ["john", "sofia", "aria", "jason", "leo"],
                "languages": ["en"],
            }


async def test_openai_speech_is_pcm_or_wav_of_the_same_sound(tts_server: str) -> None:
    body = {"model": "tts-1", "input": SENTENCE, "voice": "aria"}
    address = http(tts_server, "/v1/audio/speech")
    async with ClientSession() as session:
        async with session.post(address, json=body) as response:
            pcm = await response.read()
            assert (response.status, response.content_type) == (200, "audio/pcm")
        async with session.post(address, json={**body, "response_format": "wav"}) as response:
            assert (response.status, response.content_type) == (200, "audio/wav")
            with wave.open(io.BytesIO(await response.read())) as wav:
                assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (22000, 1, 2)
                assert wav.readframes(wav.getnframes()) == pcm
    assert np.abs(np.frombuffer(pcm, "<i2")).max() > 3000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("no json", "not JSON"),
        ("[]", "input"),
        ('{"voice": "aria"}', "input"),
        ('{"input": ""}', "input"),
        ('{"input": 5}', "input"),
        ('{"input": "a", "voice": "zoe"}', "john, sofia, aria, jason, leo"),
        ('{"input": "a", "voice": []}', "voice"),
        ('{"input": "a", "response_format": "mp3"}', "pcm, wav"),
        ('{"input": "a", "language": "de"}', "language"),
    ],
)
async def test_a_bad_speech_request_is_told_why(tts_server: str, body: str, message: str) -> None:
    async with (
        ClientSession() as session,
        session.post(http(tts_server, "/v1/audio/speech"), data=body) as response,
    ):
        assert response.status == 400
        error = (await response.json())["error"]
        assert message in error["message"]
        assert error["type"] == "invalid_request_error"


async def test_an_unknown_path_is_json_too(tts_server: str) -> None:
    async with ClientSession() as session, session.get(http(tts_server, "/v1/nothing")) as response:
        assert (response.status, response.content_type) == (404, "application/json")


async def test_a_client_that_vanishes_while_spoken_to_leaves_the_server_well(tts_server: str) -> None:
    async with websockets.connect(tts_server, proxy=None) as socket:
        await socket.send('{"type": "init"}')
        await socket.send(json.dumps({"type": "text", "text": LONG, "mode": "stream"}))
        while isinstance(await asyncio.wait_for(socket.recv(), PATIENCE_S), str):
            pass
        socket.transport.abort()
    async with connected(tts_server) as client:
        await client.says("init")
        await client.hears("stream_created")
        await client.says("text", text=SENTENCE)
        await client.hears("segment_complete")
