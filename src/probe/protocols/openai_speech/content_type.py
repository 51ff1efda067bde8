"""What an answer's Content-Type says of its body."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from probe.protocols.fields import one_line
from probe.protocols.http_answers import media_type
from probe.protocols.samples import RATES
from probe.text import cut

# What servers call raw 16-bit samples, or give no name at all.
_RAW = ("", "audio/pcm", "audio/l16", "audio/x-pcm", "audio/x-raw", "audio/raw", "audio/s16le", "audio/x-l16")
_RAW_BYTES = ("application/octet-stream", "binary/octet-stream", "application/x-octet-stream")
_NOT_16_BIT = ("f32", "f64", "float", "s24", "s32", "u8", "mulaw", "ulaw", "alaw")
_RATE_NAMES = ("rate", "sample_rate", "samplerate")
_NAMED = 80
_MOST_DIGITS = 10


class ContentType(Struct, frozen=True):
    """`kind` `other` is a body that can't be audio unless its bytes say so. `name` is for a person.

    `said`: the header as the server wrote it.
    """

    kind: Literal["events", "raw", "text", "other"]
    name: str
    said: str
    rate: int | None = None


def content_type(value: str) -> ContentType:
    """Read the header's value; an answer without the header has an empty one."""
    mime, *rest = (part.strip().lower() for part in value.split(";"))
    parameters = dict(_pair(part) for part in rest)
    name, said = media_type(mime), cut(one_line(value), _NAMED)
    if mime == "text/event-stream":
        return ContentType("events", name, said)
    if "json" in mime:
        return ContentType("text", "JSON", said)
    if mime.startswith("text/"):
        return ContentType("text", name, said)
    if mime in _RAW_BYTES or mime in _RAW or mime.startswith("audio/pcm_"):
        strange = any(each in value.lower() for each in _NOT_16_BIT) or parameters.get("channels", "1") != "1"
        return ContentType("other" if strange else "raw", name, said, _rate(parameters))
    return ContentType("other", name, said)


def _pair(parameter: str) -> tuple[str, str]:
    name, _, value = parameter.partition("=")
    return name.strip(), value.strip().strip('"')


def rate_in_hz(text: str) -> int | None:
    """The sample rate in a header; None if it is not one of audio."""
    text = text.strip()
    # Python refuses to read a number of thousands of digits.
    rate = int(text) if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else 0
    return rate if rate in RATES else None


def _rate(parameters: Mapping[str, str]) -> int | None:
    return next((rate for name in _RATE_NAMES if (rate := rate_in_hz(parameters.get(name, "")))), None)
