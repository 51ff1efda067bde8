"""A connection of each version, with a scripted engine and a socket without a network."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
from aiohttp import WSMessage, WSMsgType
from numpy.typing import NDArray

from probe.reference.speech.engine import Utterance
from probe.reference.speech.synthesizer import Synthesizer
from probe.reference.tts_connection import Connection, StreamFactory
from probe.reference.tts_stream import NewerStream, OlderStream

RATE = 22000
NEWER: StreamFactory = partial(NewerStream, sample_rate=RATE)
OLDER: StreamFactory = partial(OlderStream, sample_rate=RATE, target_audio_ms=500)
both = pytest.mark.parametrize("generation", [NEWER, OLDER], ids=["newer", "older"])

INIT = {"type": "init"}
CLOSE = {"type": "close"}
CANCEL = {"type": "cancel"}
PING = {"type": "ping"}


def text(words: str, **more: str) -> dict[str, str]:
    return {"type": "text", "text": words, **more}


class ScriptedEngine:
    """Speaks 100 ms per word, each a piece. "wait" stops it until the test goes on, "fail" makes it raise."""

    languages = ("en",)

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.waiting = threading.Event()
        self.go_on = threading.Event()

    def load(self) -> None: ...

    def utter(self, text: str, voice: str, language: str) -> Utterance:
        assert (voice, language) == ("aria", "en")
        self.spoken.append(text)
        return Utterance(RATE, self._words(text))

    def _words(self, text: str) -> Iterator[NDArray[np.float32]]:
        for word in text.split():
            if word == "wait":
                self.waiting.set()
                assert self.go_on.wait(60)
            if word == "fail":
                raise ValueError("no voice today")
            if word != "**":
                yield np.full(RATE // 10, 0.5, np.float32)


class ScriptedSocket:
    """The client's side of a WebSocket: what is sent to it is kept, in order."""

    def __init__(self) -> None:
        self._incoming: asyncio.Queue[WSMessage | None] = asyncio.Queue()
        self._outgoing: asyncio.Queue[dict[str, Any] | bytes] = asyncio.Queue()
        self.hung_up = asyncio.Event()

    async def receive(self, timeout: float | None = None) -> WSMessage:  # noqa: ARG002, ASYNC109 - aiohttp's signature
        if (message := await self._incoming.get()) is None:
            raise TimeoutError
        return message

    async def send_str(self, data: str) -> None:
        await self._outgoing.put(json.loads(data))

    async def send_bytes(self, data: bytes) -> None:
        await self._outgoing.put(data)

    def hang_up(self) -> None:
        self.hung_up.set()
        self._incoming.put_nowait(WSMessage(WSMsgType.CLOSED, None, None))

    def times_out(self) -> None:
        """End the server's wait for a message without one."""
        self._incoming.put_nowait(None)

    def says(self, *messages: dict[str, Any] | str | bytes) -> None:
        for message in messages:
            if isinstance(message, bytes):
                self._incoming.put_nowait(WSMessage(WSMsgType.BINARY, message, None))
            else:
                data = message if isinstance(message, str) else json.dumps(message)
                self._incoming.put_nowait(WSMessage(WSMsgType.TEXT, data, None))

    async def hears(self, kind: str) -> tuple[dict[str, Any], int]:
        """Return the next message and the bytes of audio before it."""
        audio = 0
        async with asyncio.timeout(60):
            while isinstance(message := await self._outgoing.get(), bytes):
                assert 0 < len(message) <= 4096
                audio += len(message)
        assert message["type"] == kind
        return message, audio

    async def hears_audio(self) -> int:
        async with asyncio.timeout(60):
            frame = await self._outgoing.get()
        assert isinstance(frame, bytes)
        return len(frame)

    async def hears_nothing_but_pong(self) -> None:
        """Say ping: whatever was on its way would come before the answer."""
        self.says(PING)
        _, audio = await self.hears("pong")
        assert audio == 0


def milliseconds(audio_bytes: int) -> float:
    return audio_bytes / 2 / RATE * 1000


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    engine = ScriptedEngine()
    yield engine
    engine.go_on.set()


