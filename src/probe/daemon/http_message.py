"""Requests and answers of the daemon's HTTP port as values, and as bytes: without sockets."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

_PLAIN = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A GET or HEAD. `fields` are its headers with their names in lower case; of several, the first."""

    method: str
    path: str
    query: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request; `fields` are headers beyond the usual ones."""

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN
    fields: tuple[tuple[str, str], ...] = ()


# Makes an answer, given the request's Accept header; called on the server's thread, may take a while.
Page = Callable[[str], Answer]
# Makes an answer that has to be waited for; bounds that wait itself.
SlowPage = Callable[[Request], Awaitable[Answer]]


def plain(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode())


def parsed(head: bytes) -> Request | Answer:
    """The request that a head is, or the answer to what is none."""
    line, *lines = head.decode("latin-1").split("\r\n")
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    if not version.startswith("HTTP/1."):
        return plain(HTTPStatus.BAD_REQUEST, "not HTTP/1")
    if method not in ("GET", "HEAD"):
        return Answer(HTTPStatus.METHOD_NOT_ALLOWED, b"GET and HEAD only\n", _PLAIN, fields=(("Allow", "GET, HEAD"),))
    # The first of a name is the one that counts, so it is put in last.
    fields = dict(reversed([*_fields(lines)]))
    scheme, absolute, rest = target.partition("://")
    if absolute and scheme.lower() in ("http", "https"):
        # As to a proxy: the host there is the one that is meant.
        fields["host"], slash, below = rest.partition("/")
        target = slash + below
    path, _, query = target.partition("?")
    return Request(method, path, query, fields)


def _fields(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip().lower(), value.strip()


def head_of(answer: Answer, more: Mapping[str, str]) -> bytes:
    """Everything before the body; `more` are headers of every answer."""
    fields = {
        "Content-Type": answer.content_type,
        "Content-Length": str(len(answer.body)),
        **more,
        **dict(answer.fields),
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {answer.status.value} {answer.status.phrase}", *(f"{k}: {v}" for k, v in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")
