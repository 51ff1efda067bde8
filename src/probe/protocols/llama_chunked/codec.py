"""The chunked LLM server: JSON text frames, `{"action": …}` in, `{"type": …}` or `{"error": …}` out."""

import json
from typing import Any

from probe.protocols.base import ChunkEnd, LlmEvent, Malformed, Messages, ServerError, StreamEnded, Token, Unknown
from probe.protocols.fields import (
    complaint,
    count_or_none,
    http_url,
    one_line,
    parse_object,
    shown,
    storable,
    time_or_none,
)
from probe.record import Pause

_BUSY = "no slots available"


class ChunkedLlm:
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

    def decode(self, data: bytes, *, binary: bool, stream_id: str) -> LlmEvent:
        if binary:
            return Malformed(f"binary frame of {len(data)} bytes")
        reply = parse_object(data)
        if isinstance(reply, Malformed):
            return reply
        if reply.get("stream_id") not in (None, stream_id):
            return Unknown()
        if reply.get("error") is not None:
            message = complaint(reply["error"], data)
            return ServerError(message, busy=_BUSY in message.lower())
        match reply.get("type"):
            case "token":
                content = reply.get("content", "")
                return (
                    Token(storable(content))
                    if isinstance(content, str)
                    else Malformed(f"content is no text: {shown(data)}")
                )
            case "paused" | "done" as kind:
                return _chunk_end(reply, done=kind == "done")
            case "error":
                return ServerError(complaint(reply.get("message"), data))
            case None:
                return _untyped(reply)
        return Unknown()

    def health_url(self, url: str) -> str:
        return http_url(url, "/health")

    def users(self, document: bytes) -> int | None:
        health = parse_object(document)
        streams = None if isinstance(health, Malformed) else health.get("active_streams")
        return len(streams) if isinstance(streams, list | dict) else count_or_none(streams)


def _untyped(reply: dict[str, Any]) -> LlmEvent:
    """Acknowledgements, and the buffered reply of a server that does not stream."""
    if reply.get("status") == "ended":
        return StreamEnded()
    if "text" in reply and ("done" in reply or "paused" in reply):
        return _chunk_end(reply, done=reply.get("done") is True)
    return Unknown()


def _chunk_end(reply: dict[str, Any], *, done: bool) -> ChunkEnd:
    reason, text = reply.get("reason"), reply.get("text")
    return ChunkEnd(
        done=done,
        reason=one_line(reason) if isinstance(reason, str) else None,
        text=storable(text) if isinstance(text, str) else None,
        tokens=count_or_none(reply.get("tokens")),
        server_ttft_ms=time_or_none(reply.get("ttft_ms")),
    )


def _pause(pause: Pause) -> dict[str, object]:
    wire: dict[str, object] = {}
    if pause.max_tokens is not None:
        wire["max_tokens"] = pause.max_tokens
    if pause.sentence_boundary:
        wire["sentence_boundary"] = True
    return wire
