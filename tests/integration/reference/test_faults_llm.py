"""The scripted servers, through a client that is not ours: what they send is what the script says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from probe.reference.faults import (
    BAD_UTF8,
    ENDLESS_FRAME,
    RESERVED_OPCODE,
    SSH_BANNER,
    Binary,
    Close,
    Drop,
    Http,
    Json,
    LlmScript,
    Raw,
    Repeat,
    Reset,
    ScriptedLlm,
    Stall,
    Text,
    Value,
    Wait,
    llm,
    refusing_port,
    wire,
)
from probe.reference.faults.connection import Steps
from probe.reference.faults.server import ScriptedServer

DEADLINE = 30.0
START = {"action": "start_stream", "stream_id": "a", "stream_tokens": True}
CONTINUE = {"action": "continue_stream", "stream_id": "a"}
END = {"action": "end_stream", "stream_id": "a"}
PING = {"action": "ping"}
UPGRADE = b"GET /ws HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


class Client:
    """A WebSocket client whose every wait has a deadline."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def ask(self, request: object) -> Any:
        await self.send(request)
        return await self.reply()

    async def send(self, request: object) -> None:
        await asyncio.wait_for(self.socket.send_json(request), DEADLINE)

    async def message(self) -> aiohttp.WSMessage:
        return await asyncio.wait_for(self.socket.receive(), DEADLINE)

    async def reply(self) -> Any:
        message = await self.message()
        assert message.type is aiohttp.WSMsgType.TEXT, message
        return message.json()


@asynccontextmanager
async def connected(server: ScriptedServer, **options: Any) -> AsyncIterator[Client]:
    async with (
        asyncio.timeout(60),
        aiohttp.ClientSession() as session,
        session.ws_connect(server.url, max_msg_size=0, **options) as socket,
    ):
        yield Client(socket)


