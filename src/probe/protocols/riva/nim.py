"""The HTTP side of a TTS NIM: `POST /v1/audio/synthesize_online`, a form, answered with raw samples in chunks."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from msgspec.structs import replace

from probe.plan import ServerPlan
from probe.protocols.base import Malformed
from probe.protocols.fields import one_line, parse_object
from probe.protocols.http_answers import succeeded
from probe.protocols.http_speech import HttpSpeech, Reading
from probe.protocols.openai_speech.answer import reading_of
from probe.record import ServerIdentity
from probe.transport.framing.base import Request, Response

SYNTHESIZE = "/audio/synthesize_online"
METADATA, VOICES, READY = "/metadata", "/audio/list_voices", "/health/ready"
# Whether it is still loading its model, by the status of its answer to READY.
LOADING: Mapping[int, Callable[[bytes], bool | None]] = {
    HTTPStatus.OK: lambda _: False,
    HTTPStatus.SERVICE_UNAVAILABLE: lambda _: True,
}
MAX_VOICES = 2000
# Of a hash of the text, which therefore does not have it in it: with the rest less than the 70 characters that may be.
_BOUNDARY = 48
# What is said to be a file and holds raw samples is read as those; what says that it is none is believed.
_SAMPLES = "application/octet-stream"
_WORDS = ("json", "text/")


class NimConversation(HttpSpeech):
    """A form for each text. No answer says how its samples are made: as they were asked for."""

    @property
    def sample_rate(self) -> int:
        rate: int = self._server.options["sample_rate"]
        return rate

    def request(self, text: str) -> Request:
        options = self._server.options
        fields = {
            "text": text,
            "language": options["language"],
            "sample_rate_hz": str(options["sample_rate"]),
            "encoding": "LINEAR_PCM",
        }
        if (voice := options.get("voice")) is not None:
            fields["voice"] = voice
        boundary = f"voice-probe-{sha256(_utf_8(text)).hexdigest()[:_BOUNDARY]}"
        kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
        return Request("POST", _target(self._server, SYNTHESIZE), kind, _form(fields, boundary))

    def reading(self, response: Response) -> Reading:
        declared = response.headers.get("content-type", "").lower()
        if succeeded(response) and not any(each in declared for each in _WORDS):
            response = replace(response, headers={**response.headers, "content-type": _SAMPLES})
        return reading_of(response, _target(self._server, SYNTHESIZE), self.sample_rate)


def url(server: ServerPlan, path: str) -> str:
    """Where the server is asked something beside."""
    parts = urlsplit(server.url)
    return urlunsplit((parts.scheme, parts.netloc, _target(server, path), "", ""))


def program(document: bytes) -> ServerIdentity:
    """The model, and the version of the NIM."""
    found = _object(document)
    models = found.get("modelInfo")
    first = models[0] if isinstance(models, list) and models else None
    name = first.get("shortName") if isinstance(first, dict) else None
    return ServerIdentity(_name(name), _name(found.get("version")))


def voices(document: bytes) -> tuple[str, ...] | None:
    """The voices of all languages; None where it names none."""
    found: dict[str, None] = {}
    for each in _object(document).values():
        listed = each.get("voices") if isinstance(each, dict) else None
        names = listed[: MAX_VOICES + 1] if isinstance(listed, list) else ()
        found |= dict.fromkeys(one_line(name) for name in names if isinstance(name, str) and name)
    return tuple(found) if 0 < len(found) <= MAX_VOICES else None


def _object(document: bytes) -> Mapping[str, Any]:
    found = parse_object(document)
    return {} if isinstance(found, Malformed) else found


def _name(value: Any) -> str | None:
    return (one_line(value) or None) if isinstance(value, str) else None


def _target(server: ServerPlan, path: str) -> str:
    """A URL may be that of the server, of its API, or of what speaks."""
    base = urlsplit(server.url).path.removesuffix("/").removesuffix(SYNTHESIZE).removesuffix("/v1")
    return f"{base}/v1{path}"


def _form(fields: Mapping[str, str], boundary: str) -> bytes:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return _utf_8("".join(parts) + f"--{boundary}--\r\n")


def _utf_8(text: str) -> bytes:
    """An LLM may have written half a character, which UTF-8 has no bytes for."""
    return text.encode("utf-8", "replace")
