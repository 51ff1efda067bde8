"""The body of `POST /v1/audio/speech`, checked."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from probe.reference.openai.errors import RefusedError
from probe.reference.speech.engine import VOICES

# OpenAI's names for its own voices: clients send them to any server, which then has some voice of its own answer.
STAND_INS = ("alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse")
LONGEST_INPUT = 4096
FORMATS = ("wav", "pcm")
STREAMS = ("audio", "sse")


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """OpenAI's fields, and `language` of ours. `model` and `instructions` are taken, and change nothing."""

    input: str
    voice: str
    response_format: str
    stream_format: str
    language: str


def parse(body: bytes, *, voice: str, languages: Collection[str]) -> SpeechRequest:
    """Read a request; `voice` speaks where it names none, or one of OpenAI's. Raises RefusedError."""
    fields = _object(body)
    text = fields.get("input")
    if not isinstance(text, str) or not text.strip():
        raise RefusedError("input must be the text to speak", "input")
    if len(text) > LONGEST_INPUT:
        raise RefusedError(f"input has {len(text)} characters, and {LONGEST_INPUT} are allowed", "input")
    if fields.get("speed", 1) != 1:
        raise RefusedError("speed must be 1: this engine speaks at one speed", "speed")
    wanted = _one_of(fields, "voice", (*VOICES, *STAND_INS), voice)
    return SpeechRequest(
        text,
        voice if wanted in STAND_INS else wanted,
        _one_of(fields, "response_format", FORMATS, FORMATS[0]),
        _one_of(fields, "stream_format", STREAMS, STREAMS[0]),
        _one_of(fields, "language", languages, next(iter(languages))),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError("the body is not JSON") from error
    if not isinstance(fields, dict):
        raise RefusedError("the body is not a JSON object")
    return fields


def _one_of(fields: Mapping[str, Any], key: str, allowed: Collection[str], otherwise: str) -> str:
    match fields.get(key, otherwise):
        case str(value) | {"id": str(value)} if value in allowed:  # a voice may be an object
            return value
    raise RefusedError(f"{key} must be one of {', '.join(allowed)}", key)
