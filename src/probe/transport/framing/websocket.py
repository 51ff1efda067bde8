"""WebSocket by the `websockets` library, without its network code: no subprotocol, no extension, no compression."""

import logging
from collections.abc import Iterator, Mapping
from typing import ClassVar

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, InvalidURI, PayloadTooBig
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import WebSocketURI, parse_uri

from probe.transport.framing.base import Binary, Ended, FramingError, Incoming, Outgoing, Refusal, Text, printable

# A server may send a segment in one message: a minute and a half at the usual rate.
MAX_MESSAGE_BYTES = 4 * 2**20
# A text message is JSON. No reply is longer, and what is parsed here holds up the other runs.
MAX_TEXT_BYTES = 2**16
USER_AGENT = "voice-probe"
# Where it may be audio as base64, which is half a minute of it, and not parsed: see `protocols/base64_audio.py`.
MAX_MEDIA_TEXT_BYTES = 2**20
# How much of the body of an answer that opened nothing is kept.
_REFUSAL_BYTES = 2**10
_NORMAL_CLOSURE = 1000

# Detached on purpose, every error reaches the record instead; and of such a level that the library does not make up a
# line for each frame, which took longer than to read it.
_silent = logging.Logger("probe.websockets", logging.CRITICAL + 1)  # noqa: LOG001


class WebSocket:
    """The framing of one WebSocket connection; `headers` go with its handshake. Raises ValueError for a bad URL."""

    max_text_bytes: ClassVar[int] = MAX_TEXT_BYTES

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.ready = False
        self.refusal: Refusal | None = None
        self.parsed = 0
        self._protocol = ClientProtocol(_parsed(url), max_size=MAX_MESSAGE_BYTES, logger=_silent)
        self._headers = headers
        self._message: type[Text | Binary] = Text
        self._parts: list[bytes] = []

    def hello(self) -> bytes:
        request = self._protocol.connect()
        for name, value in {"User-Agent": USER_AGENT, **self._headers}.items():
            # The library's headers are a list: a second one of the same name would be added.
            request.headers.pop(name, None)
            request.headers[name] = value
        self._protocol.send_request(request)
        return self.reply()

    def receive(self, data: bytes) -> Iterator[Incoming]:
        protocol = self._protocol
        protocol.receive_data(data)
        if not self.ready:
            self._look_at_handshake()
        for event in protocol.events_received():
            self.parsed += 1
            if isinstance(event, Frame):
                if event.opcode is Opcode.BINARY and event.fin:
                    yield Binary(bytes(event.data))
                elif event.opcode is Opcode.TEXT and event.fin:
                    yield self._text(bytes(event.data))
                else:
                    yield from self._other(event)
        broken = protocol.parser_exc
        if isinstance(broken, PayloadTooBig):
            raise FramingError(f"a message of more than {MAX_MESSAGE_BYTES // 2**20} MiB", how="flood")
        if broken is not None and not isinstance(broken, EOFError):
            raise FramingError("the server broke the WebSocket protocol", str(broken))

    def receive_eof(self) -> Iterator[Incoming]:
        """No frame is completed by the end; the refusal of a handshake may be."""
        self._protocol.receive_eof()
        if isinstance(self._protocol.handshake_exc, InvalidStatus):
            self._look_at_handshake()
        return iter(())

    def send(self, frame: Outgoing) -> bytes:
        match frame:
            case Text(data):
                self._protocol.send_text(data)
            case Binary(data):
                self._protocol.send_binary(data)
            case _:
                raise ValueError(f"a WebSocket has no {type(frame).__name__}")
        return self.reply()

    def reply(self) -> bytes:
        # What ends the stream is an empty entry among them: who owns the socket closes it.
        return b"".join(self._protocol.data_to_send())

    def goodbye(self) -> bytes:
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(_NORMAL_CLOSURE)
        return self.reply()

    def how_closed(self) -> Ended:
        frame = self._protocol.close_rcvd
        if frame is None:
            return Ended("closed", "without a close frame")
        return Ended("closed", f"close frame {Close(frame.code, '')}", printable(frame.reason))

    def _look_at_handshake(self) -> None:
        failure = self._protocol.handshake_exc
        if failure is None:
            self.ready = self._protocol.state is not State.CONNECTING
        elif isinstance(failure, InvalidStatus):
            answer = failure.response
            # Of several places that it redirects to the first counts.
            headers = {name.lower(): value for name, value in reversed(list(answer.headers.raw_items()))}
            self.refusal = Refusal(answer.status_code, headers, bytes(answer.body[:_REFUSAL_BYTES]))
        else:
            raise FramingError("the answer to the handshake is none", str(failure))

    def _other(self, frame: Frame) -> Iterator[Incoming]:
        """What is not a whole message."""
        match frame.opcode:
            case Opcode.CLOSE:
                yield self.how_closed()
            case Opcode.TEXT | Opcode.BINARY:
                self._message = Text if frame.opcode is Opcode.TEXT else Binary
                self._parts = [bytes(frame.data)]
            case Opcode.CONT:
                self._parts.append(bytes(frame.data))
                if frame.fin:
                    whole, self._parts = b"".join(self._parts), []
                    yield Binary(whole) if self._message is Binary else self._text(whole)

    def _text(self, data: bytes) -> Text:
        if len(data) > self.max_text_bytes:
            raise FramingError(f"a text message of more than {self.max_text_bytes // 2**10} KiB", how="flood")
        return Text(data)


class MediaWebSocket(WebSocket):
    """One whose text messages may hold audio."""

    max_text_bytes = MAX_MEDIA_TEXT_BYTES


def _parsed(url: str) -> WebSocketURI:
    try:
        return parse_uri(url)
    except InvalidURI as error:
        # Without the URL, which may hold a password.
        raise ValueError(error.msg) from None