class Clock:
    """The connection's clock: it stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 0.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("probe.reference.tts_connection._now", lambda: clock.now)
    return clock


@asynccontextmanager
async def connected(engine: ScriptedEngine, generation: StreamFactory) -> AsyncIterator[ScriptedSocket]:
    socket = ScriptedSocket()
    synthesizer = Synthesizer(engine, RATE)
    connection = Connection(socket, socket.hang_up, generation, synthesizer, idle_s=30)
    serving = asyncio.create_task(connection.serve())
    try:
        yield socket
    finally:
        engine.go_on.set()
        socket.hang_up()
        async with asyncio.timeout(60):
            await serving
        synthesizer.close()


async def test_newer_marks_each_segment_and_takes_stream_after_stream(engine: ScriptedEngine) -> None:
    async with connected(engine, NEWER) as client:
        for _ in range(2):
            client.says(INIT, text("one"), text("two words"), CLOSE)
            await client.hears("stream_created")
            first, first_audio = await client.hears("segment_complete")
            second, second_audio = await client.hears("segment_complete")
            done, rest = await client.hears("done")
            assert (first["segment"], first["audio_ms"], milliseconds(first_audio)) == (1, 100, 100)
            assert (second["segment"], second["audio_ms"], milliseconds(second_audio)) == (2, 200, 200)
            assert (done["segments_generated"], done["total_audio_ms"], rest) == (2, 300, 0)
        assert not client.hung_up.is_set()


async def test_older_speaks_gathered_text_and_hangs_up_after_done(engine: ScriptedEngine) -> None:
    async with connected(engine, OLDER) as client:
        client.says(INIT)
        await client.hears("stream_created")
        client.says(text("one"))
        await client.hears_nothing_but_pong()
        client.says(text(" two"), CLOSE)
        done, audio = await client.hears("done")
        assert (done["segments_generated"], done["total_audio_ms"], milliseconds(audio)) == (1, 200, 200)
        async with asyncio.timeout(60):
            await client.hung_up.wait()
    assert engine.spoken == ["one two"]


async def test_older_gathers_texts_while_it_speaks(engine: ScriptedEngine) -> None:
    async with connected(engine, OLDER) as client:
        client.says(INIT)
        await client.hears("stream_created")
        client.says(text("please wait"))
        await asyncio.to_thread(engine.waiting.wait, 10)
        client.says(text("a b."), text("c d."), PING)
        await client.hears("pong")
        engine.go_on.set()
        client.says(CLOSE)
        await client.hears("done")
    assert engine.spoken == ["please wait", "a b.c d."]


async def test_older_ignores_a_second_init(engine: ScriptedEngine) -> None:
    async with connected(engine, OLDER) as client:
        client.says(INIT)
        await client.hears("stream_created")
        client.says(INIT, text("two words"), CLOSE)
        done, _ = await client.hears("done")
        assert done["segments_generated"] == 1


async def test_older_loses_a_close_that_came_too_early(engine: ScriptedEngine) -> None:
    async with connected(engine, OLDER) as client:
        client.says(INIT, text("hello"), CLOSE)
        await client.hears("stream_created")
        await client.hears_nothing_but_pong()
        client.says(CLOSE)
        await client.hears("done")
    assert engine.spoken == ["hello"]


async def test_newer_a_second_init_abandons_the_first_stream(engine: ScriptedEngine) -> None:
    async with connected(engine, NEWER) as client:
        client.says(INIT, text("wait here", mode="stream"), text("never"))
        first, _ = await client.hears("stream_created")
        await asyncio.to_thread(engine.waiting.wait, 10)
        client.says(INIT)
        second, audio = await client.hears("stream_created")
        assert (first["stream_id"] != second["stream_id"], audio) == (True, 0)
        engine.go_on.set()
        client.says(text("new"), CLOSE)
        await client.hears("segment_complete")
        done, _ = await client.hears("done")
        assert (done["segments_generated"], done["total_audio_ms"]) == (1, 100)
    assert engine.spoken == ["wait here", "new"]


async def test_newer_answers_text_after_done_with_a_new_stream(engine: ScriptedEngine) -> None:
    async with connected(engine, NEWER) as client:
        client.says(INIT, CLOSE)
        await client.hears("stream_created")
        await client.hears("done")
        client.says(text(""), text("again"))
        await client.hears("stream_created")
        await client.hears("segment_complete")


async def test_newer_streams_what_is_ready_and_batches_what_is_whole(engine: ScriptedEngine) -> None:
    async with connected(engine, NEWER) as client:
        client.says(INIT, text("now wait", mode="stream"))
        await client.hears("stream_created")
        await asyncio.to_thread(engine.waiting.wait, 10)
        assert await client.hears_audio() > 0
        engine.go_on.set()
        await client.hears("segment_complete")
        engine.go_on.clear()
        engine.waiting.clear()
        client.says(text("now wait", mode="batch"))
        await asyncio.to_thread(engine.waiting.wait, 10)
        await client.hears_nothing_but_pong()
        engine.go_on.set()
        _, audio = await client.hears("segment_complete")
        assert milliseconds(audio) == 200


@both
async def test_cancel_during_synthesis_stops_it_and_leaves_the_stream_open(
    engine: ScriptedEngine, generation: StreamFactory
) -> None:
    async with connected(engine, generation) as client:
        client.says(INIT)
        await client.hears("stream_created")
        client.says(text("please wait for a long time"))
        await asyncio.to_thread(engine.waiting.wait, 10)
        client.says(text("and so on"), CANCEL)
        await client.hears_nothing_but_pong()
        engine.go_on.set()
        client.says(text("something else"), CLOSE)
        if generation is NEWER:
            await client.hears("segment_complete")
        done, _ = await client.hears("done")
        assert (done["segments_generated"], done["total_audio_ms"]) == (1, 200)
    assert engine.spoken == ["please wait for a long time", "something else"]


@both
async def test_cancel_before_the_stream_is_created_keeps_the_stream(
    engine: ScriptedEngine, generation: StreamFactory
) -> None:
    async with connected(engine, generation) as client:
        client.says(INIT, text("two words"), CANCEL)
        await client.hears("stream_created")
        await client.hears_nothing_but_pong()
        client.says(CLOSE)
        await client.hears("done")
    assert engine.spoken == []


@both
async def test_a_voice_that_does_not_exist_is_silent(engine: ScriptedEngine, generation: StreamFactory) -> None:
    async with connected(engine, generation) as client:
        client.says({**INIT, "voice": "zoe"})
        await client.hears("stream_created")
        client.says(text("hello there"), CLOSE)
        await client.hears_nothing_but_pong()
    assert engine.spoken == []


@both
async def test_empty_text_gets_no_answer(engine: ScriptedEngine, generation: StreamFactory) -> None:
    async with connected(engine, generation) as client:
        client.says(INIT)
        await client.hears("stream_created")
        client.says(text(""), text("  "))
        await client.hears_nothing_but_pong()
    assert engine.spoken == []


async def test_text_without_anything_speakable_is_a_segment_without_audio(engine: ScriptedEngine) -> None:
    async with connected(engine, NEWER) as client:
        client.says(INIT, text("**"))
        await client.hears("stream_created")
        complete, audio = await client.hears("segment_complete")
        assert (complete["audio_ms"], audio) == (0, 0)


@both
async def test_a_language_that_is_not_spoken_is_a_fatal_error(
    engine: ScriptedEngine, generation: StreamFactory
) -> None:
    async with connected(engine, generation) as client:
        client.says({**INIT, "language": "de"})
        error, _ = await client.hears("error")
        assert error["fatal"] is True
        assert "only en" in error["message"]
        client.says(INIT)
        await client.hears("stream_created")


@both
async def test_an_engine_that_fails_ends_the_stream(engine: ScriptedEngine, generation: StreamFactory) -> None:
    async with connected(engine, generation) as client:
        client.says(INIT)
        await client.hears("stream_created")
        client.says(text("now fail"))
        error, _ = await client.hears("error")
        assert error["fatal"] is True
        assert "no voice today" in error["message"]
        if generation is NEWER:
            client.says(INIT)
            await client.hears("stream_created")
        else:
            async with asyncio.timeout(60):
                await client.hung_up.wait()


@both
@pytest.mark.parametrize("frame", ["nonsense", "[]", b"\x00\x01", '{"type": "text"}', '{"type": "sing"}'])
async def test_a_frame_that_is_not_understood_changes_nothing(
    engine: ScriptedEngine, generation: StreamFactory, frame: str | bytes
) -> None:
    async with connected(engine, generation) as client:
        client.says(INIT)
        await client.hears("stream_created")
        client.says(frame)
        error, _ = await client.hears("error")
        assert (error["fatal"], bool(error["message"])) == (False, True)
        client.says(text("two words"), CLOSE)
        if generation is NEWER:
            await client.hears("segment_complete")
        await client.hears("done")


@both
async def test_text_without_a_stream_is_an_error(engine: ScriptedEngine, generation: StreamFactory) -> None:
    async with connected(engine, generation) as client:
        client.says(CLOSE, CANCEL, text("hello there"))
        error, _ = await client.hears("error")
        assert (error["fatal"], error["message"]) == (False, "there is no stream: send init first")


async def test_older_drops_the_connection_of_an_idle_stream(engine: ScriptedEngine, clock: Clock) -> None:
    async with connected(engine, OLDER) as client:
        client.says(INIT)
        await client.hears("stream_created")
        clock.now += 30
        client.times_out()
        async with asyncio.timeout(60):
            await client.hung_up.wait()


async def test_newer_forgets_an_idle_stream_and_keeps_the_connection(engine: ScriptedEngine, clock: Clock) -> None:
    async with connected(engine, NEWER) as client:
        client.says(INIT)
        await client.hears("stream_created")
        clock.now += 30
        client.times_out()
        client.says(CLOSE)
        await client.hears_nothing_but_pong()
        client.says(INIT, CLOSE)
        await client.hears("stream_created")
        await client.hears("done")


@both
async def test_a_request_starts_the_idle_time_anew(
    engine: ScriptedEngine, generation: StreamFactory, clock: Clock
) -> None:
    async with connected(engine, generation) as client:
        client.says(INIT)
        await client.hears("stream_created")
        for _ in range(3):
            clock.now += 29
            client.times_out()
            await client.hears_nothing_but_pong()
        client.says(CLOSE)
        await client.hears("done")


@both
async def test_a_stream_that_speaks_is_not_idle(
    engine: ScriptedEngine, generation: StreamFactory, clock: Clock
) -> None:
    async with connected(engine, generation) as client:
        client.says(INIT)
        await client.hears("stream_created")
        client.says(text("wait long"))
        await asyncio.to_thread(engine.waiting.wait, 10)
        clock.now += 31
        client.times_out()
        await client.hears_nothing_but_pong()
        clock.now += 29
        engine.go_on.set()
        assert await client.hears_audio() > 0
