"""The chunked LLM server: JSON text frames, `{"action": …}` in, `{"type": …}` or `{"error": …}` out."""

import json
from typing import Any

from msgspec import Struct

from probe.plan import Pause
from probe.protocols.base import ChunkEnd, Malformed, Messages, Refused, Token, Unknown
from probe.protocols.fields import (
    REPORTED,
    complaint,
    count_or_none,
    finish_reason,
    http_url,
    parse_object,
    shown,
    time_or_none,
)
from probe.protocols.http_answers import says_loading
from probe.protocols.inquiries import Sign
from probe.server_state import ServerState
from probe.text import storable

_BUSY = "no slots available"


# A server whose llama.cpp has died says so in a normal reply.
_DEAD_BACKEND = ("connection_error", "empty_response")


class StreamEnded(Struct, frozen=True):
    """The server has given up the stream and its slot."""


Reply = Token | ChunkEnd | StreamEnded | Refused | Malformed | Unknown


def stream_id(run_id: str, turn_num: int) -> str:
    """The stream of a turn. Run ids are random, so that no other client has a stream of this name."""
    return f"probe-{run_id}-{turn_num}"


class LlamaChunked:
    """Requests and replies of one stream at a time; holds no state."""

    def start(self, stream_id: str, messages: Messages, pause: Pause, temperature: float) -> str:
        return json.dumps(
            {
                "action": "start_stream",
                "stream_id": stream_id,
                "messages": list(messages),
                "pause": _pause(pause),
                "stream_tokens": True,
                "temperature": temperature,
            }
        )

    def resume(self, stream_id: str, pause: Pause) -> str:
        return json.dumps({"action": "continue_stream", "stream_id": stream_id, "pause": _pause(pause)})

    def end(self, stream_id: str) -> str:
        return json.dumps({"action": "end_stream", "stream_id": stream_id})

    def decode(self, data: bytes, *, binary: bool, stream_id: str) -> Reply:
        if binary:
            return Malformed(f"binary frame of {len(data)} bytes")
        reply = parse_object(data)
        if isinstance(reply, Malformed):
            return reply
        if reply.get("stream_id") not in (None, stream_id):
            return Unknown()
        if reply.get("error") is not None:
            return _refused(complaint(reply["error"], data))
        match reply.get("type"):
            case "token":
                content = reply.get("content", "")
                return (
                    Token(storable(content))
                    if isinstance(content, str)
                    else Malformed("content is no text", shown(data))
                )
            case "paused" | "done" as kind:
                return _chunk_end(reply, done=kind == "done")
            case "error":
                return Refused(REPORTED, complaint(reply.get("message"), data))
            case None:
                return _untyped(reply)
        return Unknown()


def _refused(said: str) -> Refused:
    if _BUSY in said.lower():
        return Refused("all its slots are taken", said, busy=True)
    if says_loading(said):
        return Refused("the model behind the LLM server is still being loaded", said, reason="loading")
    return Refused(REPORTED, said)


def _untyped(reply: dict[str, Any]) -> Reply:
    """Acknowledgements, and the buffered reply of a server that does not stream."""
    if reply.get("status") == "ended":
        return StreamEnded()
    if "text" in reply and ("done" in reply or "paused" in reply):
        return _chunk_end(reply, done=reply.get("done") is True)
    return Unknown()


def _chunk_end(reply: dict[str, Any], *, done: bool) -> ChunkEnd:
    given, text = reply.get("reason"), reply.get("text")
    reason = finish_reason(given)
    broken = reason in _DEAD_BACKEND
    return ChunkEnd(
        final=done,
        reason=reason,
        text=storable(text) if isinstance(text, str) else None,
        tokens=count_or_none(reply.get("tokens")),
        server_ttft_ms=time_or_none(reply.get("ttft_ms")),
        refusal=Refused(f"the LLM server answered {reason}: is its model up?", reason=str(reason)) if broken else None,
    )


def _pause(pause: Pause) -> dict[str, object]:
    wire: dict[str, object] = {}
    if pause.max_tokens is not None:
        wire["max_tokens"] = pause.max_tokens
    if pause.sentence_boundary:
        wire["sentence_boundary"] = True
    return wire


def health_url(url: str) -> str:
    """Where a server with this WebSocket URL says who uses it."""
    return http_url(url, "/health")


def users(document: bytes) -> int | None:
    """Read out of that how many streams hold its slots; None where it doesn't say."""
    health = parse_object(document)
    streams = None if isinstance(health, Malformed) else health.get("active_streams")
    return len(streams) if isinstance(streams, list | dict) else count_or_none(streams)


def streams(document: bytes) -> ServerState | None:
    """The same as the server's state."""
    found = users(document)
    return None if found is None else ServerState(found)


def sign(document: bytes) -> Sign | None:
    """Whether this is that server, by the same document: no other's health speaks of a llama_server."""
    health = parse_object(document)
    return None if isinstance(health, Malformed) or "llama_server" not in health else Sign("chunked LLM server")
