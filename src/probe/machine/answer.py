"""The answer to a request over HTTP/1.1, by the `h11` library: it knows no socket, and no clock."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

import h11

_LONGEST_HEAD = 16_384
_OVER = (h11.NEED_DATA, h11.PAUSED)


class NoPageError(Exception):
    """There is no such page. `status` is that of an answer that says so."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


class Answer:
    """An answer that comes in piece by piece, of `most` bytes. `add` and `end` raise NoPageError if it is no page."""

    def __init__(self, most: int) -> None:
        self.is_whole = False
        self._most = most
        self._body = bytearray()
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        self._began = False

    @property
    def body(self) -> bytes:
        return bytes(self._body)

    @property
    def keeps(self) -> bool:
        """Whether its connection can be used for another one. Who sends more than an answer is not asked again."""
        done = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        return done and self._http.trailing_data == (b"", False)

    def to(self, target: str, headers: Mapping[str, str]) -> bytes:
        """The request for this page, to be sent before anything is added. Raises ValueError where it can't be one."""
        try:
            head = self._http.send(h11.Request(method="GET", target=target, headers=[*headers.items()]))
            return (head or b"") + (self._http.send(h11.EndOfMessage()) or b"")
        except h11.LocalProtocolError as error:
            raise ValueError(str(error)) from error

    def add(self, data: bytes) -> None:
        """What has come in."""
        self._began = self._began or bool(data)
        try:
            self._http.receive_data(data)
            for event in self._events():
                self._read(event)
        except h11.RemoteProtocolError as error:
            raise NoPageError("no HTTP" if data else "cut off" if self._began else "no answer") from error

    def end(self) -> None:
        """Nothing more will come in."""
        self.add(b"")
        if not self.is_whole:
            raise NoPageError("cut off" if self._began else "no answer")

    def _events(self) -> Iterator[h11.Event]:
        while not self.is_whole and (event := self._http.next_event()) not in _OVER:
            yield event  # type: ignore[misc]  # it is none of the two that are no events

    def _read(self, event: h11.Event) -> None:
        if isinstance(event, h11.Response) and event.status_code != HTTPStatus.OK:
            raise NoPageError(f"status {event.status_code}", event.status_code)
        if isinstance(event, h11.Data):
            self._body += event.data
            if len(self._body) > self._most:
                raise NoPageError(f"longer than {self._most} bytes")
        self.is_whole = isinstance(event, h11.EndOfMessage)
