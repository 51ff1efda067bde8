"""`probe serve openai` as OpenAI's own client finds it: real llama.cpp, real speech."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from llm_talk import fetch, wait_until
from recogniser import Recogniser

RATE = 24_000
JOKE: Any = [{"role": "user", "content": "Tell me a joke."}]
LONG: Any = [{"role": "user", "content": "Count slowly, and never stop: one, two, three."}]
TEXT = "Please open the window and close the door."


@pytest.fixture
async def client(openai_server: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="none", base_url=openai_server, max_retries=0, timeout=60) as client:
        yield client


async def busy(openai_server: str) -> bool:
    slots = json.loads(await fetch(openai_server.removesuffix("/v1") + "/slots"))
    return any(slot["is_processing"] for slot in slots)


class TestChat:
    async def test_whole(self, client: openai.AsyncOpenAI) -> None:
        answer = await client.chat.completions.create(model="any", messages=JOKE, max_tokens=8, temperature=0)
        assert answer.choices[0].message.content
        assert answer.choices[0].finish_reason == "length"
        assert answer.usage and answer.usage.completion_tokens == 8

    async def test_streamed(self, client: openai.AsyncOpenAI) -> None:
        asked: Any = {"model": "any", "messages": JOKE, "max_tokens": 8, "temperature": 0}
        whole = await client.chat.completions.create(**asked)
        stream = await client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        contents = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
        assert "".join(contents) == whole.choices[0].message.content
        assert len([content for content in contents if content]) > 1
        assert chunks[-1].usage and chunks[-1].usage.completion_tokens == 8

    async def test_a_client_that_leaves_frees_the_slot(self, client: openai.AsyncOpenAI, openai_server: str) -> None:
        stream = await client.chat.completions.create(
            model="any", messages=LONG, max_tokens=3000, stream=True, extra_body={"ignore_eos": True}
        )
        await anext(stream)
        was_busy = await busy(openai_server)
        await stream.close()

        async def free() -> bool:
            return not await busy(openai_server)

        await wait_until(free)
        assert was_busy

    async def test_what_llama_cpp_refuses_is_refused_in_its_words(self, client: openai.AsyncOpenAI) -> None:
        too_long: Any = [{"role": "user", "content": "word " * 5000}]
        with pytest.raises(openai.BadRequestError, match="context size"):
            await client.chat.completions.create(model="any", messages=too_long)

    async def test_the_models_are_llama_cpps(self, client: openai.AsyncOpenAI) -> None:
        (model,) = (await client.models.list()).data
        assert "SmolLM2" in model.id

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("/health", '"ok"'),
            ("/slots", "is_processing"),
            ("/props", "model_path"),
            ("/metrics", "llamacpp:requests_processing"),
        ],
    )
    async def test_what_llama_cpp_tells_of_itself(self, openai_server: str, path: str, expected: str) -> None:
        assert expected in await fetch(openai_server.removesuffix("/v1") + path)


class TestSpeech:
    async def test_pcm_is_understood(self, client: openai.AsyncOpenAI, recogniser: Recogniser) -> None:
        spoken = await client.audio.speech.create(input=TEXT, model="any", voice="aria", response_format="pcm")
        assert spoken.response.headers["content-type"] == "audio/pcm;rate=24000"
        assert recogniser.understood(spoken.content, TEXT, RATE) >= 0.8

    async def test_wav_is_the_same_behind_a_header_that_knows_no_size(self, client: openai.AsyncOpenAI) -> None:
        pcm = await client.audio.speech.create(input=TEXT, model="any", voice="leo", response_format="pcm")
        wav = await client.audio.speech.create(input=TEXT, model="any", voice="leo", response_format="wav")
        riff, riff_size, wave, form = struct.unpack_from("<4sI4s8x16s", wav.content)
        data, data_size = struct.unpack_from("<4sI", wav.content, 36)
        assert wav.response.headers["content-type"] == "audio/wav"
        assert (riff, wave, data) == (b"RIFF", b"WAVE", b"data")
        assert riff_size == data_size == 0xFFFFFFFF
        assert struct.unpack("<HHIIHH", form) == (1, 1, RATE, 2 * RATE, 2, 16)
        assert wav.content[44:] == pcm.content

    async def test_it_streams(self, client: openai.AsyncOpenAI) -> None:
        text = "This is one sentence of many. " * 40
        async with client.audio.speech.with_streaming_response.create(
            input=text, model="any", voice="aria", response_format="pcm"
        ) as answer:
            parts = [len(part) async for part in answer.iter_bytes()]
        assert answer.headers["transfer-encoding"] == "chunked"
        assert len(parts) > 1

    async def test_events(self, client: openai.AsyncOpenAI) -> None:
        asked: Any = {"input": TEXT, "model": "any", "voice": "sofia", "response_format": "pcm"}
        pcm = await client.audio.speech.create(**asked)
        async with client.audio.speech.with_streaming_response.create(**asked, stream_format="sse") as answer:
            events = [json.loads(line.removeprefix("data: ")) async for line in answer.iter_lines() if line]
        assert answer.headers["content-type"] == "text/event-stream"
        assert [event["type"] for event in events[-2:]] == ["speech.audio.delta", "speech.audio.done"]
        assert b"".join(base64.b64decode(event["audio"]) for event in events[:-1]) == pcm.content

    async def test_a_format_need_not_be_asked_for(self, client: openai.AsyncOpenAI) -> None:
        spoken = await client.audio.speech.create(input=TEXT, model="any", voice="aria")
        assert spoken.content[:4] == b"RIFF"

    @pytest.mark.parametrize(
        ("fields", "param"),
        [
            ({"voice": "nobody"}, "voice"),
            ({"input": " \n"}, "input"),
            ({"input": "a" * 4097}, "input"),
            ({"response_format": "mp3"}, "response_format"),
            ({"speed": 2}, "speed"),
            ({"extra_body": {"stream_format": "websocket"}}, "stream_format"),
            ({"extra_body": {"language": "de"}}, "language"),
        ],
    )
    async def test_what_it_can_not_do_it_refuses(
        self, client: openai.AsyncOpenAI, fields: dict[str, Any], param: str
    ) -> None:
        asked: Any = {"input": TEXT, "model": "any", "voice": "aria"} | fields
        with pytest.raises(openai.BadRequestError) as refused:
            await client.audio.speech.create(**asked)
        assert (refused.value.param, refused.value.type) == (param, "invalid_request_error")

    async def test_voices(self, openai_server: str) -> None:
        voices = json.loads(await fetch(openai_server + "/audio/voices"))["voices"]
        assert [voice["id"] for voice in voices][:6] == ["john", "sofia", "aria", "jason", "leo", "alloy"]

    async def test_openais_own_voices_have_a_stand_in(self, client: openai.AsyncOpenAI) -> None:
        asked: Any = {"input": TEXT, "model": "any"}
        spoken = [await client.audio.speech.create(**asked, voice=voice) for voice in ("aria", "alloy", "leo")]
        assert spoken[0].content == spoken[1].content != spoken[2].content

    async def test_chat_and_speech_at_once(self, client: openai.AsyncOpenAI) -> None:
        async with asyncio.timeout(60):
            answer, spoken = await asyncio.gather(
                client.chat.completions.create(model="any", messages=JOKE, max_tokens=8),
                client.audio.speech.create(input=TEXT, model="any", voice="aria"),
            )
        assert answer.choices[0].message.content and len(spoken.content) > RATE
