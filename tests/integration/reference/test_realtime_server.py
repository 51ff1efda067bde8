"""`probe serve realtime` with a scripted llama.cpp and engine, as OpenAI's own client and as the probe see it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import openai
import patience
import pytest
from aiohttp.test_utils import TestServer
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from probe import config
from probe.audio import write_wav
from probe.daemon.plans import entries
from probe.measurement import measure
from probe.measures import measure_run, outcome
from probe.plan import new_plan
from probe.reference.faults import CHAT, HttpScript, Reply, ScriptedHttp, chat
from probe.reference.realtime.server import PATH, application
from probe.reference.realtime.settings import SAMPLE_RATE
from probe.reference.speech.engine import Utterance
from probe.reference.speech.synthesizer import Synthesizer

DEADLINE = 60.0
PIECE = np.sin(np.arange(4800, dtype=np.float32) / 20) * np.linspace(0.1, 0.9, 4800, dtype=np.float32)
SAID = "Tell me a joke about a unicorn."
ANSWER = ("Hello", " there.", " How", " are", " you?")
# Each event as OpenAI's own types have it, nothing missing.
EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


class Engine:
    languages = ("en",)

    def load(self) -> None:
        pass

    def utter(self, text: str, voice: str, language: str) -> Utterance:  # noqa: ARG002 - the engines' signature
        return Utterance(SAMPLE_RATE, iter([PIECE] * 2))


class Endless(Engine):
    def utter(self, text: str, voice: str, language: str) -> Utterance:  # noqa: ARG002 - as above
        def pieces() -> Iterator[Any]:
            while True:
                yield PIECE

        return Utterance(SAMPLE_RATE, pieces())


@asynccontextmanager
async def serving(engine: Engine | None = None, *answers: Any, sessions: int = 1) -> AsyncIterator[str]:
    """Yield the server's address, with `ws` for its scheme."""
    voice = Synthesizer(engine or Engine(), SAMPLE_RATE)
    script = HttpScript(answers={CHAT: answers or (chat.answer(*ANSWER),)})
    async with (
        asyncio.timeout(DEADLINE),
        ScriptedHttp(script) as llama,
        application(llama.http_url, voice, "aria", "smol", sessions, SAID)() as app,
        TestServer(app) as server,
    ):
        yield str(server.make_url("/")).replace("http", "ws", 1)
    voice.close()


@asynccontextmanager
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key="none", websocket_base_url=f"{url}v1", max_retries=0) as made:
        yield made


async def test_openais_own_client_is_content() -> None:
    async with (
        serving() as url,
        client(url) as made,
        made.realtime.connect(model="gpt-realtime") as connection,
    ):
        await connection.session.update(
            session={
                "type": "realtime",
                "instructions": "Be brief.",
                "output_modalities": ["audio"],
                "audio": {"output": {"voice": "alloy", "format": {"type": "audio/pcm", "rate": 24_000}}},
            }
        )
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
        )
        await connection.response.create()
        text, pcm, kinds = "", b"", []
        async for event in connection:
            EVENT.validate_python(event.to_dict(), strict=False)
            kinds.append(event.type)
            if event.type == "response.output_audio_transcript.delta":
                text += event.delta
            elif event.type == "response.output_audio.delta":
                pcm += base64.b64decode(event.delta)
            elif event.type == "response.done":
                assert event.response.status == "completed"
                break
    assert text == "".join(ANSWER)
    assert len(pcm) == 2 * 2 * 2 * len(PIECE)
    assert kinds[:4] == ["session.created", "session.updated", "conversation.item.added", "conversation.item.done"]