@asynccontextmanager
async def tcp(server: ScriptedServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def one_chunk(*steps: Any) -> LlmScript:
    return LlmScript(turns=((tuple(steps),),))


async def lost(server: ScriptedServer) -> None:
    await server.log.until(lambda entry: entry.kind == "lost")


class TestHealthyLlm:
    async def test_a_turn_is_its_chunks_and_then_done(self) -> None:
        script = LlmScript(turns=((llm.chunk(" Hi", "."), llm.last_chunk(" Bye")),))
        async with ScriptedLlm(script) as server, connected(server) as client:
            first = [await client.ask(START), await client.reply(), await client.reply()]
            second = [await client.ask(CONTINUE), await client.reply()]
            third = await client.ask(CONTINUE)
            ended = await client.ask(END)
        assert [reply.get("content") for reply in first + second] == [" Hi", ".", None, " Bye", None]
        assert (first[2]["type"], first[2]["text"], first[2]["tokens"]) == ("paused", " Hi.", 2)
        assert (second[1]["type"], second[1]["text"]) == ("done", " Bye")
        assert third["reason"] == "already_done"
        assert ended == {"stream_id": "a", "status": "ended"}

    async def test_the_log_has_the_bytes_and_the_times_of_both_directions(self) -> None:
        script = one_chunk(*llm.chunk("x", "y", first=0.02, gap=0.03))
        async with ScriptedLlm(script) as server, connected(server, headers={"traceparent": "00-1-2-03"}) as client:
            await client.send(START)
            received_at = []
            for _ in range(3):
                await client.reply()
                received_at.append(asyncio.get_running_loop().time() * 1e9)
            (request,) = server.log.received("text")
            sent = server.log.sent("text")
            (handshake,) = server.log.received("http")
        assert request.json == START
        assert [entry.json.get("content") for entry in sent] == ["x", "y", None]
        assert sent[0].at_ns - request.at_ns >= 19e6
        assert sent[1].at_ns - sent[0].at_ns >= 29e6
        assert all(entry.at_ns <= at for entry, at in zip(sent, received_at, strict=True))
        assert handshake.headers["traceparent"] == "00-1-2-03"

    @pytest.mark.parametrize(
        ("request_", "reply"),
        [
            (PING, {"status": "pong"}),
            ({"action": "start_stream"}, {"error": "stream_id required"}),
            (CONTINUE, {"stream_id": "a", "error": "Stream not found"}),
            (END, {"stream_id": "a", "error": "Stream not found"}),
            ({"action": "x"}, {"error": "Unknown action: x"}),
        ],
    )
    async def test_requests_without_a_stream(self, request_: object, reply: object) -> None:
        async with ScriptedLlm() as server, connected(server) as client:
            assert await client.ask(request_) == reply

    async def test_a_slot_outlives_its_connection_until_the_stream_is_ended(self) -> None:
        async with ScriptedLlm(one_chunk(llm.done())) as server:
            async with connected(server) as client:
                await client.ask(START)
            async with connected(server) as client:
                refusal = await client.ask(START | {"stream_id": "b"})
                assert list(server.active_streams) == ["a"]
                await client.ask(END)
                accepted = await client.ask(START | {"stream_id": "b"})
        assert refusal == {"stream_id": "b", "error": "No slots available (max 1)"}
        assert accepted["type"] == "done"

    async def test_it_obeys_no_request_while_it_generates(self) -> None:
        async with ScriptedLlm(one_chunk(*llm.chunk("x", first=0.05))) as server, connected(server) as client:
            await client.send(START)
            await client.send(END)
            replies = [await client.reply() for _ in range(3)]
        assert [reply.get("type") or reply["status"] for reply in replies] == ["token", "paused", "ended"]

    async def test_a_continuation_waits_for_the_cool_down(self) -> None:
        script = LlmScript(turns=((llm.chunk("x"), llm.last_chunk("y")),), cooldown_s=0.05)
        async with ScriptedLlm(script) as server, connected(server) as client:
            await client.ask(START)
            await client.reply()
            await client.ask(CONTINUE)
            sent = server.log.sent("text")
        assert sent[2].at_ns - sent[1].at_ns >= 49e6

    async def test_streams_take_the_turns_in_order_and_the_last_one_repeats(self) -> None:
        script = LlmScript(turns=(((llm.done("1"),),), ((llm.done("2"),),)), slots=3)
        async with ScriptedLlm(script) as server, connected(server) as client:
            texts = [(await client.ask(START | {"stream_id": name}))["text"] for name in "abc"]
        assert texts == ["1", "2", "2"]

    async def test_health_tells_how_many_streams_are_active(self) -> None:
        async with ScriptedLlm() as server, aiohttp.ClientSession() as session:
            server.active_streams["somebody else's"] = []
            async with session.get(f"{server.http_url}/health") as response:
                body = await response.json()
            async with session.get(f"{server.http_url}/nothing") as missing:
                assert missing.status == 404
        assert (body["status"], body["active_streams"]) == ("ok", 1)

    @pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
    async def test_frames_of_any_size_arrive_whole_in_both_directions(self, size: int) -> None:
        async with ScriptedLlm(one_chunk(Text("x" * size))) as server, connected(server) as client:
            await client.send(START | {"messages": "y" * size})
            assert (await client.message()).data == "x" * size
            assert server.log.received("text")[0].json["messages"] == "y" * size


class TestFaultsOfAConnection:
    async def test_a_refusing_port_refuses(self) -> None:
        with refusing_port() as port, pytest.raises(ConnectionRefusedError):
            await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), DEADLINE)

    async def test_a_handshake_that_is_never_answered_lasts_until_the_client_leaves(self) -> None:
        async with ScriptedLlm(LlmScript(on_accept=(Stall(),))) as server:
            async with tcp(server) as (reader, writer):
                writer.write(UPGRADE)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.1)
            await lost(server)
            assert server.log.sent("raw") == []

    async def test_a_slow_handshake_is_late_and_right(self) -> None:
        async with ScriptedLlm(LlmScript(on_handshake=(Wait(0.05),))) as server, connected(server) as client:
            assert await client.ask(PING) == {"status": "pong"}
            (asked,), (answered,) = server.log.received("http"), server.log.sent("raw")
        assert answered.at_ns - asked.at_ns >= 49e6

    async def test_another_protocol_on_the_port(self) -> None:
        async with ScriptedLlm(LlmScript(on_accept=(SSH_BANNER, Stall()))) as server, tcp(server) as (reader, _):
            assert await reader.readline() == b"SSH-2.0-OpenSSH_9.2p1\r\n"

    @pytest.mark.parametrize("status", [200, 404, 503])
    async def test_http_instead_of_a_websocket(self, status: int) -> None:
        async with ScriptedLlm(LlmScript(on_handshake=(Http(status),))) as server:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                async with connected(server):
                    pass
        assert refusal.value.status == status

    @pytest.mark.parametrize("script", [LlmScript(on_accept=(Drop(),)), LlmScript(on_handshake=(Drop(),))])
    async def test_a_drop_before_the_websocket(self, script: LlmScript) -> None:
        async with ScriptedLlm(script) as server:
            with pytest.raises(aiohttp.ClientError):
                async with connected(server):
                    pass

    async def test_a_drop_is_the_end_of_tcp_without_a_close_frame(self) -> None:
        script = one_chunk(*llm.tokens("x"), Drop())
        async with ScriptedLlm(script) as server, connected(server) as client:
            assert (await client.ask(START))["content"] == "x"
            assert (await client.message()).type is aiohttp.WSMsgType.CLOSED
            assert client.socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
            assert server.log.sent("close") == []

    async def test_a_reset_is_one(self) -> None:
        async with ScriptedLlm(LlmScript(on_connected=(Reset(),))) as server, tcp(server) as (reader, writer):
            writer.write(UPGRADE)
            with pytest.raises(ConnectionResetError):
                await reader.read()

    async def test_a_close_frame_carries_code_and_reason(self) -> None:
        async with ScriptedLlm(one_chunk(Close(1011, "oops"))) as server, connected(server) as client:
            await client.send(START)
            message = await client.message()
            await lost(server)
        assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 1011, "oops")
        assert len(server.log.sent("close")) == 1

    async def test_a_close_frame_that_is_never_answered(self) -> None:
        async with ScriptedLlm(LlmScript(on_client_close=(Stall(),))) as server, tcp(server) as (reader, writer):
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"\x88\x80\0\0\0\0")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
            assert len(server.log.received("close")) == 1

    @pytest.mark.parametrize("request_", ["not JSON", "[1]", "7"])
    async def test_a_bad_request_drops_the_connection(self, request_: str) -> None:
        async with ScriptedLlm() as server, connected(server) as client:
            await client.socket.send_str(request_)
            assert (await client.message()).type is aiohttp.WSMsgType.CLOSED
            assert server.log.sent("close") == []

    async def test_a_ping_is_answered_even_while_it_stalls(self) -> None:
        async with ScriptedLlm(one_chunk(Stall())) as server, tcp(server) as (reader, writer):
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"\x89\x82\0\0\0\0hi")
            assert await reader.readexactly(4) == b"\x8a\x02hi"

    async def test_a_fragmented_request_is_one_message(self) -> None:
        async with ScriptedLlm() as server, tcp(server) as (_, writer):
            writer.write(UPGRADE + b'\x01\x84\0\0\0\0{"a"\x80\x84\0\0\0\0:12}')
            entry = await server.log.until(lambda entry: entry.kind == "text")
        assert entry.json == {"a": 12}


