"""The whole protocol, on a real llama.cpp and a real model."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from functools import partial

import pytest
from llm_talk import JOKE, STORY, Fields, Talk, fetch, health_of, talk_to, wait_until

SENTENCE = {"sentence_boundary": True}
# Tokens that take seconds, so that a request sent with the first one comes long before the last.
LONG = 200
LONG_PROMPT = [
    {"role": "system", "content": "You are a helpful assistant. " + "Answer in short sentences, and be kind. " * 8},
    *STORY,
]


class LlamaCpp:
    """What llama.cpp itself reports about its work."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def idle(self) -> bool:
        return not any(slot["is_processing"] for slot in json.loads(await fetch(f"{self.url}/slots")))

    async def prompt_tokens(self) -> int:
        """Return how many prompt tokens were evaluated since the start, those from the cache not counted."""
        metrics = await fetch(f"{self.url}/metrics")
        return int(metrics.partition("\nllamacpp:prompt_tokens_total ")[2].split()[0])


@pytest.fixture
async def llama_cpp(llm_server: str) -> LlamaCpp:
    return LlamaCpp((await health_of(llm_server))["llama_url"])


@pytest.fixture
async def talk(llm_server: str, llama_cpp: LlamaCpp) -> AsyncIterator[Talk]:
    async with talk_to(llm_server) as talk:
        yield talk
    await wait_until(partial(no_streams, llm_server))
    await wait_until(llama_cpp.idle)


async def no_streams(url: str) -> bool:
    return bool((await health_of(url))["active_streams"] == 0)


async def start(talk: Talk, **fields: object) -> tuple[list[str], Fields]:
    defaults = {"action": "start_stream", "stream_id": "s", "messages": JOKE, "temperature": 0, "stream_tokens": True}
    return await talk.chunk(**(defaults | fields))


async def go_on(talk: Talk, **fields: object) -> tuple[list[str], Fields]:
    return await talk.chunk(**({"action": "continue_stream", "stream_id": "s"} | fields))


async def test_health(llm_server: str, talk: Talk) -> None:
    health = await health_of(llm_server)
    llama_url = health.pop("llama_url")
    assert llama_url.startswith("http://127.0.0.1:")
    expected = {"status": "ok", "llama_server": "healthy", "active_streams": 0, "slot_cooldown_ms": 0}
    assert health == expected
    await start(talk, pause={"max_tokens": 1})
    assert (await health_of(llm_server))["active_streams"] == 1


async def test_ping(talk: Talk) -> None:
    assert await talk.ask(action="ping") == {"status": "pong"}


@pytest.mark.parametrize("most", [1, 10, 33])
async def test_pauses_after_exactly_so_many_tokens(talk: Talk, most: int) -> None:
    tokens, reply = await start(talk, messages=STORY, pause={"max_tokens": most})
    assert set(reply) == {"type", "reason", "text", "tokens", "ttft_ms", "elapsed_ms"}
    assert (reply["type"], reply["reason"], reply["tokens"]) == ("paused", "max_tokens", most)
    assert len(tokens) == most
    assert "".join(tokens) == reply["text"]


async def test_characters_of_several_tokens_count_their_tokens(talk: Talk) -> None:
    emojis = [{"role": "user", "content": "Repeat this line: 🦄 🐉 🦄 🐉 🦄 🐉"}]
    tokens, reply = await start(talk, messages=emojis, pause={"max_tokens": 20})
    assert len(tokens) == reply["tokens"] <= 20
    assert "".join(tokens) == reply["text"]
    assert reply["type"] == "done" or len(tokens) == 20


async def test_response_in_sentences(talk: Talk) -> None:
    _, reply = await start(talk, messages=STORY, pause={"max_tokens": 5})
    for _ in range(3):
        tokens, reply = await go_on(talk, pause=SENTENCE)
        assert (reply["type"], reply["reason"]) == ("paused", "sentence_boundary")
        assert "".join(tokens) == reply["text"]
        assert "".join(tokens[:-1]).rstrip("\"'”)")[-1] in ".!?"  # the last token is the peeked one


