"""HTTP/2 by the `h2` library: one request at a time, several after each other on a connection. As gRPC wants it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, ResponseReceived, StreamEnded, StreamReset, TrailersReceived
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings

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
    printable,
)
from probe.transport.framing.http1 import of_each_request
from probe.transport.framing.http2_frames import BROKEN, Frames, going_away

# Of all headers of a response, decoded; what is beyond it breaks the framing.
MAX_HEAD_BYTES = 2**14
# The server may send this much without waiting for us: more than anything that it sends at once.
_WINDOW = 2**24
_SETTINGS = {
    SettingCodes.ENABLE_PUSH: 0,
    SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW,
    SettingCodes.MAX_HEADER_LIST_SIZE: MAX_HEAD_BYTES,
}
_STATUS_DIGITS = 3
_TLS = ("https", "grpcs")
# What HTTP/2 calls an error; a number that it has not is no word of ours, nor of anyone.
_ERRORS, _UNKNOWN = {int(each): each.name for each in ErrorCodes}, "an unknown error"
_UNSENDABLE = "this request can't be sent: its method, path or headers are not HTTP"
_PRINTABLE = frozenset(range(0x20, 0x7F))


class Http2:
    """The framing of one HTTP/2 connection; `headers` go with each of its requests, whose own ones come before them."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.ready, self.parsed = True, 0
        self.refusal: Refusal | None = None
        self._http = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self._scheme = "https" if urlsplit(url).scheme in _TLS else "http"
        self._headers = of_each_request(url) | {name.lower(): value for name, value in headers.items()}
        self._frames = Frames()
        # The request under way, the part of its body that waits for the server, and the state of its answer.
        self._stream: int | None = None
        self._unsent, self._ends, self._answering = b"", True, False
        self._trailers: dict[str, str] = {}
        # Whether the server has said that it takes no other request, and whether we have said goodbye.
        self._leaving = self._left = False

    def hello(self) -> bytes:
        self._http.local_settings = Settings(initial_values=_SETTINGS)
        # Also of a server that never says that it knows.
        self._http.decoder.max_header_list_size = MAX_HEAD_BYTES
        self._http.initiate_connection()
        self._http.increment_flow_control_window(_WINDOW)
        return self._http.data_to_send()

    def receive(self, data: bytes) -> Iterator[Incoming]:
        if self._left:
            # What was on its way; the library would complain of it, to the server, too.
            return
        for frame in self._frames.feed(data):
            self.parsed += 1
            if (away := going_away(frame)) is not None:
                yield from self._goes_away(*away)
                continue
            try:
                yield from self._read(self._http.receive_data(frame))
            except H2Error as error:
                self._unsent = b""
                raise FramingError(BROKEN, str(error)) from error

    def receive_eof(self) -> Iterator[Incoming]:
        """No frame is completed by the end."""
        return iter(())

    def send(self, frame: Outgoing) -> bytes:
        """Raises ValueError too for a header that HTTP does not allow, and while a response is under way."""
        match frame:
            case Request():
                self._ask(frame)
            case Body() | BodyEnd() if self._stream is None:
                # The server has said all that it has to say, whatever comes.
                return b""
            case Body(data):
                self._unsent += data
            case BodyEnd():
                self._ends = True
                if not self._unsent and self._stream is not None:
                    self._http.send_data(self._stream, b"", True)
            case _:
                raise ValueError(f"HTTP has no {type(frame).__name__}")
        return self.reply()

    def _ask(self, request: Request) -> None:
        if self._stream is not None:
            raise ValueError("HTTP has one request at a time")
        head = self._head(request)
        try:
            stream = self._http.get_next_available_stream_id()
            self._http.send_headers(stream, head, request.ends and not request.body)
        except H2Error:
            # Without what the library says: it may quote a header, which may be a secret.
            raise ValueError(_UNSENDABLE) from None
        self._stream, self._unsent, self._ends = stream, request.body, request.ends
        self._answering, self._trailers = False, {}

    def reply(self) -> bytes:
        while self._unsent and self._stream is not None:
            room = min(self._http.local_flow_control_window(self._stream), self._http.max_outbound_frame_size)
            if room <= 0:
                break
            part, self._unsent = self._unsent[:room], self._unsent[room:]
            self._http.send_data(self._stream, part, self._ends and not self._unsent)
        return self._http.data_to_send()

    def goodbye(self) -> bytes:
        """Give up the request under way; where there is none, the end of the connection says it all."""
        if self._stream is None:
            return b""
        self._left, self._unsent = True, b""
        # Where the server has ended either of them meanwhile, there is nothing to say.
        with suppress(H2Error):
            self._http.reset_stream(self._stream, ErrorCodes.CANCEL)
            self._http.close_connection()
        return self._http.data_to_send()

    def how_closed(self) -> Ended:
        return Ended("closed", self._where())

    def _where(self) -> str:
        if self._stream is None:
            return "between two requests"
        return "in the middle of its response" if self._answering else "before its response"

    def _head(self, request: Request) -> list[tuple[str, str]]:
        headers = self._headers | {name.lower(): value for name, value in request.headers.items()}
        authority = headers.pop("host")
        pseudo = {":method": request.method, ":scheme": self._scheme, ":path": request.target, ":authority": authority}
        head = [*pseudo.items(), *headers.items()]
        if not all(_PRINTABLE.issuperset(value.encode("utf-8", "replace")) for _, value in head):
            raise ValueError(_UNSENDABLE)
        return head

    def _read(self, events: Iterable[Event]) -> Iterator[Incoming]:
        for event in events:
            match event:
                case ResponseReceived():
                    self._answering = True
                    headers = _texts(event.headers)
                    yield Response(_status(headers.pop(":status", "")), headers)
                case DataReceived():
                    self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    if event.data:
                        # What a frame begins was written when that was.
                        yield Body(bytes(event.data), begins=True)
                case TrailersReceived():
                    self._trailers = _texts(event.headers)
                case StreamEnded():
                    if not self._ends or self._unsent:
                        # It wants no more of the request.
                        self._http.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)
                    self._stream, self._unsent = None, b""
                    yield BodyEnd(self._trailers)
                    if self._leaving:
                        yield Ended("closed", "after its response, as it announced")
                case StreamReset() if self._stream is not None:
                    self._unsent = b""
                    yield Ended(
                        "closed", f"{self._where()}: the stream was reset ({_ERRORS.get(event.error_code, _UNKNOWN)})"
                    )

    def _goes_away(self, last: int, code: int, words: bytes) -> Iterator[Ended]:
        """The server takes no more requests. Not by the library, which then reads no answer that is under way."""
        self._leaving = True
        if code != ErrorCodes.NO_ERROR or self._stream is None or self._stream > last:
            why = f"{self._where()}: the server goes away ({_ERRORS.get(code, _UNKNOWN)})"
            yield Ended("closed", why, printable(words.decode("utf-8", "replace")))


def _status(text: str) -> int:
    if len(text) != _STATUS_DIGITS or not (text.isascii() and text.isdigit()):
        raise FramingError(BROKEN, text)
    return int(text)


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in headers}
