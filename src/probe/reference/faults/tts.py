"""The scripted TTS server, of both versions."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from probe.reference.faults import audio
from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.log import Entry
from probe.reference.faults.server import Script, ScriptedServer
from probe.reference.faults.steps import Binary, Drop, Http, Json, Value, Wait

MS_PER_WORD = 400

CREATED = Json({"type": "stream_created", "stream_id": Value("stream_id")})
SEGMENT_COMPLETE = Json({"type": "segment_complete", "segment": Value("segment"), "audio_ms": Value("audio_ms")})
DONE = Json(
    {"type": "done", "total_audio_ms": Value("total_audio_ms"), "segments_generated": Value("segments_generated")}
)


def error(message: str, *, fatal: bool) -> Json:
    return Json({"type": "error", "message": message, "fatal": fatal})


def pcm(data: bytes, *, first: float = 0.0, gap: float = 0.0, size: int = audio.FRAME_BYTES) -> Steps:
    """Make binary frames, `first` seconds before the first and `gap` between."""
    parts = audio.frames(data, size)
    waits = (Wait(gap if position else first) for position in range(len(parts)))
    return tuple(chain.from_iterable(zip(waits, map(Binary, parts), strict=True)))


def speech(ms: float = 300, *, leading_silence_ms: float = 0, first: float = 0.0, gap: float = 0.0) -> Steps:
    """Make the audio of a healthy segment."""
    return pcm(audio.silence(leading_silence_ms) + audio.tone(ms), first=first, gap=gap)


@dataclass(frozen=True, kw_only=True)
class TtsTurn:
    """One stream, from its `init`: an answer for each segment; the last one repeats.

    after_segment and on_close: None is what the script's generation does (see `VERSIONS`).
    """

    on_init: Steps = (CREATED,)
    segments: Sequence[Steps] = (speech(),)
    after_segment: Steps | None = None
    on_close: Steps | None = None


@dataclass(frozen=True)
class Version:
    """How the two kinds of servers in use differ."""

    buffers: bool
    takes_one_init: bool
    after_segment: Steps
    on_close: Steps


VERSIONS = {
    "newer": Version(buffers=False, takes_one_init=False, after_segment=(SEGMENT_COMPLETE,), on_close=(DONE,)),
    "older": Version(buffers=True, takes_one_init=True, after_segment=(), on_close=(DONE, Drop())),
}


@dataclass(frozen=True, kw_only=True)
class TtsScript(Script):
    """Turns go to streams in the order of their `init`, whatever their connection; the last turn repeats.

    target_audio_ms: how much estimated audio makes the older server flush its buffer. idle_s: a connection without
    messages for so long is dropped.
    """

    generation: Literal["newer", "older"] = "newer"
    turns: Sequence[TtsTurn] = (TtsTurn(),)
    voices: frozenset[str] = frozenset({"john", "sofia", "aria", "jason", "leo"})
    target_audio_ms: float = 500.0
    idle_s: float | None = None


class ScriptedTts(ScriptedServer):
    """Speaks one segment after the other and obeys no request meanwhile."""

    path = "/ws/tts/stream"
    script: TtsScript

    def __init__(self, script: TtsScript | None = None, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(script or TtsScript(), port=port, tls=tls)
        self._created = 0

    def next_turn(self) -> TtsTurn:
        turns = self.script.turns
        turn = turns[min(self._created, len(turns) - 1)]
        self._created += 1
        return turn

    def http_answer(self, path: str) -> Steps:
        bodies: dict[str, object] = {
            "/health": {"status": "healthy", "model_loaded": True},
            "/v1/audio/config": {
                "sample_rate": audio.RATE,
                "channels": 1,
                "encoding": "pcm_s16le",
                "voices": sorted(self.script.voices),
                "languages": ["en", "es", "de", "fr", "vi", "it", "zh"],
            },
        }
        return (Http(200, bodies[path]),) if path in bodies else super().http_answer(path)

    async def serve(self, connection: Connection) -> None:
        dialogue = _Dialogue(self, connection)
        while (message := await self._next_message(connection)) is not None:
            await dialogue.answer(message.json)
            if connection.inbox.empty():
                await dialogue.flush_if_due()

    async def _next_message(self, connection: Connection) -> Entry | None:
        try:
            async with asyncio.timeout(self.script.idle_s):
                return await connection.inbox.get()
        except TimeoutError:
            connection.drop()
            return None


@dataclass
class _Stream:
    """What lies between an `init` and its `done`."""

    turn: TtsTurn
    voice: str
    buffer: str = ""
    segments: int = 0
    audio_bytes: int = 0


class _Dialogue:
    """What is said on one connection."""

    def __init__(self, server: ScriptedTts, connection: Connection) -> None:
        self._server = server
        self._script = server.script
        self._generation = VERSIONS[server.script.generation]
        self._connection = connection
        self._voice = ""
        self._stream: _Stream | None = None

    async def answer(self, request: Any) -> None:
        match request:
            case {"type": "init"}:
                await self._init(str(request.get("voice", "aria")))
            case {"type": "text", "text": str(text)} if self._voice:
                await self._text(self._stream or await self._create_stream(), text)
            case {"type": "close"} if self._stream:
                await self._close(self._stream)
            case {"type": "close" | "cancel"}:
                self._stream = None
            case {"type": "ping"}:
                await self._connection.play((Json({"type": "pong"}),))
            case _:
                await self._connection.play((error("Invalid message", fatal=False),))

    async def flush_if_due(self) -> None:
        """Speak what the older server has gathered, once it is enough."""
        stream = self._stream
        if stream and stream.buffer and len(stream.buffer.split()) * MS_PER_WORD >= self._script.target_audio_ms:
            await self._flush(stream)

    async def _init(self, voice: str) -> None:
        if self._voice and self._generation.takes_one_init:
            return
        self._voice = voice
        await self._create_stream()
        if self._generation.takes_one_init:
            self._lose_early_close()

    async def _create_stream(self) -> _Stream:
        self._stream = _Stream(self._server.next_turn(), self._voice)
        self._connection.values["stream_id"] = f"scripted-{id(self._stream)}"
        self._report(self._stream, 0)
        await self._connection.play(self._stream.turn.on_init)
        return self._stream

    def _lose_early_close(self) -> None:
        waiting = [self._connection.inbox.get_nowait() for _ in range(self._connection.inbox.qsize())]
        for message in waiting:
            if message is None or message.json != {"type": "close"}:
                self._connection.inbox.put_nowait(message)

    async def _text(self, stream: _Stream, text: str) -> None:
        stream.buffer += text
        if self._generation.buffers:
            return  # texts that are waiting in the inbox join this one
        await self._flush(stream)

    async def _flush(self, stream: _Stream) -> None:
        text, stream.buffer = stream.buffer, ""
        if not text.strip() or stream.voice not in self._script.voices:
            return
        before = self._connection.audio_bytes
        answers, default = stream.turn.segments, self._generation.after_segment
        await self._connection.play(answers[min(stream.segments, len(answers) - 1)])
        stream.segments += 1
        self._report(stream, self._connection.audio_bytes - before)
        await self._connection.play(default if stream.turn.after_segment is None else stream.turn.after_segment)

    def _report(self, stream: _Stream, segment_bytes: int) -> None:
        stream.audio_bytes += segment_bytes
        self._connection.values.update(
            segment=stream.segments,
            audio_ms=round(audio.duration_ms(segment_bytes)),
            total_audio_ms=round(audio.duration_ms(stream.audio_bytes)),
            segments_generated=stream.segments,
        )

    async def _close(self, stream: _Stream) -> None:
        await self._flush(stream)
        self._stream = None
        if stream.voice in self._script.voices:
            default = self._generation.on_close
            await self._connection.play(default if stream.turn.on_close is None else stream.turn.on_close)
