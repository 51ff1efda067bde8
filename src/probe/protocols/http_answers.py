"""HTTP answers that are failures, from whatever server: the status as a reason, the words in the body as a message.

Those to a request, and those to a WebSocket handshake, which opened nothing then.
"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from probe.plan import ServerPlan
from probe.protocols.base import Refused
from probe.protocols.fields import one_line, parse, shown
from probe.transport.framing.base import Refusal, Response
from probe.urls import without_secrets

Said = TypeVar("Said")
# More of a body is not read for the message in it.
MAX_BODY_BYTES = 2**16
# A server that has failed may stall in the middle of explaining: so long is its body waited for.
BODY_PATIENCE_S = 1.0
# A list of errors is as long as a request has fields; a person reads the first ones.
_SHOWN_ERRORS = 3
# {"detail": [{"error": {"message": "..."}}]} is as deep as any server nests its words.
_MAX_DEPTH = 5
# Where a server puts its words, the most informative first.
_WORDS = ("message", "msg", "error", "errors", "detail", "details", "error_description", "title")
# The status says that the server can't answer now; its words say whether it is about to.
_LOADING = ("loading", "warming up", "not ready", "still starting")
_CROWDED = (
    "busy", "too many", "queue is full", "queue full", "pending requests", "at capacity", "server is full", "no slot",
)  # fmt: skip
# What servers write where nothing went wrong.
_NO_ERROR = (None, False, "")
# What an answer or an event of one has, and a document that is an error has not.
_ANSWERS = frozenset(("choices", "type"))
# What the probe adds to the URL of an OpenAI-compatible server.
_ENDPOINTS = ("/chat/completions", "/audio/speech", "/audio/transcriptions")
# HTTP's own names for statuses.
_STATUSES = frozenset(HTTPStatus)
# Types of bodies by the names that are ours to repeat. Anything else in a header might be a text.
_MEDIA_TYPES: Mapping[str, str] = {"application/json": "JSON", "text/html": "HTML"} | {
    name: name
    for name in (
        "text/plain", "text/event-stream", "text/xml", "application/xml", "application/octet-stream", "application/ogg",
        "application/x-ndjson", "application/problem+json", "application/grpc", "audio/mpeg", "audio/mp3", "audio/mp4",
        "audio/aac", "audio/ogg", "audio/opus", "audio/flac", "audio/webm", "audio/wav", "audio/x-wav", "audio/wave",
        "audio/pcm", "audio/l16", "audio/l24", "audio/basic", "audio/x-pcm", "audio/x-raw", "audio/raw", "video/mp4",
        "image/png",
    )
}  # fmt: skip
_REASONS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "unauthorized",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.BAD_GATEWAY: "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.GATEWAY_TIMEOUT: "unavailable",
}


class FailedAnswer:
    """An answer with a status that is no success, while its body comes in. Holds `MAX_BODY_BYTES` at most.

    `path` is what was asked for. Whatever comes, it is one Refused.
    """

    def __init__(self, response: Response, path: str) -> None:
        self._response = response
        self._path = path
        self._body = bytearray()
        self._said = False

    def feed(self, data: bytes) -> Iterator[Refused]:
        """Take a piece of the body. No more of one that is full is waited for."""
        self._body += data[: MAX_BODY_BYTES - len(self._body)]
        if len(self._body) >= MAX_BODY_BYTES:
            yield from self.end()

    def end(self) -> Iterator[Refused]:
        """What the status and as much of the body as has come say. Nothing more is waited for."""
        if not self._said:
            self._said = True
            yield refusal(self._response, self._path, bytes(self._body))


def succeeded(response: Response) -> bool:
    """Whether the status promises what was asked for; a redirect does not."""
    return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES


def refusal(response: Response, path: str, body: bytes) -> Refused:
    """A failed answer as one of the reasons of the stages `stt`, `llm` and `tts`, or as a server that is busy."""
    status = response.status
    hint = about_base_url(path) if status == HTTPStatus.NOT_FOUND else None
    what = f"HTTP {status} for {path}"
    return _refused(what if hint is None else f"{what} ({hint})", status, response.headers, body)


def about_base_url(path: str) -> str | None:
    """What is likely to be wrong with the URL of an OpenAI-compatible server that has nothing at this path."""
    for endpoint in _ENDPOINTS:
        base = path.removesuffix(endpoint)
        if base != path and endpoint in base:
            return f"leave {endpoint} out of the URL"
        if base != path and not base.endswith("/v1"):
            return "the URL of most servers ends in /v1"
    return None


def refused_handshake(answer: Refusal, server: ServerPlan) -> Refused:
    """The answer to a handshake as one of the reasons of the stage `connect`, or as a server that is busy.

    A status that is about the request, and none of the others, says that there is no WebSocket at this path.
    """
    status = answer.status
    what = f"HTTP {status} instead of a WebSocket"
    if status < HTTPStatus.MULTIPLE_CHOICES or (_is_refused_request(status) and status not in _REASONS):
        return Refused(f"{what}; check the path", words_in(answer.body), reason="not_websocket")
    if status == HTTPStatus.NOT_FOUND:
        what = f"{what}; check the path"
    return with_advice(_refused(what, status, answer.headers, answer.body), server)


def with_advice(said: Said, server: ServerPlan) -> Said | Refused:
    """What a server says; where it wants credentials, also whether it was given any."""
    if not isinstance(said, Refused) or said.reason != "unauthorized":
        return said
    given = bool(server.headers) or urlsplit(server.url).username is not None or bool(urlsplit(server.url).query)
    advice = "it does not accept the credentials that it was sent" if given else "no credentials were sent: set headers"
    return replace(said, message=f"{said.message}; {advice}")


def _is_refused_request(status: int) -> bool:
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return refused and status != HTTPStatus.TOO_MANY_REQUESTS


def _refused(what: str, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        where = one_line(without_secrets(headers.get("location", "")))
        advice = "it redirects: enter the address that it is at" if where else "a redirect to nowhere"
        return Refused(f"{what}: {advice}", f"it redirects to {where}" if where else "", reason="not_found")
    words = words_in(body)
    if not words:
        what = f"{what}: {_name(status)}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refused(what, words, busy=True)
    if status == HTTPStatus.SERVICE_UNAVAILABLE and _says(words, _CROWDED):
        return Refused(what, words, busy=True, reason="unavailable")
    if status == HTTPStatus.SERVICE_UNAVAILABLE and says_loading(words):
        return Refused(what, words, reason="loading")
    return Refused(what, words, reason=_REASONS.get(status, "server_error"))


def _name(status: int) -> str:
    """What HTTP calls a status, for an answer without words."""
    return HTTPStatus(status).phrase if status in _STATUSES else "an unknown status"


def says_loading(words: str) -> bool:
    """Whether a server's words are that it can't answer yet, because its model is being loaded."""
    return _says(words, _LOADING)


def media_type(header: str) -> str:
    """What a Content-Type says, in a word that is ours: one of the usual types, or that it is another."""
    return _MEDIA_TYPES.get(header.partition(";")[0].strip().lower(), "another type" if header.strip() else "no type")


def words_in(body: bytes) -> str:
    """What a body says to a person, on one line of 300 characters.

    Empty where it says nothing, and for a page: that is markup, and its status says as much.
    """
    try:
        document = parse(body)
    except ValueError:
        line = one_line(body[:MAX_BODY_BYTES].decode("utf-8", "replace"))
        return "" if line.startswith("<") else line
    return words_of(document) or shown(body)


def words_of(document: Any) -> str:
    """The message in a parsed error, however the server nests it; empty where there is none.

    `{"error": {"message": "…"}}`, `{"error": "…"}`, and FastAPI's `{"detail": …}` with a text, an object or a list.
    """
    return one_line("; ".join(_words(document, _MAX_DEPTH)))


def complaint(document: Mapping[str, Any]) -> str | None:
    """The message of a document that is an error; None for any other, and empty where it has no words.

    Beside an answer, `error` may be there and empty, and `detail` is none of an error.
    """
    stated = document.get("error") not in _NO_ERROR
    detailed = document.get("detail") is not None and not _ANSWERS.intersection(document)
    return words_of(document) if stated or detailed or document.get("object") == "error" else None


def _words(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth:
        found = next((words for key in _WORDS if (words := [*_words(value.get(key), depth - 1)])), [])
        where = _place(value.get("loc"))
        yield from (f"{where}{words}" for words in found)
    elif isinstance(value, list) and depth:
        for each in value[:_SHOWN_ERRORS]:
            yield from _words(each, depth - 1)


def _place(loc: Any) -> str:
    """The field that a validation error is about, as pydantic writes it."""
    parts = [str(part) for part in loc[:_MAX_DEPTH] if isinstance(part, str | int)] if isinstance(loc, list) else []
    return f"{'.'.join(parts)}: " if parts else ""


def _says(words: str, any_of: tuple[str, ...]) -> bool:
    return any(each in words.lower() for each in any_of)