class TestFaultsOfFrames:
    @pytest.mark.parametrize(
        ("step", "code"),
        [(RESERVED_OPCODE, aiohttp.WSCloseCode.PROTOCOL_ERROR), (BAD_UTF8, aiohttp.WSCloseCode.INVALID_TEXT)],
    )
    async def test_frames_that_break_the_protocol(self, step: Raw, code: int) -> None:
        async with ScriptedLlm(one_chunk(step, Stall())) as server, connected(server) as client:
            await client.send(START)
            assert (await client.message()).type is aiohttp.WSMsgType.ERROR
            assert client.socket.close_code == code

    @pytest.mark.parametrize("text", ["not JSON", "[1, 2]", "3", '{"type": "token", "content": 7}', "{}"])
    async def test_texts_that_are_no_reply(self, text: str) -> None:
        async with ScriptedLlm(one_chunk(Text(text))) as server, connected(server) as client:
            await client.send(START)
            assert (await client.message()).data == text

    async def test_a_binary_frame_where_text_is_due(self) -> None:
        async with ScriptedLlm(one_chunk(Binary(b"\0\xff"))) as server, connected(server) as client:
            await client.send(START)
            assert (await client.message()).data == b"\0\xff"

    @pytest.mark.parametrize("step", [ENDLESS_FRAME, Raw(wire.frame(wire.TEXT, b'{"type":"done"}')[:5])])
    async def test_a_frame_that_never_ends(self, step: Raw) -> None:
        async with ScriptedLlm(one_chunk(step, Drop())) as server, connected(server) as client:
            await client.send(START)
            assert (await client.message()).type is aiohttp.WSMsgType.CLOSED

    async def test_endless_tokens_end_with_the_client(self) -> None:
        async with ScriptedLlm(one_chunk(*llm.endless("x", gap=0.001))) as server:
            async with connected(server) as client:
                assert [(await client.ask(START))["content"], (await client.reply())["content"]] == ["x", "x"]
            await lost(server)
            assert list(server.active_streams) == ["a"]


