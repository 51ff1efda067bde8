"""HTTP/1.1 by the `h11` library: one request at a time, several after each other on a connection."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import h11

from probe.transport.framing.base import (
    Body,
    BodyEnd,
    Ended,
    FramingError,
    Incoming,
    Outgoing,
    Refusal,
    Request,
    Response,
)
from probe.urls import authorization

# Of a head, a chunk's header or trailers: parsed in one go, and by expressions that take the square of it. Servers and
# proxies take no longer ones by default.
MAX_HEAD_BYTES = 2**14
# Each line costs time, however short it is.
MAX_HEAD_LINES = 2**9
USER_AGENT = "voice-probe"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_WITH_BODY = ("POST", "PUT", "PATCH")
# What may stand in a path and query; anything else is percent-encoded.
_TARGET = "!#$%&'()*+,/:;=?@[]~"


class Http1:
    """The framing of one HTTP connection; `headers` go with each of its requests, whose own ones come before them."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.ready = True
        self.refusal: Refusal | None = None
        self.parsed = 0
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._headers = of_each_request(url) | {name.lower(): value for name, value in headers.items()}
        self._asked = self._answering = False

    def hello(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> Iterator[Incoming]:
        if not self._asked:
            raise FramingError("the server broke HTTP: it answers what nobody asked")
        self._http.receive_data(data)
        yield from self._read()

    def receive_eof(self) -> Iterator[Incoming]:
        """Only a body without a length is complete then."""
        if self._asked:
            self._http.receive_data(b"")
            with suppress(FramingError):
                yield from self._read()

    def send(self, frame: Outgoing) -> bytes:
        """Raises ValueError too for a header that HTTP does not allow, and while a response is under way."""
        if not isinstance(frame, Request) or not frame.ends:
            raise ValueError(f"HTTP has no {type(frame).__name__}")
        if self._asked:
            raise ValueError("HTTP has one request at a time")
        if self._http.our_state is h11.DONE:
            self._http.start_next_cycle()
        written = self._written(frame)
        self._asked = True
        return written

    def reply(self) -> bytes:
        return b""

    def goodbye(self) -> bytes:
        return b""

    def how_closed(self) -> Ended:
        if not self._asked:
            return Ended("closed", "between two requests")
        return Ended("closed", "in the middle of its response" if self._answering else "before its response")

    def _written(self, request: Request) -> bytes:
        headers = self._headers | {name.lower(): value for name, value in request.headers.items()}
        if request.body or request.method in _WITH_BODY:
            headers["content-length"] = str(len(request.body))
        target = quote(request.target, safe=_TARGET)
        try:
            head = h11.Request(method=request.method, target=target, headers=list(headers.items()))
            parts = [self._http.send(each) for each in (head, h11.Data(data=request.body), h11.EndOfMessage())]
        except (h11.LocalProtocolError, UnicodeError):
            # Without what the library says: it quotes the header, which may be a secret.
            raise ValueError("this request can't be sent: its method, path or headers are not HTTP") from None
        return b"".join(part or b"" for part in parts)

    def _read(self) -> Iterator[Incoming]:
        """What can be read by now. Of a body that is the first chunk, and all others in one: a chunk may be a byte."""
        pieces: list[bytes] = []
        begins = whole = False
        while isinstance(event := self._next(), h11.Data | h11.InformationalResponse):
            if isinstance(event, h11.Data):
                if pieces and event.chunk_start and not whole:
                    yield Body(b"".join(pieces), begins)
                    pieces, whole = [], True
                begins = event.chunk_start if not pieces else begins
                pieces.append(bytes(event.data))
        if pieces:
            yield Body(b"".join(pieces), begins)
        match event:
            case h11.Response():
                self._answering = True
                yield Response(event.status_code, {_text(name): _text(value) for name, value in event.headers})
                yield from self._read()
            case h11.EndOfMessage():
                self._asked = self._answering = False
                yield BodyEnd()
                yield from self._after_the_response()
            case FramingError():
                raise event

    def _next(self) -> Any:
        try:
            event = self._http.next_event()
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                return FramingError(f"a head of more than {MAX_HEAD_BYTES // 2**10} KiB", how="flood")
            # The library quotes what it can't read.
            return FramingError("the server broke HTTP", str(error))
        if event is h11.NEED_DATA and self._http.trailing_data[0].count(b"\n") > MAX_HEAD_LINES:
            return FramingError(f"more than {MAX_HEAD_LINES} lines in a head", how="flood")
        self.parsed += 1
        return event

    def _after_the_response(self) -> Iterator[Incoming]:
        if self._http.trailing_data[0]:
            raise FramingError("the server broke HTTP: it sends more than its response")
        if self._http.our_state is h11.MUST_CLOSE:
            yield Ended("closed", "after its response, as it announced")


def of_each_request(url: str) -> dict[str, str]:
    """The headers that a URL and the probe itself ask for. Raises ValueError for a URL without a host."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode() if not (parts.hostname or "").isascii() else parts.hostname
    if not host:
        raise ValueError("the URL has no host")
    # The zone of an address is nobody else's business.
    host = f"[{host.partition('%')[0]}]" if ":" in host else host
    usual = parts.port in (None, _DEFAULT_PORTS.get(parts.scheme))
    headers = {"host": host if usual else f"{host}:{parts.port}", "accept-encoding": "identity"}
    if (user := authorization(url)) is not None:
        headers["authorization"] = user
    return headers | {"user-agent": USER_AGENT}


def _text(data: bytes) -> str:
    return data.decode("latin-1")
