"""The chunked LLM server in front of a llama.cpp that is scripted: what a healthy one won't do on request."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from llm_talk import JOKE, SECONDS, Fields, Talk, health_of, talk_to

from probe.reference import llama
from probe.reference.llama import connect
from probe.reference.llm_connection import Engine
from probe.reference.llm_prompt import EMPTY_THINK_BLOCK
from probe.reference.llm_server import build_app
from probe.reference.llm_slots import Slots

SENTENCE = {"sentence_boundary": True}
Script = Callable[[web.StreamResponse], Awaitable[None]]


class ScriptedLlama:
    """An HTTP server that answers completions by one script each and keeps what it was asked for."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.bodies: list[Fields] = []
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self.status = 200
        self.working = self.most_working = 0
        # When each completion was asked for, and when its answer was complete, in seconds of the loop's clock.
        self.came: list[float] = []
        self.left_at: list[float] = []

    async def completion(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.came.append(asyncio.get_running_loop().time())
        answer = web.StreamResponse(status=self.status)
        await answer.prepare(request)
        self.asked.set()
        self.working += 1
        self.most_working = max(self.most_working, self.working)
        try:
            await self.scripts.pop(0)(answer)
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise
        finally:
            self.working -= 1
            self.left_at.append(asyncio.get_running_loop().time())
        return answer

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(status=self.status)


def says(*contents: str, stop: str | None = "eos") -> Script:
    """Return a script that sends tokens and, unless `stop` is None, the last event."""

    async def script(answer: web.StreamResponse) -> None:
        for number, content in enumerate(contents, 1):
            await send_event(answer, content=content, tokens_predicted=number, stop=False)
        if stop is not None:
            await send_event(answer, content="", tokens_predicted=len(contents), stop=True, stop_type=stop)

    return script


def says_slowly(*contents: str) -> Script:
    async def script(answer: web.StreamResponse) -> None:
        await asyncio.sleep(0.05)
        await says(*contents)(answer)

    return script


def says_then_freezes(*contents: str) -> Script:
    async def script(answer: web.StreamResponse) -> None:
        await says(*contents, stop=None)(answer)
        await asyncio.sleep(SECONDS)

    return script


def breaks_off(*contents: str) -> Script:
    async def script(answer: web.StreamResponse) -> None:
        await says(*contents, stop=None)(answer)
        assert answer._req
        assert answer._req.transport
        answer._req.transport.abort()

    return script


def writes(data: bytes) -> Script:
    async def script(answer: web.StreamResponse) -> None:
        await answer.write(data)

    return script


async def send_event(answer: web.StreamResponse, **event: object) -> None:
    await answer.write(b"data: " + json.dumps(event).encode() + b"\n\n")


@pytest.fixture
async def scripted() -> ScriptedLlama:
    return ScriptedLlama()


@pytest.fixture
async def llama_url(scripted: ScriptedLlama) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/completion", scripted.completion)
    app.router.add_get("/health", scripted.health)
    async with TestServer(app, handler_cancellation=True, shutdown_timeout=0.1) as server:
        yield str(server.make_url("")).rstrip("/")


@asynccontextmanager
async def serving(
    llama_url: str, *, slots: int = 1, cooldown: float = 0, answer_prefix: str = "", silence: float = SECONDS
) -> AsyncIterator[str]:
    async with connect(llama_url, silence) as client:
        app = build_app(Engine(client, Slots(slots), cooldown, answer_prefix))
        async with TestServer(app, shutdown_timeout=1) as server:
            yield str(server.make_url("/ws")).replace("http://", "ws://")


@pytest.fixture
async def talk(llama_url: str) -> AsyncIterator[Talk]:
    async with serving(llama_url) as url, talk_to(url) as talk:
        yield talk


async def start(talk: Talk, **fields: object) -> tuple[list[str], Fields]:
    defaults = {"action": "start_stream", "stream_id": "s", "messages": JOKE, "stream_tokens": True}
    return await talk.chunk(**(defaults | fields))


@pytest.mark.parametrize(
    ("script", "pause", "kind", "reason", "text"),
    [
        (says("Hi", " you", stop="word"), {}, "done", "stop_word", "Hi you"),
        (says("Hi", " you"), {}, "done", "eos", "Hi you"),
        (says(), {"max_tokens": 5}, "done", "eos", ""),
        (says("Hi", "."), SENTENCE, "done", "sentence_boundary_eos", "Hi."),
        (says("Hi", ".", stop="word"), SENTENCE, "done", "sentence_boundary_eos", "Hi."),
        (says("Hi", ".", " I", " am"), SENTENCE, "paused", "sentence_boundary", "Hi. I"),
        (says("so ", "so ", stop="limit"), {"max_tokens": 2}, "paused", "max_tokens", "so so "),
        (says("a", "b", "c", "d"), {"max_tokens": 2}, "paused", "max_tokens", "ab"),
        (says(stop=None), {}, "done", "empty_response", ""),
        (says("Hi", stop=None), {}, "done", "connection_error", "Hi"),
        (breaks_off(), {}, "done", "connection_error", ""),
        (breaks_off("Hi"), {}, "done", "connection_error", "Hi"),
        (breaks_off("Hi", "."), SENTENCE, "done", "connection_error", "Hi."),
        (writes(b"data: oops\n\n"), {}, "done", "empty_response", ""),
        (writes(b'data: {"error": {"message": "out of memory"}}\n\n'), {}, "done", "empty_response", ""),
        (writes(b"\xff" * 100), {}, "done", "empty_response", ""),
    ],
)
async def test_how_a_chunk_ends(
    scripted: ScriptedLlama, talk: Talk, script: Script, pause: Fields, kind: str, reason: str, text: str
) -> None:
    scripted.scripts = [script]
    tokens, reply = await start(talk, pause=pause)
    assert (reply["type"], reply["reason"], reply["text"]) == (kind, reason, text)
    assert "".join(tokens) == text
    assert len(tokens) == reply["tokens"]
    assert (reply["ttft_ms"] is None) == (not tokens)


async def test_llama_cpp_that_refuses_is_an_empty_response(scripted: ScriptedLlama, talk: Talk) -> None:
    scripted.status, scripted.scripts = 500, [writes(b'{"error": {"message": "no"}}')]
    _, reply = await start(talk)
    assert (reply["type"], reply["reason"]) == ("done", "empty_response")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b'{"error": {"message": "Invalid API Key"}}', "llama.cpp answers HTTP 401: Invalid API Key"),
        (503, b'{"error": {"message": "Loading model"}}', "llama.cpp answers HTTP 503: Loading model"),
        (403, b"", "llama.cpp answers HTTP 403: without a word"),
        (503, b'{"error": 7}', 'llama.cpp answers HTTP 503: {"error": 7}'),
    ],
)
async def test_a_wrong_key_and_a_model_that_is_loading_are_told_apart(
    scripted: ScriptedLlama, talk: Talk, status: int, body: bytes, said: str
) -> None:
    scripted.status, scripted.scripts = status, [writes(body)]
    _, reply = await start(talk)
    assert reply == {"stream_id": "s", "error": said}
    _, reply = await talk.chunk(action="continue_stream", stream_id="s")
    assert reply["reason"] == "already_done"