async def received(socket: aiohttp.ClientWebSocketResponse, last: str) -> list[dict[str, Any]]:
    """All events up to one of this kind."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != last:
        found.append(await socket.receive_json())
    return found


@pytest.mark.parametrize(("headers", "name"), [({}, "output_audio"), ({"OpenAI-Beta": "realtime=v1"}, "audio")])
async def test_each_dialect_has_its_names(headers: dict[str, str], name: str) -> None:
    async with (
        serving() as url,
        aiohttp.ClientSession() as http,
        http.ws_connect(url + PATH[1:], headers=headers) as ws,
    ):
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]}
        await ws.send_json({"type": "conversation.item.create", "item": item})
        await ws.send_json({"type": "response.create"})
        kinds = {event["type"] for event in await received(ws, "response.done")}
    assert {f"response.{name}.delta", f"response.{name}.done", f"response.{name}_transcript.delta"} <= kinds


async def test_a_response_is_cancelled_and_the_next_one_comes() -> None:
    async with serving(Endless()) as url, aiohttp.ClientSession() as http, http.ws_connect(url + PATH[1:]) as ws:
        await ws.send_json({"type": "response.create"})
        await received(ws, "response.output_audio.delta")
        await ws.send_json({"type": "response.create", "event_id": "mine"})
        refused = (await received(ws, "error"))[-1]["error"]
        await ws.send_json({"type": "response.cancel"})
        ended = (await received(ws, "response.done"))[-1]["response"]
        await ws.send_json({"type": "response.cancel"})
        gone = (await received(ws, "error"))[-1]["error"]
        await ws.send_json({"type": "response.create"})
        await received(ws, "response.created")
    assert (refused["event_id"], ended["status"]) == ("mine", "cancelled")
    assert gone["code"] == "response_cancel_not_active"


async def test_who_comes_when_all_sessions_are_taken_is_turned_away() -> None:
    async with serving() as url, aiohttp.ClientSession() as http:
        async with http.ws_connect(url + PATH[1:]) as first:
            await received(first, "session.created")
            async with http.ws_connect(url + PATH[1:]) as second:
                assert (await second.receive_json())["error"]["code"] == "session_limit_reached"
                assert (await second.receive()).type is aiohttp.WSMsgType.CLOSE
        async with http.ws_connect(url + PATH[1:]) as again:
            await received(again, "session.created")


WRONG = (
    "{", "[]", "7", '{"type": "input_audio_buffer.append"}', '{"type": 7}', '{"type": "session.update"}',
    '{"type": "session.update", "session": {"voice": "nobody"}}',
    '{"type": "session.update", "session": {"output_modalities": ["text"]}}',
    '{"type": "session.update", "session": {"instructions": 7}}',
    '{"type": "session.update", "session": {"temperature": true}}',
    '{"type": "session.update", "session": {"max_output_tokens": 0}}',
    '{"type": "session.update", "session": {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}}',
    '{"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{}]}}',
    '{"type": "conversation.item.create", "item": {"type": "function_call"}}',
)  # fmt: skip


async def test_what_is_wrong_is_an_error_and_the_session_goes_on() -> None:
    async with serving() as url, aiohttp.ClientSession() as http, http.ws_connect(url + PATH[1:]) as ws:
        for wrong in WRONG:
            await ws.send_str(wrong)
            EVENT.validate_python((await received(ws, "error"))[-1])
        await ws.send_json({"type": "session.update", "session": {}})
        await received(ws, "session.updated")


async def test_an_llm_that_fails_is_a_response_that_failed() -> None:
    broken = (Reply(500, {"error": "no"}),)
    async with serving(None, broken) as url, aiohttp.ClientSession() as http, http.ws_connect(url + PATH[1:]) as ws:
        await ws.send_json({"type": "response.create"})
        ended = (await received(ws, "response.done"))[-1]["response"]
    assert (ended["status"], ended["status_details"]["error"]["message"]) == ("failed", "llama.cpp answers 500")


async def test_the_probe_measures_it(tmp_path: Path) -> None:
    async with serving() as url:
        path = tmp_path / "probe.toml"
        path.write_text(f'[targets.t.agent]\nurl = "{url}{PATH[1:]}"\n[scenarios.s]\nturns = 2\nturn_pause_s = 0\n')
        (entry,) = entries(config.load(path))
        done = await measure(new_plan(entry.target, entry.scenario), tolerance=patience.PATIENT)
    assert outcome(done.record) != "failed", done.record.failure
    for turn, measured in zip(done.record.turns, measure_run(done.record), strict=True):
        assert (turn.chunks[0].text, turn.usage_tokens) == ("".join(ANSWER), len(ANSWER))
        assert measured.response_ttfb_ms is not None and measured.chunks[0].llm_ttft_ms is not None


def tone(ms: int) -> bytes:
    count = SAMPLE_RATE * ms // 1000
    return (np.sin(np.arange(count) / 20) * 8000).astype("<i2").tobytes()


def silence(ms: int) -> bytes:
    return bytes(2 * SAMPLE_RATE * ms // 1000)


async def say(socket: aiohttp.ClientWebSocketResponse, pcm: bytes) -> None:
    for start in range(0, len(pcm), 4800):
        audio = base64.b64encode(pcm[start : start + 4800]).decode()
        await socket.send_json({"type": "input_audio_buffer.append", "audio": audio})


async def heard(socket: aiohttp.ClientWebSocketResponse, **hearing: Any) -> None:
    """Set up how it hears."""
    await socket.send_json({"type": "session.update", "session": {"type": "realtime", "audio": {"input": hearing}}})
    (*_, updated) = await received(socket, "session.updated")
    assert {**updated["session"]["audio"]["input"], **hearing} == updated["session"]["audio"]["input"] | hearing


async def test_it_finds_the_end_of_speech_and_answers_by_itself() -> None:
    async with serving() as url, aiohttp.ClientSession() as http, http.ws_connect(url + PATH[1:]) as ws:
        await heard(ws, turn_detection={"type": "server_vad", "silence_duration_ms": 200}, transcription={"model": "x"})
        await say(ws, silence(100) + tone(20) + silence(300))
        await say(ws, tone(300) + silence(200))
        events = await received(ws, "response.done")
    for event in events:
        EVENT.validate_python(event, strict=False)
    kinds = [event["type"] for event in events]
    assert kinds[:6] == [
        "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed",
        "conversation.item.added", "conversation.item.done", "conversation.item.input_audio_transcription.completed",
    ], "a click is no speech"  # fmt: skip
    assert (events[0]["audio_start_ms"], events[1]["audio_end_ms"]) == (420, 920)
    assert events[5]["transcript"] == SAID
    assert len({event["item_id"] for event in events if "input" in event["type"]}) == 1


async def test_it_is_told_the_end_of_speech_where_it_shall_not_find_it() -> None:
    async with serving() as url, aiohttp.ClientSession() as http, http.ws_connect(url + PATH[1:]) as ws:
        await heard(ws, turn_detection=None)
        await ws.send_json({"type": "input_audio_buffer.commit"})
        (refused,) = await received(ws, "error")
        assert refused["error"]["code"] == "input_audio_buffer_commit_empty"
        await say(ws, tone(200) + silence(1000))
        await ws.send_json({"type": "input_audio_buffer.commit"})
        committed, *_ = await received(ws, "conversation.item.done")
        assert committed["type"] == "input_audio_buffer.committed"
        await ws.send_json({"type": "response.create"})
        assert (await received(ws, "response.done"))[-1]["response"]["status"] == "completed"


async def test_speech_ends_its_answer() -> None:
    async with serving(Endless()) as url, aiohttp.ClientSession() as http, http.ws_connect(url + PATH[1:]) as ws:
        await heard(ws, turn_detection={"type": "server_vad", "silence_duration_ms": 100})
        await say(ws, tone(200) + silence(100))
        *_, audio = await received(ws, "response.output_audio.delta")
        await say(ws, tone(100))
        *_, done = await received(ws, "response.done")
        EVENT.validate_python(done, strict=False)
        assert (done["response"]["id"], done["response"]["status"]) == (audio["response_id"], "cancelled")
        assert done["response"]["status_details"]["reason"] == "turn_detected"
        await ws.send_json({
            "type": "conversation.item.truncate", "item_id": audio["item_id"], "content_index": 0, "audio_end_ms": 7,
        })  # fmt: skip
        await ws.send_json({"type": "input_audio_buffer.clear"})
        *_, truncated, cleared = await received(ws, "input_audio_buffer.cleared")
        assert (truncated["audio_end_ms"], cleared["type"]) == (7, "input_audio_buffer.cleared")


@pytest.mark.parametrize(
    "wrong",
    [
        {"turn_detection": {"type": "semantic_vad"}},
        {"turn_detection": {"type": "server_vad", "silence_duration_ms": 0}},
        {"format": {"type": "audio/pcmu"}},
        {"format": {"type": "audio/pcm", "rate": 16_000}},
    ],
)
async def test_what_it_can_not_hear_is_an_error(wrong: dict[str, Any]) -> None:
    async with serving() as url, aiohttp.ClientSession() as http, http.ws_connect(url + PATH[1:]) as ws:
        await ws.send_json({"type": "session.update", "session": {"type": "realtime", "audio": {"input": wrong}}})
        *_, refused = await received(ws, "error")
        assert refused["error"]["param"].startswith("session.audio.input.")
        await ws.send_json({"type": "input_audio_buffer.append", "audio": "?"})
        *_, refused = await received(ws, "error")
        assert refused["error"]["param"] == "audio"


@pytest.mark.parametrize("endpointing", ["server", "probe"])
async def test_the_probe_measures_how_it_hears(tmp_path: Path, endpointing: str) -> None:
    recording = tmp_path / "said.wav"
    write_wav(recording, silence(100) + tone(400) + silence(100), SAMPLE_RATE)
    async with serving() as url:
        agent = {"url": url + PATH[1:], "endpointing": endpointing, "transcription_model": "scripted"}
        vad = {"turn_detection": {"silence_duration_ms": 300}} if endpointing == "server" else {}
        target = config.TargetConfig.of(agent=agent | vad, objective_measure="voice_to_voice", objective_ms=60_000)
        scenario = config.ScenarioConfig.of(user_turns=[SAID], user_audio=[str(recording)], turns=2, turn_pause_s=0.0)
        plan = new_plan(target.record("agent"), scenario.record("default"))
        record = (await measure(plan, patience.PATIENT)).record
    assert outcome(record) == "ok", (record.failure, record.doubts)
    for turn, measured in zip(record.turns, measure_run(record), strict=True):
        assert turn.heard is not None and turn.heard.transcript == SAID
        assert measured.word_error_rate == 0.0 and measured.voice_to_voice_ms is not None
        # Its blocks of 20 ms are not those of the probe.
        found = measured.endpointing_ms
        assert found is None if endpointing == "probe" else found is not None and 280 <= found < 400 + 200
