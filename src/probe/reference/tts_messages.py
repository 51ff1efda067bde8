"""A client's JSON text frames to the TTS server, checked."""

import json
from dataclasses import dataclass
from typing import Any


class BadRequestError(Exception):
    """A frame that is not understood; the text gives the client the reason."""


class BadInitError(BadRequestError):
    """An `init` that no stream can be made from."""


@dataclass(frozen=True)
class Init:
    voice: str = "aria"
    language: str = "en"
    default_mode: str = "batch"


@dataclass(frozen=True)
class Text:
    text: str
    mode: str | None = None


@dataclass(frozen=True)
class Close:
    """Speak what is left, then say `done`."""


@dataclass(frozen=True)
class Cancel:
    """Stop speaking and forget what was not spoken."""


@dataclass(frozen=True)
class Ping:
    pass


Request = Init | Text | Close | Cancel | Ping


def parse(frame: str) -> Request:
    """Raise BadRequestError for anything but the five requests. Unknown keys (`preset` too) are ignored."""
    try:
        fields = json.loads(frame)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("not JSON") from error
    if not isinstance(fields, dict):
        raise BadRequestError("not a JSON object")
    match fields.get("type"):
        case "init":
            return _init(fields)
        case "text":
            return Text(_string(fields, "text"), _mode(fields))
        case "close":
            return Close()
        case "cancel":
            return Cancel()
        case "ping":
            return Ping()
        case other:
            raise BadRequestError(f"unknown type: {other!r:.40}")


def _init(fields: dict[str, Any]) -> Init:
    given: dict[str, Any] = {key: fields[key] for key in ("voice", "language", "default_mode") if key in fields}
    try:
        return Init(**{key: _string(given, key) for key in given})
    except BadRequestError as error:
        raise BadInitError(str(error)) from error


def _mode(fields: dict[str, Any]) -> str | None:
    return None if fields.get("mode") is None else _string(fields, "mode")


def _string(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise BadRequestError(f"{key} must be a string")
    return value
