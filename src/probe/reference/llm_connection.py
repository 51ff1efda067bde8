"""One WebSocket of the chunked LLM server: its streams, and what is answered to each frame."""

import asyncio
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from probe.reference.llama import Llama, LlamaError
from probe.reference.llm_prompt import chatml
from probe.reference.llm_request import (
    ContinueStream,
    EndStream,
    NotJsonError,
    Ping,
    Request,
    RequestError,
    StartStream,
    parse_request,
)
from probe.reference.llm_slots import Slot, Slots
from probe.reference.llm_stream import (
    Chunk,
    Pause,
    already_done,
    buffered_reply,
    streamed_reply,
    take_chunk,
    token_reply,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engine:
    """What all connections share; `answer_prefix` is put into the model's mouth at the start of each answer."""

    llama: Llama
    slots: Slots
    cooldown_seconds: float
    answer_prefix: str


@dataclass(slots=True, eq=False)
class Stream:
    """An answer being written, chunk by chunk; it owns its slot until it is ended."""

    stream_id: str
    slot: Slot
    prompt: str
    temperature: float
    stream_tokens: bool
    text: str = ""
    done: bool = False
    generating: bool = False
    task: asyncio.Task[None] | None = None

    def cancel(self) -> None:
        if self.task:
            self.task.cancel()


class Connection:
    """Serves one client until it goes away, and then gives its streams' slots back."""

    def __init__(self, socket: web.WebSocketResponse, engine: Engine) -> None:
        self.socket = socket
        self.engine = engine
        self.streams: dict[str, Stream] = {}
        self.turn = asyncio.Lock()  # token frames don't name their stream, so one chunk at a time
        self.tasks = asyncio.TaskGroup()

    async def serve(self) -> None:
        """Answer frames until the client goes away; raises NotJsonError at a frame that is not JSON text."""
        try:
            async with self.tasks:
                try:
                    await self._read()
                finally:
                    for stream in self.streams.values():
                        stream.cancel()
        finally:
            for stream in self.streams.values():
                self.engine.slots.give_back(stream.slot)

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type is not WSMsgType.TEXT:
                raise NotJsonError("not a text frame")
            try:
                await self._handle(parse_request(message.data))
            except RequestError as error:
                await self._send(error.reply)

    async def _handle(self, request: Request) -> None:
        match request:
            case Ping():
                await self._send({"status": "pong"})
            case StartStream():
                self._generate(self._start(request), request.pause)
            case ContinueStream():
                self._generate(self._find(request.stream_id), request.pause)
            case EndStream():
                await self._end(self._find(request.stream_id))

    def _find(self, stream_id: str) -> Stream:
        if stream_id not in self.streams:
            raise RequestError("Stream not found", stream_id)
        return self.streams[stream_id]

    def _start(self, request: StartStream) -> Stream:
        if request.stream_id in self.streams:
            raise RequestError("Stream already exists", request.stream_id)
        slot = self.engine.slots.take()
        if slot is None:
            raise RequestError(f"No slots available (max {self.engine.slots.size})", request.stream_id)
        stream = self.streams[request.stream_id] = Stream(
            request.stream_id,
            slot,
            chatml(request.messages, answer_prefix=self.engine.answer_prefix),
            request.temperature,
            request.stream_tokens,
        )
        return stream

    def _generate(self, stream: Stream, pause: Pause) -> None:
        if stream.generating:
            raise RequestError("Stream is generating", stream.stream_id)
        stream.generating = True
        stream.task = self.tasks.create_task(self._answer(stream, pause))

    async def _answer(self, stream: Stream, pause: Pause) -> None:
        async with self.turn:
            try:
                chunk = already_done() if stream.done else await self._take_chunk(stream, pause)
            except LlamaError as error:
                log.warning("llama.cpp at %s: %s", self.engine.llama.url, error)
                stream.generating, stream.done = False, True
                await self._send(RequestError(str(error), stream.stream_id).reply)
                return
            stream.text += chunk.text
            stream.done = not chunk.paused
            stream.generating = False  # before the reply, which the client may answer at once
            if stream.stream_tokens:
                await self._send(streamed_reply(chunk))
            else:
                await self._send(buffered_reply(stream.stream_id, chunk, stream.text))

    async def _take_chunk(self, stream: Stream, pause: Pause) -> Chunk:
        await stream.slot.cooled_down()
        completion = self.engine.llama.complete(
            stream.prompt + stream.text,
            most_tokens=pause.most_tokens,
            temperature=stream.temperature,
            slot=stream.slot.index,
        )
        try:
            return await take_chunk(completion, pause, self._send_token if stream.stream_tokens else _keep_token)
        finally:
            stream.slot.cool_down(self.engine.cooldown_seconds)

    async def _end(self, stream: Stream) -> None:
        stream.cancel()
        if stream.task:
            await asyncio.wait({stream.task})
        del self.streams[stream.stream_id]
        self.engine.slots.give_back(stream.slot)
        await self._send({"stream_id": stream.stream_id, "status": "ended"})

    async def _send_token(self, content: str) -> None:
        await self._send(token_reply(content))

    async def _send(self, reply: Mapping[str, object]) -> None:
        with suppress(ConnectionResetError):  # the client went away: reading ends too, and that ends the connection
            await self.socket.send_str(json.dumps(reply))


async def _keep_token(_content: str) -> None:
    """Do nothing: the chunk's text is sent when it is complete."""