async def test_stream_is_done_after_a_failure_and_keeps_its_slot(scripted: ScriptedLlama, talk: Talk) -> None:
    scripted.scripts = [breaks_off()]
    await start(talk)
    _, reply = await talk.chunk(action="continue_stream", stream_id="s")
    assert reply["reason"] == "already_done"
    assert "No slots" in (await start(talk, stream_id="t"))[1]["error"]


async def test_dead_llama_cpp() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        llama_url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with serving(llama_url, cooldown=0.25) as url, talk_to(url) as talk:
            _, reply = await start(talk)
            assert (reply["type"], reply["reason"], reply["text"]) == ("done", "connection_error", "")
            assert await health_of(url) == {
                "status": "degraded",
                "llama_server": "unreachable",
                "llama_url": llama_url,
                "active_streams": 1,
                "slot_cooldown_ms": 250,
            }


async def test_frozen_llama_cpp(scripted: ScriptedLlama, llama_url: str) -> None:
    scripted.scripts = [says_then_freezes("Hi")]
    async with serving(llama_url, silence=1.0) as url, talk_to(url) as talk:
        tokens, reply = await start(talk)
    assert (tokens, reply["type"], reply["reason"], reply["text"]) == (["Hi"], "done", "connection_error", "Hi")


async def test_health_of_a_frozen_llama_cpp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "HEALTH_SECONDS", 0.1)
    with socket.socket() as frozen:
        frozen.bind(("127.0.0.1", 0))
        frozen.listen()
        async with serving(f"http://127.0.0.1:{frozen.getsockname()[1]}") as url:
            health = await health_of(url)
    assert (health["status"], health["llama_server"]) == ("degraded", "unreachable")