async def test_response_to_its_end(talk: Talk) -> None:
    texts, reply = [], (await start(talk, pause={"max_tokens": 4}))[1]
    while reply["type"] == "paused":
        texts.append(reply["text"])
        reply = (await go_on(talk, pause=SENTENCE))[1]
    assert reply["reason"] in {"eos", "sentence_boundary_eos"}
    assert (await go_on(talk))[1] == {
        "type": "done",
        "reason": "already_done",
        "text": "",
        "tokens": 0,
        "ttft_ms": None,
        "elapsed_ms": 0.0,
    }


async def test_without_a_pause_the_model_ends(talk: Talk) -> None:
    tokens, reply = await start(talk)
    assert (reply["type"], reply["reason"]) == ("done", "eos")
    assert "".join(tokens) == reply["text"] != ""
    assert "<|im_end|>" not in reply["text"]


async def test_buffered_replies(talk: Talk) -> None:
    tokens, first = await start(talk, messages=STORY, stream_tokens=False, pause={"max_tokens": 6})
    assert tokens == []
    assert first.pop("ttft_ms") > 0
    assert first.pop("text") == first.pop("full_text") != ""
    assert first == {
        "stream_id": "s",
        "status": "started",
        "tokens": 6,
        "paused": True,
        "reason": "max_tokens",
        "done": False,
    }


async def test_full_text_is_all_chunks_joined(talk: Talk) -> None:
    _, first = await start(talk, messages=STORY, stream_tokens=False, pause={"max_tokens": 6})
    _, second = await go_on(talk, pause={"max_tokens": 6})
    assert second["full_text"] == f"{first['text']}{second['text']}"


async def test_temperature_zero_is_repeatable(talk: Talk) -> None:
    texts = set()
    for stream_id in ("s1", "s2"):
        _, reply = await start(talk, stream_id=stream_id, pause={"max_tokens": 8})
        texts.add(reply["text"])
        await talk.ask(action="end_stream", stream_id=stream_id)
    assert len(texts) == 1


async def test_end_frees_the_slot(llm_server: str, talk: Talk) -> None:
    await start(talk, pause={"max_tokens": 1})
    async with talk_to(llm_server) as other:
        refused = await other.ask(action="start_stream", stream_id="t", messages=JOKE)
        assert refused == {"stream_id": "t", "error": "No slots available (max 1)"}
        assert await talk.ask(action="end_stream", stream_id="s") == {"stream_id": "s", "status": "ended"}
        _, reply = await start(other, stream_id="t", pause={"max_tokens": 1})
        assert reply["reason"] == "max_tokens"
        assert await other.ask(action="end_stream", stream_id="t") == {"stream_id": "t", "status": "ended"}


async def test_streams_that_are_not_there(talk: Talk) -> None:
    not_found = {"stream_id": "s", "error": "Stream not found"}
    assert await talk.ask(action="continue_stream", stream_id="s") == not_found
    assert await talk.ask(action="end_stream", stream_id="s") == not_found
    await start(talk, pause={"max_tokens": 1})
    assert await talk.ask(action="end_stream", stream_id="s") == {"stream_id": "s", "status": "ended"}
    assert await talk.ask(action="continue_stream", stream_id="s") == not_found


async def test_errors_leave_the_connection_usable(talk: Talk) -> None:
    assert await talk.ask(action="start_stream", messages=JOKE) == {"error": "stream_id required"}
    assert await talk.ask(action="x") == {"error": "Unknown action: x"}
    await talk.send_frame("[1, 2]")
    assert await talk.receive() == {"error": "A request must be a JSON object"}
    _, reply = await start(talk, messages="Hi")
    assert reply == {"stream_id": "s", "error": "messages must be a list of one or more {role, content}"}
    _, reply = await start(talk, pause={"max_tokens": 1})
    assert reply["reason"] == "max_tokens"
    _, reply = await start(talk)
    assert reply == {"stream_id": "s", "error": "Stream already exists"}


