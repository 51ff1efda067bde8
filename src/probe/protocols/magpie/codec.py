"""The Magpie TTS server, older and newer: JSON text frames in, JSON and binary PCM frames out."""

import json

from probe.protocols.base import (
    Audio,
    Done,
    Malformed,
    Ready,
    Refused,
    SegmentEnd,
    Unknown,
)
from probe.protocols.fields import REPORTED, complaint, count_or_none, http_url, number_or_none, one_line, parse_object

Reply = Audio | Ready | SegmentEnd | Done | Refused | Malformed | Unknown


class MagpieTts:
    """Requests and replies of one stream at a time; holds no state."""

    def init(self, voice: str, language: str, mode: str) -> str:
        request = {"type": "init", "voice": voice, "language": language}
        # The server's own default is batch, and the older version has no modes.
        return json.dumps(request if mode == "batch" else request | {"default_mode": mode})

    def text(self, text: str) -> str:
        return json.dumps({"type": "text", "text": text})

    def close(self) -> str:
        return json.dumps({"type": "close"})

    def cancel(self) -> str:
        return json.dumps({"type": "cancel"})

    def ping(self) -> str:
        return json.dumps({"type": "ping"})

    def decode(self, data: bytes, *, binary: bool) -> Reply:
        if binary:
            return Audio(data)
        reply = parse_object(data)
        if isinstance(reply, Malformed):
            return reply
        match reply.get("type"):
            case "stream_created":
                return Ready()
            case "segment_complete":
                return SegmentEnd(number_or_none(reply.get("audio_ms")))
            case "done":
                return Done(segments=count_or_none(reply.get("segments_generated")) or None)
            case "error":
                return Refused(REPORTED, complaint(reply.get("message"), data), fatal=reply.get("fatal") is not False)
            case None if "error" in reply:
                return Refused(REPORTED, complaint(reply["error"], data))
        return Unknown()


def config_url(url: str) -> str:
    """Where a server with this WebSocket URL describes itself."""
    return http_url(url, "/v1/audio/config")


def voices(document: bytes) -> tuple[str, ...] | None:
    """Read the voices out of that description; None where it doesn't say."""
    config = parse_object(document)
    listed = None if isinstance(config, Malformed) else config.get("voices")
    if isinstance(listed, dict):
        listed = list(listed)
    if not isinstance(listed, list) or not listed or not all(isinstance(voice, str) for voice in listed):
        return None
    return tuple(one_line(voice) for voice in listed)
