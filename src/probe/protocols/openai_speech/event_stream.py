"""The events of a stream: a name, and data as base64 makes it long."""

from collections.abc import Iterator

from msgspec import Struct

from probe.protocols.sse import Field, Fields

# A quarter of a minute of samples at the usual rate, and no more than can be decoded at once (8 ms).
MAX_EVENT_BYTES = 2**20


class ServerSent(Struct, frozen=True, gc=False):
    """One event: its name, empty where the server gives none, and the lines of its data, joined."""

    name: str
    data: bytes


class EventStream:
    """One stream. A server that forgets the empty line between events is understood where each is a JSON object."""

    def __init__(self) -> None:
        self._fields = Fields(MAX_EVENT_BYTES)
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0

    @property
    def overlong(self) -> bool:
        """Whether an event came that is longer than the limit; nothing is read after it."""
        return self._fields.overlong or self._size > MAX_EVENT_BYTES

    def feed(self, data: bytes) -> Iterator[ServerSent]:
        """Take bytes as they came in; yields every event that they complete."""
        for each in self._fields.feed(data):
            if self.overlong:
                return
            yield from self._take(each)

    def end(self) -> Iterator[ServerSent]:
        """Take the end of the stream, which ends the last line and the last event."""
        for each in self._fields.end():
            yield from self._take(each)
        yield from self._complete()

    def _take(self, field: Field) -> Iterator[ServerSent]:
        match field.name:
            case "":
                yield from self._complete()
                self._name = ""
            case "event":
                yield from self._complete()
                self._name = field.value.decode("utf-8", "replace")
            case "data":
                if self._is_another(field.value):
                    yield from self._complete()
                self._data.append(field.value)
                self._size += len(field.value)

    def _is_another(self, value: bytes) -> bool:
        """Whether this begins an event of its own: after a whole object can stand neither another one nor [DONE]."""
        if not self._data or not value.startswith((b"{", b"[DONE]")):
            return False
        return self._data[0].startswith(b"{") and self._data[-1].endswith(b"}")

    def _complete(self) -> Iterator[ServerSent]:
        if self._data:
            data, self._data, self._size = b"\n".join(self._data), [], 0
            yield ServerSent(self._name, data)
