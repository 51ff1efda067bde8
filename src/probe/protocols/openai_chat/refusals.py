"""What a server says where it does not answer: the status of its response, and the shapes of its errors."""

from collections.abc import Collection, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from probe.protocols.base import Event, Malformed, Refused
from probe.protocols.fields import one_line, parse_object
from probe.urls import without_secrets

# Of an error's body; its message is at the start.
MAX_ERROR_BYTES = 2**12
_REASONS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "unauthorized",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.BAD_GATEWAY: "unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE: "unavailable",
    HTTPStatus.GATEWAY_TIMEOUT: "unavailable",
}
# A shorter part of a header is a word, such as "Bearer", and no secret.
_SHORTEST_SECRET = 8


class Refusing:
    """A response that is no answer: what its body says, as far as it says it."""

    owes_rest = False

    def __init__(self, status: int, headers: Mapping[str, str], path: str) -> None:
        self._status = status
        self._headers = headers
        self._path = path
        self._body = bytearray()
        self._said = False

    def feed(self, data: bytes) -> Iterator[Event]:
        self._body += data[: MAX_ERROR_BYTES - len(self._body)]
        if len(self._body) >= MAX_ERROR_BYTES:
            yield from self.end()

    def end(self) -> Iterator[Event]:
        """Nothing more is waited for."""
        if not self._said:
            self._said = True
            yield self._refusal()

    def cut(self) -> Iterator[Event]:
        yield from self.end()

    def _refusal(self) -> Refused:
        said = words(bytes(self._body))
        reason = _REASONS.get(self._status, "server_error")
        if reason == "unavailable" and self._status == HTTPStatus.SERVICE_UNAVAILABLE and "loading" in said.lower():
            reason = "loading"
        message = f"HTTP {self._status} for {self._path}{self._where_to()}{f': {said}' if said else ''}"
        return Refused(message, busy=self._status == HTTPStatus.TOO_MANY_REQUESTS, reason=reason)

    def _where_to(self) -> str:
        if self._status // 100 != HTTPStatus.MULTIPLE_CHOICES // 100:
            return ""
        place = one_line(without_secrets(self._headers.get("location", "")))
        return f", a redirect{f' to {place}' if place else ''}, which is not followed"


def words(data: bytes) -> str:
    """What an error's body says to a person, in one line: its message in any of the usual shapes, else its text.

    Empty for a page, which is not worth quoting, and where there is nothing.
    """
    document = parse_object(data)
    if not isinstance(document, Malformed) and (found := complaint(document) or _text(document.get("message"))):
        return found
    text = one_line(data.decode("utf-8", "replace"))
    return "" if text.startswith("<") else text


def complaint(document: dict[str, Any]) -> str | None:
    """The message of a document that is an error; None for any other, and empty where it has no words.

    `{"error": {"message"}}`, `{"error": "…"}`, `{"detail": …}` and `{"object": "error", "message"}`.
    """
    if (error := document.get("error")) not in (None, False):
        return _text(error)
    if (detail := document.get("detail")) is not None and "choices" not in document:
        return _text(detail)
    return _text(document.get("message")) if document.get("object") == "error" else None


def without(message: str, secrets: Collection[str]) -> str:
    """The message with each of these words left out, should the server quote its credentials."""
    for secret in sorted(secrets, key=len, reverse=True):
        message = message.replace(secret, "…")
    return message


def secrets_of(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What must not be quoted of the headers that are sent."""
    return tuple(word for value in headers.values() for word in value.split() if len(word) >= _SHORTEST_SECRET)


def _text(value: Any) -> str:
    match value:
        case str():
            return one_line(value)
        case {"message": str(message)} | {"error": str(message)} | {"msg": str(message)}:
            return one_line(message)
        case [{"msg": str(message)}, *_]:
            return one_line(message)
        case int() | float():
            return one_line(str(value))
    return ""
