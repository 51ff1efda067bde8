"""A run's conversation with an LLM server over HTTP: one POST per turn, whose response is the answer."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Protocol
from urllib.parse import urlsplit

from probe.plan import ServerPlan
from probe.protocols.base import (
    Connect,
    Drop,
    Event,
    LlmConversation,
    Malformed,
    Question,
    Refused,
    Send,
    Step,
    Terms,
)
from probe.protocols.fields import one_line
from probe.protocols.http_answers import BODY_PATIENCE_S, FailedAnswer, media_type, succeeded, with_advice
from probe.protocols.kept_alive import too_idle
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response


class Reader(Protocol):
    """How the body of one response is read."""

    @property
    def owes_rest(self) -> bool:
        """Whether the answer is complete, and its last words (usage, times) may still come."""

    def feed(self, data: bytes) -> Iterator[Event]:
        """Take a piece of the body."""

    def end(self) -> Iterator[Event]:
        """The body is complete; the answer may be incomplete."""

    def cut(self) -> Iterator[Event]:
        """The connection is gone in the middle of the body."""


class Failed(FailedAnswer):
    """An answer whose status is a failure."""

    owes_rest = False

    def __init__(self, response: Response, path: str, server: ServerPlan) -> None:
        super().__init__(response, path)
        self._server = server

    def end(self) -> Iterator[Refused]:
        return (with_advice(each, self._server) for each in super().end())

    def cut(self) -> Iterator[Event]:
        yield from self.end()


class HttpChat(LlmConversation):
    """One request per turn, on one connection for as long as the server keeps it open.

    A protocol says where it is asked (`path`, below the URL's own), what for (`body`), and how the answer is read
    (`reader`), whose usual type is `accepted`.
    """

    path: ClassVar[str]
    accepted: ClassVar[str]

    def body(self, question: Question) -> dict[str, Any]:
        """The request's JSON."""
        raise NotImplementedError

    def reader(self, kind: str) -> Reader | None:
        """What reads an answer of this media type; None where that is no answer."""
        raise NotImplementedError

    def __init__(self, terms: Terms) -> None:
        parts = urlsplit(terms.server.url)
        self.options = terms.server.options
        self._server = terms.server
        self._path = f"{parts.path.rstrip('/')}{self.path}"
        self._target = f"{self._path}?{parts.query}" if parts.query else self._path
        self._request: Send | None = None
        # Whether a response is owed, or has begun and not ended.
        self._open = False
        self._reader: Reader | None = None
        self._gives_up_at: int | None = None
        # Since when the connection, which has carried a response, is kept open: it may be closed just as we ask again.
        self._kept_since: int | None = None

    @property
    def holds(self) -> bool:
        return self._open and self._reader is not None and self._reader.owes_rest

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        # What is left of the answer before is in the way.
        left = (Drop(),) if self._open or too_idle(self._kept_since, now) else ()
        self._kept_since = None if left else self._kept_since
        headers = {"content-type": "application/json", "accept": self.accepted}
        body = json.dumps(self.body(question)).encode()
        self._request = Send(Request("POST", self._target, headers, body))
        return *left, *self._asked()

    def release(self, now: int, within_ns: int) -> Iterable[Step]:
        """The end of the connection ends the server's work. One that is idle is closed as any other."""
        del now, within_ns
        left = (Drop(),) if self._open else ()
        self._open, self._reader, self._gives_up_at = False, None, None
        return left

    def wakes_at(self) -> int | None:
        return self._gives_up_at

    def wake(self, now: int) -> Iterable[Step]:
        del now
        self._gives_up_at = None
        return () if self._reader is None else self._reader.end()

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        match frame:
            case Response():
                yield from self._begins(frame, at)
            case Body(data) if self._reader is not None:
                yield from self._reader.feed(data)
            case BodyEnd():
                reader, self._open, self._kept_since, self._gives_up_at = self._reader, False, at, None
                yield from () if reader is None else reader.end()
            case Ended():
                yield from self._gone(frame)

    def _gone(self, ended: Ended) -> Iterator[Step]:
        reader, asked, kept = self._reader, self._open, self._kept_since is not None
        self._open, self._kept_since, self._gives_up_at = False, None, None
        if not asked:
            return
        if reader is not None:
            yield from reader.cut()
        elif kept and ended.how == "closed":
            yield from self._asked()

    def _asked(self) -> Iterator[Step]:
        self._open, self._reader, self._gives_up_at = True, None, None
        yield Connect()
        if self._request is not None:
            yield self._request

    def _begins(self, response: Response, at: int) -> Iterator[Event]:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        packed = response.headers.get("content-encoding", "identity").strip().lower()
        if not succeeded(response):
            self._reader = Failed(response, self._path, self._server)
            self._gives_up_at = at + round(BODY_PATIENCE_S * NS_PER_S)
        elif packed not in ("identity", ""):
            yield Malformed("a packed response, which was not asked for", f"content-encoding: {one_line(packed)}")
        elif (reader := self.reader(kind)) is not None:
            self._reader = reader
        else:
            what = media_type(kind)
            yield Malformed(f"HTTP {response.status} with {what} instead of {self.accepted}", one_line(kind))