async def test_health_while_llama_cpp_loads(scripted: ScriptedLlama, llama_url: str) -> None:
    scripted.status = 503
    async with serving(llama_url) as url:
        assert (await health_of(url))["status"] == "degraded"


async def test_end_of_a_stream_that_waits_for_llama_cpp(scripted: ScriptedLlama, talk: Talk) -> None:
    scripted.scripts = [says_then_freezes()]
    await talk.send(action="start_stream", stream_id="s", messages=JOKE, stream_tokens=True)
    async with asyncio.timeout(SECONDS):
        await scripted.asked.wait()
    assert await talk.ask(action="end_stream", stream_id="s") == {"stream_id": "s", "status": "ended"}
    async with asyncio.timeout(SECONDS):
        await scripted.left.wait()


async def test_requests_to_llama_cpp(scripted: ScriptedLlama, llama_url: str) -> None:
    scripted.scripts = [says(" One", stop="limit"), says(" two")]
    async with serving(llama_url, answer_prefix=EMPTY_THINK_BLOCK) as url, talk_to(url) as talk:
        await start(talk, pause={"max_tokens": 1})
        await talk.chunk(action="continue_stream", stream_id="s", pause=SENTENCE)
    first, second = scripted.bodies
    prompt = f"<|im_start|>user\n{JOKE[0]['content']}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert first == {
        "prompt": prompt,
        "n_predict": 1,
        "temperature": 0.7,
        "top_p": 0.95,
        "top_k": 40,
        "repeat_penalty": 1.1,
        "stop": ["<|im_end|>"],
        "cache_prompt": True,
        "id_slot": 0,
        "stream": True,
    }
    assert second == first | {"prompt": f"{prompt} One", "n_predict": 200}


async def test_chunks_of_two_streams_on_a_connection_take_turns(scripted: ScriptedLlama, llama_url: str) -> None:
    scripted.scripts = [says_slowly("a", "b"), says("c", "d")]
    async with serving(llama_url, slots=2) as url, talk_to(url) as talk:
        for stream_id in ("s", "t"):
            await talk.send(action="start_stream", stream_id=stream_id, messages=JOKE, stream_tokens=True)
        assert [(await talk.rest_of_chunk())[0] for _ in range(2)] == [["a", "b"], ["c", "d"]]
    assert [body["id_slot"] for body in scripted.bodies] == [0, 1]
    assert scripted.most_working == 1


async def test_two_connections_are_served_at_a_time(scripted: ScriptedLlama, llama_url: str) -> None:
    scripted.scripts = [says_then_freezes("a"), says("b")]
    async with serving(llama_url, slots=2) as url, talk_to(url) as one, talk_to(url) as other:
        await one.send(action="start_stream", stream_id="s", messages=JOKE, stream_tokens=True)
        assert (await one.receive())["content"] == "a"
        tokens, _ = await start(other)
    assert tokens == ["b"]
    assert scripted.most_working == 2


async def test_slot_cools_down_between_requests(scripted: ScriptedLlama, llama_url: str) -> None:
    scripted.scripts = [says("a", stop="limit"), says("b")]
    async with serving(llama_url, cooldown=0.3) as url, talk_to(url) as talk:
        await start(talk, pause={"max_tokens": 1})
        await talk.chunk(action="continue_stream", stream_id="s")
    # As llama.cpp sees it, the pause is at least as long.
    assert scripted.came[1] - scripted.left_at[0] >= 0.3


async def test_server_that_stops_says_goodbye(llama_url: str) -> None:
    async with serving(llama_url) as url:
        connection = talk_to(url)
        talk = await connection.__aenter__()
    assert not await talk.dropped()
    assert talk.socket.close_code == 1001
    await connection.__aexit__(None, None, None)
