"""The scripted HTTP server, through clients that are not ours: what they get is what the script says."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import openai
import pytest

from probe.reference.faults import (
    CHAT,
    CONTINUE,
    ENDLESS_CHUNK,
    ENDLESS_HEADER,
    ENDLESS_HEADERS,
    ENDLESS_LINE,
    NO_CHUNK_SIZE,
    OVERFULL_CHUNK,
    SPEECH,
    Body,
    Drop,
    HalfClose,
    Head,
    HttpScript,
    Reply,
    Reset,
    ScriptedHttp,
    Stall,
    audio,
    chat,
    gzipped,
    redirect,
    speech,
)
from probe.reference.faults.connection import Steps

DEADLINE = 30.0
ASK: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi."}]}


def answering(*steps: Any, path: str = CHAT) -> HttpScript:
    return HttpScript(answers={path: (tuple(steps),)})


@asynccontextmanager
async def client_of(server: ScriptedHttp) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="none", base_url=server.url, max_retries=0, timeout=DEADLINE) as client:
        yield client


async def post(server: ScriptedHttp, path: str = CHAT, **options: Any) -> tuple[int, bytes]:
    async with (
        asyncio.timeout(DEADLINE),
        aiohttp.ClientSession(**options) as session,
        session.post(server.http_url + path, json=ASK, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.read()


@asynccontextmanager
async def asked(server: ScriptedHttp) -> AsyncIterator[asyncio.StreamReader]:
    """Yield what comes back on a TCP connection that has asked for a chat."""
    async with asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        try:
            yield reader
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


class TestHealthy:
    async def test_a_chat_is_what_the_openai_client_expects(self) -> None:
        script = answering(*chat.answer(" Hello", " there.", reason="length"))
        async with ScriptedHttp(script) as server, client_of(server) as client:
            stream = await client.chat.completions.create(**ASK, stream=True)
            chunks = [chunk async for chunk in stream]
        choices = [choice for chunk in chunks for choice in chunk.choices]
        assert [choice.delta.content for choice in choices] == ["", " Hello", " there.", None]
        assert choices[-1].finish_reason == "length"
        assert chunks[-1].usage and chunks[-1].usage.completion_tokens == 2

    @pytest.mark.parametrize(
        ("answer", "before"), [(speech.pcm(100), b""), (speech.wav(100), speech.wav_header())], ids=["pcm", "wav"]
    )
    async def test_speech_is_what_the_openai_client_expects(self, answer: Steps, before: bytes) -> None:
        async with ScriptedHttp(answering(*answer, path=SPEECH)) as server, client_of(server) as client:
            spoken = await client.audio.speech.create(input="Hi.", model="m", voice="aria")
        assert spoken.content == before + speech.samples(100)
        assert len(speech.samples(100)) == 2 * 2400

    async def test_speech_as_events(self) -> None:
        async with ScriptedHttp(answering(*speech.sse(100), path=SPEECH)) as server:
            _, body = await post(server, SPEECH)
        assert body.count(b"speech.audio.delta") == len(audio.frames(speech.samples(100)))
        assert body.count(b"speech.audio.done") == 1

    async def test_the_log_has_the_bytes_and_the_times_of_both_directions(self) -> None:
        script = answering(*chat.answer("x", "y", first=0.02, gap=0.03))
        async with ScriptedHttp(script) as server:
            await post(server, headers={"traceparent": "00-1-2-03"})
            (head,), (request,) = server.log.received("http"), server.log.received("body")
            _, x, y, *_ = server.log.sent("chunk")
        assert head.headers["traceparent"] == "00-1-2-03"
        assert request.json == ASK
        assert (b'"x"' in x.data, b'"y"' in y.data) == (True, True)
        assert x.at_ns - request.at_ns >= 19e6
        assert y.at_ns - x.at_ns >= 29e6
        assert x.until_ns >= x.at_ns

    async def test_a_connection_takes_request_after_request_and_each_its_answer(self) -> None:
        script = HttpScript(answers={CHAT: ((Reply(200, b"one"),), (Reply(200, b"two"),))})
        async with ScriptedHttp(script) as server, aiohttp.ClientSession() as session:
            said = []
            for _ in range(3):
                async with session.post(server.http_url + CHAT, json={}) as answer:
                    said.append(await answer.read())
            assert {entry.connection for entry in server.log.received("http")} == {1}
        assert said == [b"one", b"two", b"two"]

    async def test_a_client_that_asks_for_the_end_of_the_connection_gets_it(self) -> None:
        async with ScriptedHttp() as server:
            await post(server, headers={"Connection": "close"})
            await server.log.until(lambda entry: entry.kind == "lost")

    async def test_the_slot_is_taken_until_the_client_leaves(self) -> None:
        async with ScriptedHttp(answering(chat.HEAD, Stall())) as server, aiohttp.ClientSession() as session:
            async with asked(server) as reader:
                await reader.readuntil(b"\r\n\r\n")
                async with session.get(f"{server.http_url}/slots") as slots:
                    busy = await slots.json()
            await server.log.until(lambda entry: entry.kind == "lost" and entry.connection == 1)
            async with asyncio.timeout(DEADLINE):
                while server.answering[CHAT]:  # noqa: ASYNC110 - the answer ends a moment after its connection
                    await asyncio.sleep(0)
        assert busy == [{"id": 0, "is_processing": True}]

    @pytest.mark.parametrize(("path", "status"), [("/health", 200), ("/v1/models", 200), ("/nothing", 404)])
    async def test_what_else_there_is(self, path: str, status: int) -> None:
        async with (
            ScriptedHttp() as server,
            aiohttp.ClientSession() as session,
            session.get(server.http_url + path) as answer,
        ):
            assert (answer.status, isinstance(await answer.json(), dict)) == (status, True)


class TestFaults:
    async def test_a_refusal_is_an_error_of_the_openai_client(self) -> None:
        script = answering(Reply(429, chat.problem("too many", kind="rate_limit_error")))
        async with ScriptedHttp(script) as server, client_of(server) as client:
            with pytest.raises(openai.RateLimitError, match="too many"):
                await client.chat.completions.create(**ASK)

    async def test_an_error_inside_a_stream(self) -> None:
        script = answering(chat.HEAD, chat.role(), chat.error("out of memory"), *chat.END)
        async with ScriptedHttp(script) as server, client_of(server) as client:
            stream = await client.chat.completions.create(**ASK, stream=True)
            with pytest.raises(openai.APIError, match="out of memory"):
                [chunk async for chunk in stream]

    @pytest.mark.parametrize(
        ("steps", "error"),
        [
            ((Drop(),), aiohttp.ServerDisconnectedError),
            ((Reset(),), aiohttp.ClientOSError),
            ((chat.HEAD, chat.role(), Drop()), aiohttp.ClientPayloadError),
            ((chat.HEAD, chat.role(), HalfClose()), aiohttp.ClientPayloadError),
            ((chat.HEAD, chat.role(), NO_CHUNK_SIZE), aiohttp.ClientError),
            ((chat.HEAD, chat.role(), OVERFULL_CHUNK), aiohttp.ClientError),
            ((chat.HEAD, chat.role(), ENDLESS_CHUNK, Drop()), aiohttp.ClientPayloadError),
            ((Head(200, {"Content-Length": "9"}), Body(b"short"), Drop()), aiohttp.ClientPayloadError),
            (ENDLESS_HEADERS, aiohttp.ClientResponseError),
            (ENDLESS_HEADER, aiohttp.ClientResponseError),
        ],
    )
    async def test_what_a_client_makes_of_it(self, steps: Steps, error: type[Exception]) -> None:
        async with ScriptedHttp(answering(*steps)) as server:
            with pytest.raises(error):
                await post(server)

    @pytest.mark.parametrize(
        ("steps", "expected"),
        [
            ((CONTINUE, Reply(200, b"after")), (200, b"after")),
            ((redirect("/elsewhere"),), (307, b"")),
            ((Head(200), Body(b"until the"), Body(b" end"), Drop()), (200, b"until the end")),
            (gzipped(b"packed", "text/plain"), (200, b"packed")),
        ],
    )
    async def test_what_is_unusual_and_right(self, steps: Steps, expected: tuple[int, bytes]) -> None:
        async with ScriptedHttp(answering(*steps)) as server:
            assert await post(server) == expected

    async def test_gzip_is_on_the_wire(self) -> None:
        async with ScriptedHttp(answering(*gzipped(b"packed", "text/plain"))) as server:
            _, body = await post(server, auto_decompress=False)
        assert (body[:2], gzip.decompress(body)) == (b"\x1f\x8b", b"packed")

    async def test_a_line_without_an_end(self) -> None:
        async with ScriptedHttp(answering(*ENDLESS_LINE)) as server, asked(server) as reader:
            await reader.readuntil(b"data: \r\n")
            assert b"\n\n" not in await reader.readexactly(1 << 20)

    async def test_a_stall_before_the_head(self) -> None:
        async with ScriptedHttp(answering(Stall())) as server, asked(server) as reader:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)

    async def test_a_mistake_in_a_script_is_raised(self) -> None:
        async def play() -> None:
            async with ScriptedHttp(answering(Reply(200, {"no JSON"}))) as server:
                with suppress(aiohttp.ClientError):
                    await post(server)

        with pytest.raises(TypeError):
            await play()


def test_a_header_says_its_sizes() -> None:
    extra = b"LIST" + (4).to_bytes(4, "little") + b"INFO"
    header = speech.wav_header(size=100, between=extra)
    assert (header[4:8], header[-4:]) == ((100 + 36 + 12).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert extra in header


def test_reasoning_has_the_key_of_its_server() -> None:
    event = json.loads(chat.reasoning("Hm.", key="thinking").data.removeprefix(b"data: "))
    assert event["choices"][0]["delta"] == {"thinking": "Hm."}
