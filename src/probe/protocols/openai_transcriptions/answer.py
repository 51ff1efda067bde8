"""The answer to one upload: a JSON document, plain text, or server-sent events. Pure, and bounded."""

from collections.abc import Iterator

from probe.protocols.base import Event, Malformed, Refused, Unknown
from probe.protocols.fields import REPORTED, parse_object, shown
from probe.protocols.hearing import MAX_EVENTS, understood
from probe.protocols.http_answers import MAX_BODY_BYTES, complaint
from probe.protocols.sse import Fields

_FLOOD = f"a transcript of more than {MAX_BODY_BYTES // 2**10} KiB"


class Document:
    """`{"text": …}`, or the text itself."""

    def __init__(self, *, is_json: bool) -> None:
        self._is_json = is_json
        self._body = bytearray()

    def feed(self, data: bytes) -> Iterator[Event]:
        self._body += data[: MAX_BODY_BYTES + 1 - len(self._body)]
        yield Refused(_FLOOD, reason="flood") if len(self._body) > MAX_BODY_BYTES else Unknown()

    def end(self) -> Iterator[Event]:
        body = bytes(self._body)
        if not self._is_json:
            yield understood(body.decode("utf-8", "replace"))
            return
        found = parse_object(body)
        if isinstance(found, Malformed):
            yield found
        elif (words := complaint(found)) is not None:
            yield Refused(REPORTED, words)
        elif isinstance(text := found.get("text"), str):
            yield understood(text)
        else:
            yield Malformed("an answer without a text", shown(body))


class Stream:
    """`transcript.text.delta` for each piece, and `transcript.text.done` with all of it."""

    def __init__(self) -> None:
        self._fields = Fields()
        self._data = bytearray()
        self._pieces: list[str] = []
        self._size = self._events = 0
        self._done = False

    def feed(self, data: bytes) -> Iterator[Event]:
        for field in self._fields.feed(data):
            if field.name == "data":
                self._data += field.value
            elif not field.name:
                yield from self._event()
            if self._done:
                return
        if self._fields.overlong or len(self._data) > MAX_BODY_BYTES:
            self._done = True
            yield Refused(_FLOOD, reason="flood")

    def end(self) -> Iterator[Event]:
        """Some servers end the stream behind the last piece without a word."""
        for field in self._fields.end():
            self._data += field.value if field.name == "data" else b""
        yield from self._event()
        if not self._done and self._pieces:
            self._done = True
            yield understood("".join(self._pieces))
        elif not self._done:
            yield Malformed("a stream of events without a transcript")

    def _event(self) -> Iterator[Event]:
        data = bytes(self._data)
        self._data.clear()
        if not data or self._done or data.strip() == b"[DONE]":
            return
        self._events += 1
        found = parse_object(data)
        if self._events > MAX_EVENTS:
            self._done = True
            yield Refused(f"a transcript of more than {MAX_EVENTS} events", reason="flood")
        elif isinstance(found, Malformed):
            self._done = True
            yield found
        elif (words := complaint(found)) is not None:
            self._done = True
            yield Refused(REPORTED, words)
        else:
            yield from self._said(found.get("type"), found)

    def _said(self, kind: object, event: dict[str, object]) -> Iterator[Event]:
        match kind:
            case "transcript.text.delta" if isinstance(piece := event.get("delta"), str):
                self._size += len(piece)
                if piece:
                    self._pieces.append(piece)
                self._done = self._size > MAX_BODY_BYTES
                yield Refused(_FLOOD, reason="flood") if self._done else Unknown()
            case "transcript.text.done":
                self._done = True
                text = event.get("text")
                yield understood(text if isinstance(text, str) else "".join(self._pieces))
            case _:
                yield Unknown()
