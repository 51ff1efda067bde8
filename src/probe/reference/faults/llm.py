"""The scripted LLM server."""

import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TypedDict

from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.server import Script, ScriptedServer
from probe.reference.faults.steps import Drop, Http, Json, Repeat, Value, Wait

LlmTurn = Sequence[Steps]
"""The answers to one start_stream and to each continue_stream after it; after the last one the stream is done."""


def token(content: str) -> Json:
    return Json({"type": "token", "content": content})


def tokens(*contents: str, first: float = 0.0, gap: float = 0.0) -> Steps:
    """Make token frames, `first` seconds before the first and `gap` between."""
    waits = (Wait(gap if position else first) for position in range(len(contents)))
    return tuple(chain.from_iterable(zip(waits, map(token, contents), strict=True)))


def endless(content: str, *, gap: float) -> Steps:
    """Repeat one token for ever, `gap` seconds after each."""
    return (Repeat((token(content), Wait(gap))),)


def paused(
    text: str, *, reason: str = "sentence_boundary", count: int = 1, ttft_ms: float = 1.0, elapsed_ms: float = 1.0
) -> Json:
    times = {"ttft_ms": ttft_ms, "elapsed_ms": elapsed_ms}
    return Json({"type": "paused", "reason": reason, "text": text, "tokens": count, **times})


def done(text: str = "", *, reason: str = "eos", count: int = 0, ttft_ms: float = 1.0, elapsed_ms: float = 1.0) -> Json:
    times = {"ttft_ms": ttft_ms, "elapsed_ms": elapsed_ms}
    return Json({"type": "done", "reason": reason, "text": text, "tokens": count, **times})


def chunk(*contents: str, first: float = 0.0, gap: float = 0.0, reason: str = "sentence_boundary") -> Steps:
    """Make a healthy chunk that ends in `paused`; its text is the contents, joined."""
    frames, times = tokens(*contents, first=first, gap=gap), _times(contents, first, gap)
    return (*frames, paused("".join(contents), reason=reason, count=len(contents), **times))


def last_chunk(*contents: str, first: float = 0.0, gap: float = 0.0, reason: str = "sentence_boundary_eos") -> Steps:
    """Make a healthy chunk that ends in `done`."""
    frames, times = tokens(*contents, first=first, gap=gap), _times(contents, first, gap)
    return (*frames, done("".join(contents), reason=reason, count=len(contents), **times))


class _Times(TypedDict):
    ttft_ms: float
    elapsed_ms: float


def _times(contents: Sequence[str], first: float, gap: float) -> _Times:
    return {"ttft_ms": first * 1000, "elapsed_ms": (first + gap * max(len(contents) - 1, 0)) * 1000}


def buffered(text: str, *, state: Literal["paused", "done"] = "done", reason: str = "eos", count: int = 1) -> Json:
    """Make the one reply to a request without stream_tokens."""
    ending = {"text": text, "tokens": count, "reason": reason, "ttft_ms": 1.0, "full_text": text}
    flags = {"paused": state == "paused", "done": state == "done"}
    return Json({"stream_id": Value("stream_id"), "status": "started", **ending, **flags})


def error(message: str) -> Json:
    return Json({"stream_id": Value("stream_id"), "error": message})


ENDED = Json({"stream_id": Value("stream_id"), "status": "ended"})
HEALTHY_TURN: LlmTurn = (chunk(" Hello", " there."), last_chunk(" How", " are", " you?"))


@dataclass(frozen=True, kw_only=True)
class LlmScript(Script):
    """Turns go to streams in the order of their start, whatever their connection; the last turn repeats.

    on_end: the answer to end_stream, after which the slot is free; when empty, the slot stays taken.
    """

    turns: Sequence[LlmTurn] = (HEALTHY_TURN,)
    on_end: Steps = (ENDED,)
    slots: int = 1
    cooldown_s: float = 0.0


class ScriptedLlm(ScriptedServer):
    """Obeys no request while it answers one, as real ones, and keeps a stream's slot until its end_stream."""

    path = "/ws"
    script: LlmScript

    def __init__(self, script: LlmScript | None = None, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(script or LlmScript(), port=port, tls=tls)
        self.active_streams: dict[str, list[Steps]] = {}
        """What each stream that holds a slot has still to answer."""
        self._started = 0
        self._cool_at = 0.0

    async def serve(self, connection: Connection) -> None:
        while (message := await connection.inbox.get()) is not None:
            request = message.json
            if not isinstance(request, dict):
                await connection.play((Drop(),))
            connection.values["stream_id"] = request.get("stream_id")
            await self._answer(connection, request.get("action"), request.get("stream_id"))

    def http_answer(self, path: str) -> Steps:
        if path != "/health":
            return super().http_answer(path)
        state = {"status": "ok", "llama_server": "healthy", "llama_url": "scripted"}
        load = {"active_streams": len(self.active_streams), "slot_cooldown_ms": round(self.script.cooldown_s * 1000)}
        return (Http(200, state | load),)

    async def _answer(self, connection: Connection, action: object, stream_id: str | None) -> None:
        match action:
            case "ping":
                await connection.play((Json({"status": "pong"}),))
            case "start_stream" | "continue_stream" | "end_stream" if not stream_id:
                await connection.play((Json({"error": "stream_id required"}),))
            case "start_stream":
                await self._start(connection, str(stream_id))
            case "continue_stream" | "end_stream" if stream_id not in self.active_streams:
                await connection.play((error("Stream not found"),))
            case "continue_stream":
                await self._generate(connection, str(stream_id))
            case "end_stream":
                await self._end(connection, str(stream_id))
            case _:
                await connection.play((Json({"error": f"Unknown action: {action}"}),))

    async def _start(self, connection: Connection, stream_id: str) -> None:
        if len(self.active_streams) >= self.script.slots:
            await connection.play((error(f"No slots available (max {self.script.slots})"),))
            return
        turns = self.script.turns
        self.active_streams[stream_id] = list(turns[min(self._started, len(turns) - 1)])
        self._started += 1
        await self._generate(connection, stream_id)

    async def _generate(self, connection: Connection, stream_id: str) -> None:
        answers = self.active_streams[stream_id]
        steps = answers.pop(0) if answers else (done(reason="already_done"),)
        await connection.pause(self._cool_at - time.monotonic())
        try:
            await connection.play(steps)
        finally:
            self._cool_at = time.monotonic() + self.script.cooldown_s

    async def _end(self, connection: Connection, stream_id: str) -> None:
        if self.script.on_end:
            del self.active_streams[stream_id]
        await connection.play(self.script.on_end)
