"""A run's talk with an OpenAI-compatible chat server: one POST per turn, whose response is the answer."""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from probe.protocols.base import (
    Connect,
    Drop,
    Event,
    LlmConversation,
    Malformed,
    Question,
    Send,
    Step,
    Terms,
)
from probe.protocols.fields import one_line
from probe.protocols.http_answers import BODY_PATIENCE_S, media_type, succeeded
from probe.protocols.kept_alive import too_idle
from probe.protocols.openai_chat.answer import Failed, Streamed, Whole
from probe.timestamps import NS_PER_S
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response

_HEADERS = {"content-type": "application/json", "accept": "text/event-stream"}
Reader = Streamed | Whole | Failed


class ChatConversation(LlmConversation):
    """One request per turn, on one connection for as long as the server keeps it open."""

    def __init__(self, terms: Terms) -> None:
        parts = urlsplit(terms.server.url)
        self._path = f"{parts.path.rstrip('/')}/chat/completions"
        self._target = f"{self._path}?{parts.query}" if parts.query else self._path
        self._server = terms.server
        self._options = terms.server.options
        self._opened = bool(self._options.get("opens_reasoning"))
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
        body = json.dumps(self._body(question)).encode()
        self._request = Send(Request("POST", self._target, _HEADERS, body))
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
        elif kind in ("text/event-stream", ""):
            self._reader = Streamed(opened=self._opened)
        elif kind == "application/json":
            self._reader = Whole(opened=self._opened)
        else:
            what = media_type(kind)
            yield Malformed(f"HTTP {response.status} with {what} instead of text/event-stream", one_line(kind))

    def _body(self, question: Question) -> dict[str, Any]:
        options = self._options
        body: dict[str, Any] = {
            "messages": [dict(message) for message in question.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": question.temperature,
        }
        given = {name: options.get(name) for name in ("model", "max_tokens", "seed", "stop")}
        # A seed of 0 is one; no limit, and no text that ends the answer, are not sent.
        body |= {name: value for name, value in given.items() if value or (name == "seed" and value is not None)}
        return body | dict(options.get("extra_body") or {})
