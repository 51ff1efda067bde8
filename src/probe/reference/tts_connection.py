"""One WebSocket connection to the TTS server: it is read all the time, while a task of its own speaks."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from typing import Protocol

from aiohttp import WSMessage, WSMsgType

from probe.reference.speech.engine import SpeechError
from probe.reference.speech.pcm import frames
from probe.reference.speech.synthesizer import Synthesizer
from probe.reference.tts_messages import BadInitError, BadRequestError, Cancel, Close, Init, Ping, Request, Text, parse
from probe.reference.tts_stream import Message, Segment, Stream

StreamFactory = Callable[[Init], Stream]

SHORTEST_WAIT_S = 0.001  # aiohttp takes a timeout of 0 for none


class Socket(Protocol):
    """What a connection uses of aiohttp's WebSocketResponse."""

    async def receive(self, timeout: float | None = None) -> WSMessage: ...  # noqa: ASYNC109 - aiohttp's signature

    async def send_str(self, data: str) -> None: ...

    async def send_bytes(self, data: bytes) -> None: ...


class Connection:
    """A client's streams, one after the other.

    An `error` with `fatal: true` ends the stream (a language that the engine does not have, an `init` of wrong types,
    an engine that fails); one with `fatal: false` (a frame that is not understood) changes nothing. Without requests
    and without audio for `idle_s` the stream is dropped, without a word. An `init` while a stream is open abandons
    that stream; a `text` without a stream begins one like the last; `close` and `cancel` without one are ignored.
    """

    def __init__(
        self,
        socket: Socket,
        hang_up: Callable[[], None],
        new_stream: StreamFactory,
        synthesizer: Synthesizer,
        idle_s: float,
    ) -> None:
        """`hang_up` drops the TCP connection, without a close frame, once what was written is sent."""
        self._socket = socket
        self._hang_up = hang_up
        self._new_stream = new_stream
        self._synthesizer = synthesizer
        self._idle_s = idle_s
        self._stream: Stream | None = None
        self._last_init: Init | None = None
        self._speaker: asyncio.Task[None] | None = None
        self._active()

    async def serve(self) -> None:
        """Answer until the client or the server has gone."""
        try:
            with suppress(ConnectionError):
                while (frame := await self._receive()) is not None:
                    await self._answer(frame)
        finally:
            self._stop_speaking()

    async def _receive(self) -> WSMessage | None:
        while True:
            try:
                frame = await self._socket.receive(timeout=max(SHORTEST_WAIT_S, self._idle_at - _now()))
            except TimeoutError:
                self._look_for_idleness()
                continue
            self._active()
            return frame if frame.type in (WSMsgType.TEXT, WSMsgType.BINARY) else None

    def _look_for_idleness(self) -> None:
        if self._is_speaking():
            self._active()
        elif _now() >= self._idle_at:
            self._end_stream()
            self._active()

    async def _answer(self, frame: WSMessage) -> None:
        try:
            await self._obey(_request(frame))
        except BadInitError as error:
            self._stop_speaking()
            await self._fail(str(error))
        except BadRequestError as error:
            await self._send({"type": "error", "message": str(error), "fatal": False})

    async def _obey(self, request: Request) -> None:
        match request:
            case Init():
                self._init(request)
            case Text():
                self._text(request)
            case Close():
                self._close()
            case Cancel():
                self._cancel()
            case Ping():
                await self._send({"type": "pong"})

    def _init(self, request: Init) -> None:
        if self._stream is not None and self._stream.only_one:
            return
        if request.language not in self._synthesizer.languages:
            languages = ", ".join(self._synthesizer.languages)
            raise BadInitError(f"language {request.language!r:.40} is not spoken here, only {languages}")
        self._begin_stream(request)

    def _text(self, request: Text) -> None:
        stream = self._stream
        if stream is None:
            if self._last_init is None:
                raise BadRequestError("there is no stream: send init first")
            if not request.text.strip():
                return
            stream = self._begin_stream(self._last_init)
        stream.add(request)
        self._go_on()

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._go_on()

    def _cancel(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
            if self._stream.is_open:
                self._stop_speaking()
                self._go_on()

    def _begin_stream(self, request: Init) -> Stream:
        self._last_init = request
        self._stream = stream = self._new_stream(request)
        self._stop_speaking()
        self._speaker = asyncio.create_task(self._set_up(stream))
        return stream

    def _go_on(self) -> None:
        if self._stream is not None and not self._is_speaking():
            self._speaker = asyncio.create_task(self._speak_all(self._stream))

    def _is_speaking(self) -> bool:
        return self._speaker is not None and not self._speaker.done()

    def _stop_speaking(self) -> None:
        if self._speaker is not None:
            self._speaker.cancel()
            self._speaker = None

    def _end_stream(self) -> None:
        if self._stream is not None and self._stream.only_one:
            self._hang_up()
        self._stream = None

    async def _set_up(self, stream: Stream) -> None:
        await asyncio.sleep(stream.set_up_s)
        with suppress(ConnectionError):
            await self._send(stream.created())
        await self._speak_all(stream)

    async def _speak_all(self, stream: Stream) -> None:
        with suppress(ConnectionError):
            try:
                while (segment := stream.next_segment()) is not None:
                    await self._speak(stream, segment)
            except SpeechError as error:
                await self._fail(str(error))
            else:
                await self._finish(stream)

    async def _speak(self, stream: Stream, segment: Segment) -> None:
        speech = self._synthesizer.speak(segment.text, stream.init.voice, stream.init.language)
        async with aclosing(_whole(speech) if segment.mode == "batch" else speech) as pieces:
            async for pcm in pieces:
                for frame in frames(pcm):
                    stream.sent(len(frame))
                    await self._socket.send_bytes(frame)
        self._active()
        for message in stream.spoken():
            await self._send(message)

    async def _finish(self, stream: Stream) -> None:
        if (done := stream.done()) is not None:
            await self._send(done)
            self._end_stream()

    async def _fail(self, reason: str) -> None:
        await self._send({"type": "error", "message": reason, "fatal": True})
        self._end_stream()

    async def _send(self, message: Message) -> None:
        await self._socket.send_str(json.dumps(message))

    def _active(self) -> None:
        self._idle_at = _now() + self._idle_s


def _request(frame: WSMessage) -> Request:
    if frame.type is WSMsgType.BINARY:
        raise BadRequestError("a binary frame, where JSON text was expected")
    return parse(frame.data)


async def _whole(pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    yield b"".join([piece async for piece in pieces])


def _now() -> float:
    return asyncio.get_running_loop().time()
