"""Requests to the chunked LLM server: a text frame in, a checked request or what is wrong with it out."""

import json
from dataclasses import dataclass

from probe.reference.llm_prompt import Message
from probe.reference.llm_stream import MOST_TOKENS, MOST_TOKENS_TO_SENTENCE, Pause

DEFAULT_TEMPERATURE = 0.7
HIGHEST_TEMPERATURE = 100.0
HIGHEST_MAX_TOKENS = 2**31 - 1


class NotJsonError(ValueError):
    """The frame is no JSON at all."""


class RequestError(ValueError):
    """The frame is JSON, and not a request that the server can serve."""

    def __init__(self, message: str, stream_id: str | None = None) -> None:
        super().__init__(message)
        self.reply = {"error": message} if stream_id is None else {"stream_id": stream_id, "error": message}


class _FieldError(Exception):
    """A field of the request has a value that it must not have."""


@dataclass(frozen=True, slots=True)
class StartStream:
    stream_id: str
    messages: tuple[Message, ...]
    pause: Pause
    stream_tokens: bool
    temperature: float


@dataclass(frozen=True, slots=True)
class ContinueStream:
    stream_id: str
    pause: Pause


@dataclass(frozen=True, slots=True)
class EndStream:
    stream_id: str


@dataclass(frozen=True, slots=True)
class Ping:
    pass


Request = StartStream | ContinueStream | EndStream | Ping


def parse_request(frame: str) -> Request:
    """Return the request in `frame`; raises NotJsonError or RequestError."""
    try:
        fields = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from error
    if not isinstance(fields, dict):
        raise RequestError("A request must be a JSON object")
    match fields.get("action"):
        case "start_stream" | "continue_stream":
            return _chunk_request(fields)
        case "end_stream":
            return EndStream(_stream_id(fields))
        case "ping":
            return Ping()
        case str() | None as action:
            raise RequestError(f"Unknown action: {action}")
        case _:
            raise RequestError("action must be a string")


def _chunk_request(fields: dict[str, object]) -> StartStream | ContinueStream:
    stream_id = _stream_id(fields)
    try:
        pause = _pause(fields.get("pause"))
        if fields["action"] == "continue_stream":
            return ContinueStream(stream_id, pause)
        return StartStream(
            stream_id,
            _messages(fields.get("messages")),
            pause,
            _stream_tokens(fields.get("stream_tokens")),
            _temperature(fields.get("temperature")),
        )
    except _FieldError as error:
        raise RequestError(str(error), stream_id) from error


def _stream_id(fields: dict[str, object]) -> str:
    stream_id = fields.get("stream_id")
    if stream_id is None or stream_id == "":
        raise RequestError("stream_id required")
    if not isinstance(stream_id, str):
        raise RequestError("stream_id must be a string")
    return stream_id


def _messages(value: object) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise _FieldError("messages must be a list of one or more {role, content}")
    return tuple(_message(item) for item in value)


def _message(item: object) -> Message:
    if not isinstance(item, dict):
        raise _FieldError("each of messages must be an object {role, content}")
    return Message(_text(item.get("role"), "role"), _text(item.get("content"), "content"))


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise _FieldError(f"{name} of each of messages must be a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _FieldError(f"{name} of each of messages must be valid Unicode, without lone surrogates") from error
    return value


def _pause(value: object) -> Pause:
    if value is None:
        return Pause()
    if not isinstance(value, dict):
        raise _FieldError("pause must be an object")
    at_sentence = value.get("sentence_boundary", False)
    if not isinstance(at_sentence, bool):
        raise _FieldError("pause.sentence_boundary must be true or false")
    most = value.get("max_tokens", MOST_TOKENS_TO_SENTENCE if at_sentence else MOST_TOKENS)
    if isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= HIGHEST_MAX_TOKENS:
        raise _FieldError(f"pause.max_tokens must be a whole number from 1 to {HIGHEST_MAX_TOKENS}")
    return Pause(most, at_sentence)


def _stream_tokens(value: object) -> bool:
    if value is not None and not isinstance(value, bool):
        raise _FieldError("stream_tokens must be true or false")
    return bool(value)


def _temperature(value: object) -> float:
    if value is None:
        return DEFAULT_TEMPERATURE
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= HIGHEST_TEMPERATURE:
        raise _FieldError(f"temperature must be a number from 0 to {HIGHEST_TEMPERATURE:g}")
    return float(value)
