"""The two ways in which a session is set up: as it has been since 2025 (`ga`), and as it was before (`beta`). Pure."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from msgspec import Struct

from probe.plan import ServerPlan
from probe.protocols.samples import RATES

Dialect = Literal["ga", "beta"]
_BETA_HEADER = "OpenAI-Beta"
# What a session has only where it is of that kind.
_OF_BETA = ("modalities", "output_audio_format", "input_audio_format")
_OF_GA = ("output_modalities", "audio")
# What each calls the text of an assistant's message.
_ASSISTANT = {"ga": "output_text", "beta": "text"}
_PCM = ("audio/pcm", "pcm16", "pcm")


class Format(Struct, frozen=True):
    """What a session says of its audio. `rate` is None where it states none; `other`: it is not 16-bit PCM."""

    rate: int | None = None
    other: bool = False


def dialled(server: ServerPlan) -> ServerPlan:
    """The model is part of the URL; servers of before want to be asked for what they speak."""
    parts, model = urlsplit(server.url), server.options.get("model")
    query = parse_qsl(parts.query, keep_blank_values=True)
    if model is not None and all(name != "model" for name, _ in query):
        query.append(("model", model))
    headers = dict(server.headers)
    if server.options.get("dialect") == "beta" and _BETA_HEADER.lower() not in map(str.lower, headers):
        headers[_BETA_HEADER] = "realtime=v1"
    url = urlunsplit(parts._replace(query=urlencode(query))) if query else server.url
    return ServerPlan(server.protocol, url, server.options, headers)


def spoken_by(session: Mapping[str, Any]) -> Dialect:
    """The dialect of a server that describes its session so."""
    beta = any(name in session for name in _OF_BETA) and not any(session.get(name) for name in _OF_GA)
    return "beta" if beta else "ga"


def _hearing(dialect: Dialect, options: Mapping[str, Any]) -> dict[str, Any]:
    """How it hears. Asked in text, without turn detection: our silence must not count as a person's."""
    ends = options.get("endpointing") == "server"
    found: dict[str, Any] = {
        "turn_detection": {"type": "server_vad", **(options.get("turn_detection") or {})} if ends else None
    }
    if options.get("endpointing") is None:
        return found
    model = options.get("transcription_model")
    if dialect == "ga":
        found["format"] = {"type": "audio/pcm", "rate": options["input_rate"]}
    if model is not None:
        found["transcription" if dialect == "ga" else "input_audio_transcription"] = {"model": model}
    return found


def session(dialect: Dialect, options: Mapping[str, Any], instructions: str) -> dict[str, Any]:
    """The configuration of a session."""
    voice, limit = options.get("voice"), options.get("max_tokens")
    found: dict[str, Any]
    if dialect == "ga":
        sound: dict[str, Any] = {"format": {"type": "audio/pcm", "rate": options["sample_rate"]}}
        if voice is not None:
            sound["voice"] = voice
        audio = {"input": _hearing(dialect, options), "output": sound}
        found = {"type": "realtime", "output_modalities": ["audio"], "instructions": instructions, "audio": audio}
    else:
        # Not its audio's format: 16-bit PCM is what it has without being asked, and some refuse to be.
        found = {"modalities": ["audio", "text"], "instructions": instructions, **_hearing(dialect, options)}
        if voice is not None:
            found["voice"] = voice
    if limit:
        found["max_output_tokens" if dialect == "ga" else "max_response_output_tokens"] = limit
    return found | dict(options.get("extra_session") or {})


def item(dialect: Dialect, message: Mapping[str, str]) -> dict[str, Any]:
    """One message of the conversation."""
    role = message["role"]
    kind = _ASSISTANT[dialect] if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": message["content"]}]}


def audio_format(described: Mapping[str, Any], way: Literal["input", "output"] = "output") -> Format:
    """What a session says of the audio that it will send, or (`input`) takes."""
    audio = described.get("audio")
    found = audio.get(way) if isinstance(audio, dict) else None
    stated = found.get("format") if isinstance(found, dict) else described.get(f"{way}_audio_format")
    rate = stated.get("rate") if isinstance(stated, dict) else None
    kind = stated.get("type") if isinstance(stated, dict) else stated
    known = rate if isinstance(rate, int) and not isinstance(rate, bool) and rate in RATES else None
    return Format(known, other=isinstance(kind, str) and kind not in _PCM)
