"""`probe serve openai` with a scripted llama.cpp and a scripted engine: what healthy ones won't do on request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp.test_utils import TestServer
from gate import Gate

from probe.reference.faults import (
    CHAT,
    SPEECH,
    Body,
    Chunk,
    Drop,
    Head,
    HttpScript,
    LastChunk,
    ScriptedHttp,
    Stall,
    chat,
    gzipped,
)
from probe.reference.openai.proxy import llama_at
from probe.reference.openai.server import build_app
from probe.reference.openai.speech import SAMPLE_RATE, Speech
from probe.reference.speech.engine import Utterance
from probe.reference.speech.synthesizer import Synthesizer

DEADLINE = 30.0
PIECE = np.full(4800, 0.5, np.float32)


class ScriptedEngine:
    """Makes what the generator makes, and notes which text was being spoken at each piece."""

    languages = ("en",)

    def __init__(self, pieces: Callable[[], Iterator[Any]]) -> None:
        self.pieces = pieces
        self.spoken: list[str] = []

    def load(self) -> None:
        pass

    def utter(self, text: str, voice: str, language: str) -> Utterance:  # noqa: ARG002 - the engines' signature
        return Utterance(SAMPLE_RATE, self._noted(text))

    def _noted(self, text: str) -> Iterator[Any]:
        for piece in self.pieces():
            self.spoken.append(text)
            yield piece


def three_pieces() -> Iterator[Any]:
    yield from [PIECE] * 3


def endless() -> Iterator[Any]:
    while True:
        yield PIECE


def broken() -> Iterator[Any]:
    yield from ()
    raise RuntimeError("no more breath")


def broken_later() -> Iterator[Any]:
    yield PIECE
    raise RuntimeError("no more breath")


@asynccontextmanager
async def serving(
    *llama: Any, engine: ScriptedEngine | None = None
) -> AsyncIterator[tuple[aiohttp.ClientSession, ScriptedHttp]]:
    """Yield a client of ours, and the llama.cpp behind it, which answers chats with these steps."""
    synthesizer = Synthesizer(engine or ScriptedEngine(three_pieces), SAMPLE_RATE)
    script = HttpScript(answers={CHAT: (tuple(llama),)}) if llama else HttpScript()
    async with asyncio.timeout(DEADLINE), ScriptedHttp(script) as behind, llama_at(behind.http_url) as proxied:
        server = TestServer(build_app(proxied, Speech(synthesizer, "aria")))
        async with server, aiohttp.ClientSession(server.make_url("/"), auto_decompress=False) as session:
            yield session, behind
    synthesizer.close()


class TestProxy:
    async def test_every_byte_is_llama_cpps(self) -> None:
        odd = (b"data:\xff\r\n", b": comment\n\n", b"\r\n", b"data: [DONE]")
        async with serving(chat.HEAD, *map(Chunk, odd), LastChunk()) as (session, behind):
            async with session.post(CHAT, data=b'{ "odd" :1}', headers={"X-Key": "k"}) as answer:
                assert await answer.read() == b"".join(odd)
            (asked,), (body,) = behind.log.received("http"), behind.log.received("body")
        assert answer.headers["Content-Type"] == "text/event-stream"
        assert (asked.headers["x-key"], body.data) == ("k", b'{ "odd" :1}')

    async def test_nothing_is_held_back(self) -> None:
        gate = Gate()
        steps = (chat.HEAD, chat.token("Hi"), gate, *chat.END)
        async with serving(*steps) as (session, _), session.post(CHAT, json={}) as answer:
            assert b"Hi" in await answer.content.readuntil(b"\n\n")
            gate.opened.set()
            assert await answer.read() == chat.DONE.data

    async def test_the_head_does_not_wait_for_the_body(self) -> None:
        async with serving(chat.HEAD, Stall()) as (session, _), session.post(CHAT, json={}) as answer:
            assert answer.status == 200

    async def test_gzip_stays_gzip(self) -> None:
        async with serving(*gzipped(b"packed", "text/plain")) as (session, _), session.post(CHAT, json={}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert (await answer.read())[:2] == b"\x1f\x8b"

    @pytest.mark.parametrize("before", [(), (chat.HEAD, chat.role())], ids=["before the head", "amid the answer"])
    async def test_a_client_that_leaves_takes_its_request_back(self, before: tuple[Any, ...]) -> None:
        async with serving(*before, Stall()) as (session, behind):
            asking = asyncio.ensure_future(session.post(CHAT, json={}))
            await behind.log.until(lambda entry: entry.kind == "body")
            if before:
                (await asking).close()
            asking.cancel()
            await behind.log.until(lambda entry: entry.kind == "lost")

    @pytest.mark.parametrize(
        "steps", [(chat.HEAD, chat.role(), Drop()), (Head(200, {"Content-Length": "9"}), Body(b"x"), Drop())]
    )
    async def test_what_breaks_off_breaks_off(self, steps: tuple[Any, ...]) -> None:
        async with serving(*steps) as (session, _), session.post(CHAT, json={}) as answer:
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    async def test_no_answer_is_a_bad_gateway(self) -> None:
        async with serving(Drop()) as (session, _), session.post(CHAT, json={}) as answer:
            assert (answer.status, (await answer.json())["error"]["type"]) == (502, "server_error")

    async def test_what_is_not_there(self) -> None:
        async with serving() as (session, _), session.get("/v1/nothing") as answer:
            assert (answer.status, (await answer.json())["error"]["type"]) == (404, "invalid_request_error")


class TestSpeech:
    async def test_one_text_at_a_time(self) -> None:
        engine = ScriptedEngine(three_pieces)
        async with serving(engine=engine) as (session, _):
            answers = await asyncio.gather(*(session.post(SPEECH, json={"input": text}) for text in "abc"))
            await asyncio.gather(*(answer.read() for answer in answers))
        assert engine.spoken == [text for text in dict.fromkeys(engine.spoken) for _ in range(3)]
        assert sorted(set(engine.spoken)) == ["a", "b", "c"]

    async def test_who_leaves_makes_room_for_the_next(self) -> None:
        engine = ScriptedEngine(endless)
        async with serving(engine=engine) as (session, _):
            async with session.post(SPEECH, json={"input": "a"}) as answer:
                await answer.content.readexactly(10_000)
                answer.close()
            async with session.post(SPEECH, json={"input": "b"}) as answer:
                await answer.content.readexactly(10_000)
        assert "b" in engine.spoken

    async def test_who_leaves_while_waiting_is_not_spoken_to(self) -> None:
        engine = ScriptedEngine(endless)
        async with serving(engine=engine) as (session, _), session.post(SPEECH, json={"input": "a"}) as first:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.post(SPEECH, json={"input": "b"}), 0.1)
            first.close()
            async with session.post(SPEECH, json={"input": "c"}) as third:
                await third.content.readexactly(10_000)
        assert list(dict.fromkeys(engine.spoken)) == ["a", "c"]

    async def test_an_engine_that_fails_at_once_is_a_500(self) -> None:
        engine = ScriptedEngine(broken)
        async with serving(engine=engine) as (session, _), session.post(SPEECH, json={"input": "a"}) as answer:
            error = (await answer.json())["error"]
        assert (answer.status, error["type"]) == (500, "server_error")
        assert "no more breath" in error["message"]

    async def test_an_engine_that_fails_later_breaks_off(self) -> None:
        engine = ScriptedEngine(broken_later)
        async with serving(engine=engine) as (session, _), session.post(SPEECH, json={"input": "a"}) as answer:
            assert answer.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000], ids=len)
    async def test_a_body_that_is_no_object(self, body: bytes) -> None:
        async with serving() as (session, _), session.post(SPEECH, data=body) as answer:
            assert (answer.status, (await answer.json())["error"]["type"]) == (400, "invalid_request_error")