class TestFaultsOfReplies:
    @pytest.mark.parametrize(
        ("step", "expected"),
        [
            (llm.error("No slots available (max 1)"), {"stream_id": "a", "error": "No slots available (max 1)"}),
            (llm.done(reason="connection_error"), {"type": "done", "reason": "connection_error", "text": ""}),
            (llm.paused(" \n", reason="max_tokens"), {"type": "paused", "reason": "max_tokens", "text": " \n"}),
            (llm.buffered(" Hi."), {"stream_id": "a", "status": "started", "text": " Hi.", "done": True}),
            (llm.buffered("", state="paused"), {"paused": True, "done": False, "text": ""}),
        ],
    )
    async def test_a_reply_of_its_own(self, step: Json, expected: dict[str, object]) -> None:
        async with ScriptedLlm(one_chunk(step)) as server, connected(server) as client:
            reply = await client.ask(START)
        assert reply | expected == reply

    async def test_an_end_that_is_ignored_keeps_the_slot(self) -> None:
        script = LlmScript(turns=(((llm.done(),),),), on_end=())
        async with ScriptedLlm(script) as server, connected(server) as client:
            await client.ask(START)
            await client.send(END)
            assert await client.ask(PING) == {"status": "pong"}
            assert list(server.active_streams) == ["a"]

    async def test_a_health_of_its_own(self) -> None:
        script = LlmScript(on_http={"/health": (Http(200, {"status": "degraded"}),)})
        async with (
            ScriptedLlm(script) as server,
            aiohttp.ClientSession() as session,
            session.get(f"{server.http_url}/health") as response,
        ):
            assert await response.json() == {"status": "degraded"}


class TestTheServerItself:
    async def test_a_script_may_be_replaced_while_it_runs(self) -> None:
        async with ScriptedLlm(LlmScript(on_handshake=(Http(503),))) as server:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                async with connected(server):
                    pass
            server.script = replace(server.script, on_handshake=())
            async with connected(server) as client:
                assert await client.ask(PING) == {"status": "pong"}

    async def test_a_mistake_in_a_script_raises_at_the_end(self) -> None:
        async def run() -> None:
            script = one_chunk(Json({"id": Value("no such value")}))
            async with ScriptedLlm(script) as server, connected(server) as client:
                await client.send(START)
                await client.message()

        with pytest.raises(KeyError, match="no such value"):
            await run()

    @pytest.mark.parametrize("steps", [(Stall(),), (Repeat((Binary(bytes(1 << 20)),)),)], ids=["stalled", "unread"])
    async def test_it_ends_at_once_with_clients_that_wait_or_do_not_read(self, steps: Steps) -> None:
        async with asyncio.timeout(DEADLINE):
            async with ScriptedLlm(LlmScript(on_connected=steps)) as server:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(UPGRADE)
                await server.log.until(lambda entry: entry.kind == "raw")
                await asyncio.sleep(0.05)
                assert server.open_connections == 1
            assert server.open_connections == 0
            writer.transport.abort()

    @pytest.mark.parametrize("sent", [b"", UPGRADE, UPGRADE + b"\x88\x80\0\0\0\0"])
    @pytest.mark.parametrize("steps", [(), (Stall(),)], ids=["serving", "stalled"])
    async def test_no_session_outlives_its_client(self, sent: bytes, steps: Steps) -> None:
        async with ScriptedLlm(LlmScript(on_connected=steps)) as server:
            async with tcp(server) as (_, writer):
                writer.write(sent)
                await server.log.until(lambda entry: entry.kind == "accepted")
            async with asyncio.timeout(DEADLINE):
                while server.open_connections:  # noqa: ASYNC110 - polled: no event reports that a session is gone
                    await asyncio.sleep(0.001)
            assert len(server.log.received("lost")) == 1

    async def test_waiting_for_what_does_not_happen_has_an_end(self) -> None:
        async with ScriptedLlm() as server:
            with pytest.raises(TimeoutError):
                await server.log.until(lambda entry: entry.kind == "text", seconds=0.01)
