"""The requests to a server of `/v1/audio/speech`: to speak a text, and for its voices."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from probe.plan import ServerPlan
from probe.protocols.fields import one_line, parse
from probe.transport.framing.base import Request

_SPEECH = "/audio/speech"
# Most have the first, wyoming-openai-gateway the second.
_VOICES = ("/audio/voices", "/voices")
# No server has more voices; a list that goes on is none.
MAX_VOICES = 2000
# Servers map these to their own, and do not list them.
OPENAI_VOICES = frozenset(
    ("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable", "marin", "nova", "onyx", "sage", "shimmer", "verse")
)
# Options that go into the body under their own names.
_FIELDS = ("model", "voice", "language", "response_format", "stream_format", "speed", "instructions")


def speech(server: ServerPlan, text: str) -> Request:
    """Have a text spoken."""
    options = server.options
    body: dict[str, Any] = {name: options[name] for name in _FIELDS if options.get(name) is not None}
    if body.get("stream_format") == "none":
        del body["stream_format"]
    body |= {"input": text, **options.get("extra_body", {})}
    return Request("POST", target(server), {"content-type": "application/json"}, json.dumps(body).encode())


def target(server: ServerPlan) -> str:
    """Path and query. A URL that names the whole path is taken as it is, others as the base of it."""
    parts = urlsplit(server.url)
    path = parts.path if _SPEECH in parts.path else parts.path.rstrip("/") + _SPEECH
    return f"{path}?{parts.query}" if parts.query else path


def voices_urls(url: str) -> tuple[str, ...]:
    """Where such a server lists its voices, if it does: OpenAI's own contract has no such list."""
    return tuple(_below(url, path) for path in _VOICES)


def models_url(url: str) -> str:
    """Where such a server lists its models."""
    return _below(url, "/models")


def _below(url: str, path: str) -> str:
    parts = urlsplit(url)
    base = parts.path.partition(_SPEECH)[0].rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, base + path, "", ""))


def voices(document: bytes) -> tuple[str, ...] | None:
    """Read the list: texts or objects, alone or below `voices` or `data`; None where it is none, or has no end."""
    try:
        listed = parse(document)
    except ValueError:
        return None
    if isinstance(listed, dict):
        listed = listed.get("voices", listed.get("data"))
    if isinstance(listed, dict):
        listed = list(listed)
    if not isinstance(listed, list) or len(listed) > MAX_VOICES:
        return None
    return tuple(dict.fromkeys(one_line(name) for each in listed for name in _names(each))) or None


def _names(item: Any) -> Iterator[str]:
    """An object is known by its id, and many servers take its name, too."""
    found = [item.get(key) for key in ("id", "voice_id", "name")] if isinstance(item, dict) else [item]
    yield from (name for name in found if isinstance(name, str) and name)