@pytest.mark.parametrize("frame", ["not json", b"\xff\xfe", b'{"action": "ping"}'])
async def test_bad_frame_drops_the_connection_without_a_close_frame(
    llm_server: str, talk: Talk, frame: str | bytes
) -> None:
    async with talk_to(llm_server) as doomed:
        await start(doomed, pause={"max_tokens": 1})
        await doomed.send_frame(frame)
        assert await doomed.dropped()
    assert await talk.ask(action="ping") == {"status": "pong"}


async def test_end_while_generating_stops_llama_cpp(talk: Talk, llama_cpp: LlamaCpp) -> None:
    await talk.send(action="start_stream", stream_id="s", messages=STORY, stream_tokens=True)
    assert (await talk.receive())["type"] == "token"
    assert not await llama_cpp.idle()
    _, reply = await talk.chunk(action="end_stream", stream_id="s")
    assert reply == {"stream_id": "s", "status": "ended"}
    await wait_until(llama_cpp.idle)
    assert await talk.ask(action="ping") == {"status": "pong"}


async def test_client_that_goes_away_frees_its_slot_and_stops_llama_cpp(llm_server: str, llama_cpp: LlamaCpp) -> None:
    async with talk_to(llm_server) as talk:
        await talk.send(action="start_stream", stream_id="s", messages=STORY, stream_tokens=True)
        assert (await talk.receive())["type"] == "token"
        talk.socket.transport.abort()

    await wait_until(partial(no_streams, llm_server))
    await wait_until(llama_cpp.idle)


async def test_continue_while_generating_is_refused_and_harmless(talk: Talk) -> None:
    await talk.send(
        action="start_stream", stream_id="s", messages=STORY, stream_tokens=True, pause={"max_tokens": LONG}
    )
    assert (await talk.receive())["type"] == "token"
    before, refused = await talk.chunk(action="continue_stream", stream_id="s")
    assert refused == {"stream_id": "s", "error": "Stream is generating"}
    after, reply = await talk.rest_of_chunk()
    assert (reply["reason"], 1 + len(before) + len(after)) == ("max_tokens", LONG)


async def test_requests_are_answered_while_a_chunk_is_generated(talk: Talk) -> None:
    await talk.send(
        action="start_stream", stream_id="s", messages=STORY, stream_tokens=True, pause={"max_tokens": LONG}
    )
    _, reply = await talk.chunk(action="ping")
    assert reply == {"status": "pong"}
    _, reply = await talk.rest_of_chunk()
    assert reply["reason"] == "max_tokens"


@pytest.mark.parametrize("pause", [{"max_tokens": 10}, SENTENCE])
async def test_continuation_evaluates_hardly_any_prompt_tokens(
    talk: Talk, llama_cpp: LlamaCpp, pause: dict[str, object]
) -> None:
    fresh = [{"role": "system", "content": f"Conversation {uuid.uuid4()}."}, *LONG_PROMPT]
    before = await llama_cpp.prompt_tokens()
    await start(talk, messages=fresh, pause=pause)
    after_first = await llama_cpp.prompt_tokens()
    await go_on(talk, pause=pause)
    after_second = await llama_cpp.prompt_tokens()
    assert after_first - before > 100
    assert 1 <= after_second - after_first <= 10


async def test_prompt_longer_than_the_context_is_an_empty_response(talk: Talk) -> None:
    _, reply = await start(talk, messages=[{"role": "user", "content": "so " * 9000}])
    assert (reply["type"], reply["reason"], reply["text"]) == ("done", "empty_response", "")


async def test_connections_that_come_and_go_leave_no_stream(llm_server: str, talk: Talk) -> None:
    async def one() -> None:
        async with talk_to(llm_server) as other:
            await other.send(action="start_stream", stream_id="s", messages=JOKE, stream_tokens=True)
            await other.receive()

    await asyncio.gather(*(one() for _ in range(20)))
    assert await talk.ask(action="ping") == {"status": "pong"}
