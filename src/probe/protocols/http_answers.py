"""HTTP answers that are failures, from whatever server: the status as a reason, the words in the body as a message."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from probe.protocols.base import Refused
from probe.protocols.fields import one_line, shown
from probe.transport.framing.base import Response
from probe.urls import without_secrets

# More of a body is not read for the message in it.
MAX_BODY_BYTES = 2**16
# A server that has failed may stall in the middle of explaining: so long is its body waited for.
BODY_PATIENCE_S = 1.0
# A list of errors is as long as a request has fields; a person reads the first ones.
_SHOWN_ERRORS = 3
# {"detail": [{"error": {"message": "..."}}]} is as deep as any server nests its words.
_MAX_DEPTH = 5
# Where a server puts its words, the most telling first.
_WORDS = ("message", "msg", "error", "errors", "detail", "details", "error_description", "title")
# The status says that the server can't answer now; its words say whether it is about to.
_LOADING = ("loading", "warming up", "not ready", "still starting")
_CROWDED = ("busy", "too many", "queue is full", "queue full", "pending requests")
_REASONS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "unauthorized",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.BAD_GATEWAY: "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.GATEWAY_TIMEOUT: "unavailable",
}


class FailedAnswer:
    """An answer with a status that is no success, while its body comes in. Holds `MAX_BODY_BYTES` at the most."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self._body = bytearray()

    @property
    def full(self) -> bool:
        """Whether no more of the body will be looked at."""
        return len(self._body) >= MAX_BODY_BYTES

    def feed(self, data: bytes) -> None:
        self._body += data[: MAX_BODY_BYTES - len(self._body)]

    def refused(self) -> Refused:
        """What the status and as much of the body as has come say."""
        return refusal(self._response, bytes(self._body))


def succeeded(response: Response) -> bool:
    """Whether the status promises what was asked for; a redirect does not."""
    return HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES


def refusal(response: Response, body: bytes) -> Refused:
    """A failed answer as one of the reasons of both stages, `llm` and `tts`, or as a server that is busy."""
    status, words = response.status, words_in(body)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        where = one_line(without_secrets(response.headers.get("location", "")))
        advice = f"it redirects to {where}: enter the address that it is at" if where else "a redirect to nowhere"
        return Refused(one_line(f"HTTP {status}: {advice}"), reason="not_found")
    message = one_line(f"HTTP {status}: {words}" if words else f"HTTP {status}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Refused(message, busy=True)
    if status == HTTPStatus.SERVICE_UNAVAILABLE and _says(words, _CROWDED):
        return Refused(message, busy=True, reason="unavailable")
    if status == HTTPStatus.SERVICE_UNAVAILABLE and _says(words, _LOADING):
        return Refused(message, reason="loading")
    return Refused(message, reason=_REASONS.get(status, "server_error"))


def words_in(body: bytes) -> str:
    """What a body says to a person, on one line of 300 characters; empty where it says nothing."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return one_line(body[:MAX_BODY_BYTES].decode("utf-8", "replace"))
    return words_of(document) or shown(body)


def words_of(document: Any) -> str:
    """The message in a parsed error, however the server nests it; empty where there is none.

    `{"error": {"message": "…"}}`, `{"error": "…"}`, and FastAPI's `{"detail": …}` with a text, an object or a list.
    """
    return one_line("; ".join(_words(document, _MAX_DEPTH)))


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
