"""What the server says, in the words of either dialect: as OpenAI has had them since 2025 (GA), or before (beta)."""

import base64
from collections.abc import Mapping
from itertools import count
from typing import Any

from probe.reference.realtime.settings import SAMPLE_RATE, Settings

Event = dict[str, Any]
_BETA = {
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "conversation.item.added": "conversation.item.created",
}
# What the older dialect has no word for.
_ONLY_GA = ("conversation.item.done",)
_numbers = count(1)


def new_id(kind: str) -> str:
    return f"{kind}_{next(_numbers):06}"


class Words:
    """Makes events in one dialect."""

    def __init__(self, *, beta: bool) -> None:
        self.beta = beta

    def event(self, kind: str, **fields: Any) -> Event | None:
        """One event; None for what the dialect has no word for."""
        if self.beta and kind in _ONLY_GA:
            return None
        return {"type": _BETA.get(kind, kind) if self.beta else kind, "event_id": new_id("event"), **fields}

    def session(self, session_id: str, settings: Settings) -> Event:
        common = {"id": session_id, "object": "realtime.session", "model": settings.model, "tools": [],
                  "instructions": settings.instructions, "tool_choice": "auto"}  # fmt: skip
        detection = None if settings.detection is None else settings.detection.described()
        transcription = {"model": "scripted"} if settings.transcribes else None
        if self.beta:
            return common | {
                "modalities": ["audio", "text"],
                "voice": settings.voice,
                "input_audio_format": "pcm16",
                "output_audio_format": "pcm16",
                "turn_detection": detection,
                "input_audio_transcription": transcription,
                "temperature": settings.temperature,
                "max_response_output_tokens": settings.max_tokens or "inf",
            }
        form = {"type": "audio/pcm", "rate": SAMPLE_RATE}
        return common | {
            "type": "realtime",
            "output_modalities": ["audio"],
            "audio": {
                "input": {"format": form, "turn_detection": detection, "transcription": transcription},
                "output": {"format": form, "voice": settings.voice},
            },
            "max_output_tokens": settings.max_tokens or "inf",
        }

    def content(self, text: str) -> Event:
        """What was spoken, in the form of an item."""
        return {"type": "audio" if self.beta else "output_audio", "transcript": text}

    def error(self, message: str, *, code: str | None, about: str | None, param: str | None = None) -> Event:
        kind = "server_error" if code == "server_error" else "invalid_request_error"
        error = {"type": kind, "code": code, "message": message, "param": param, "event_id": about}
        return {"type": "error", "event_id": new_id("event"), "error": error}


def item(item_id: str, role: str, content: list[Event], status: str = "completed") -> Event:
    return {
        "id": item_id, "object": "realtime.item", "type": "message", "status": status, "role": role, "content": content,
    }  # fmt: skip


def response(response_id: str, status: str, **fields: Any) -> Event:
    return {
        "id": response_id,
        "object": "realtime.response",
        "status": status,
        "status_details": None,
        "output": [],
        "usage": None,
        **fields,
    }


def usage(tokens: int) -> Mapping[str, Any]:
    """Of the text alone: no engine here has tokens of sound."""
    return {
        "total_tokens": tokens,
        "input_tokens": 0,
        "output_tokens": tokens,
        "output_token_details": {"text_tokens": tokens, "audio_tokens": 0},
    }


def encoded(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()
