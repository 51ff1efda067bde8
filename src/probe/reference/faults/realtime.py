"""The scripted agent: one server that thinks and speaks, behind the OpenAI Realtime protocol in either dialect."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from probe.reference.faults import audio
from probe.reference.faults.connection import Connection, ConnectionGoneError, Step, Steps
from probe.reference.faults.server import Script, ScriptedServer
from probe.reference.faults.speech import samples
from probe.reference.faults.steps import Json, Value, Wait

RATE = 24_000
FRAME_BYTES = 4800
Dialect = Literal["ga", "beta"]
_NAMES: Mapping[str, Mapping[Dialect, str]] = {
    "words": {"ga": "response.output_audio_transcript", "beta": "response.audio_transcript"},
    "sound": {"ga": "response.output_audio", "beta": "response.audio"},
}
_PLACE = {"response_id": Value("response_id"), "item_id": "item_1", "output_index": 0, "content_index": 0}
GA_SESSION: Mapping[str, Any] = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_1",
    "model": "scripted",
    "output_modalities": ["audio"],
    "audio": {"output": {"format": {"type": "audio/pcm", "rate": RATE}, "voice": "aria"}},
}
BETA_SESSION: Mapping[str, Any] = {
    "object": "realtime.session",
    "id": "sess_1",
    "model": "scripted",
    "modalities": ["audio", "text"],
    "voice": "aria",
    "output_audio_format": "pcm16",
}


def event(kind: str, **fields: Any) -> Json:
    """Make an event of the server's."""
    return Json({"type": kind, "event_id": "event_1", **fields})


def session(kind: Literal["created", "updated"] = "created", **changes: Any) -> Json:
    return event(f"session.{kind}", session={**GA_SESSION, **changes})


def beta_session(kind: Literal["created", "updated"] = "created", **changes: Any) -> Json:
    return event(f"session.{kind}", session={**BETA_SESSION, **changes})


CREATED = event("response.created", response={"id": Value("response_id"), "status": "in_progress"})
RATE_LIMITS = event("rate_limits.updated", rate_limits=[{"name": "requests", "limit": 9, "remaining": 8}])


def words(text: str, dialect: Dialect = "ga", **more: Any) -> Json:
    """Make a piece of what is said, as text."""
    return event(f"{_NAMES['words'][dialect]}.delta", delta=text, **_PLACE, **more)


def all_words(text: str, dialect: Dialect = "ga", **more: Any) -> Json:
    """Make the whole text of a part of what is said."""
    return event(f"{_NAMES['words'][dialect]}.done", transcript=text, **_PLACE, **more)


def sound(pcm: bytes, dialect: Dialect = "ga", **more: Any) -> Json:
    return event(f"{_NAMES['sound'][dialect]}.delta", delta=base64.b64encode(pcm).decode(), **_PLACE, **more)


def sound_done(dialect: Dialect = "ga", **more: Any) -> Json:
    return event(f"{_NAMES['sound'][dialect]}.done", **_PLACE, **more)


def sounds(pcm: bytes, dialect: Dialect = "ga", *, first: float = 0.0, gap: float = 0.0) -> Steps:
    """Make an event for each tenth of a second, `first` seconds before the first and `gap` between."""
    parts = audio.frames(pcm, FRAME_BYTES)
    waits = (Wait(gap if position else first) for position in range(len(parts)))
    return tuple(chain.from_iterable(zip(waits, (sound(part, dialect) for part in parts), strict=True)))


def done(status: str = "completed", **response: Any) -> Json:
    usage = {"output_tokens": 20, "output_token_details": {"text_tokens": 5, "audio_tokens": 15}}
    return event("response.done", response={"id": Value("response_id"), "status": status, "usage": usage, **response})


def failed(code: str, message: str) -> Json:
    """Make the end of a response that came to nothing."""
    error = {"type": "server_error", "code": code, "message": message}
    return done("failed", status_details={"type": "failed", "error": error})


def error(message: str, code: str = "server_error", **more: Any) -> Json:
    return event("error", error={"type": "server_error", "code": code, "message": message, **more})


def answer(
    *texts: str,
    ms: float = 400,
    leading_silence_ms: float = 0,
    dialect: Dialect = "ga",
    first: float = 0.0,
    gap: float = 0.0,
    sound_first: float = 0.0,
) -> Steps:
    """Make a healthy answer: pieces of text, then the sound of them."""
    said = texts or (" Hello", " there.")
    written: list[Step] = []
    for number, text in enumerate(said):
        written += [Wait(gap if number else first), words(text, dialect)]
    pcm = samples(ms, leading_silence_ms, RATE)
    return (
        CREATED, *written, *sounds(pcm, dialect, first=sound_first, gap=gap), sound_done(dialect),
        all_words("".join(said), dialect), done(),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RealtimeScript(Script):
    """An answer for each `response.create`, whatever its connection; the last one repeats.

    on_connected is the greeting, on_update comes after `session.update`, on_item after each item, on_cancel after
    `response.cancel`, which ends the answer that is being played.
    """

    on_connected: Steps = (session(),)
    on_update: Steps = (session("updated"),)
    on_item: Steps = ()
    answers: Sequence[Steps] = (answer(),)
    on_cancel: Steps = (done("cancelled", status_details={"type": "cancelled", "reason": "client_cancelled"}),)


class ScriptedRealtime(ScriptedServer):
    """Plays an answer while it goes on listening, so that a client can stop it."""

    path = "/v1/realtime"
    script: RealtimeScript

    def __init__(self, script: RealtimeScript | None = None, *, port: int = 0) -> None:
        super().__init__(script or RealtimeScript(), port=port)
        self._asked = 0

    async def serve(self, connection: Connection) -> None:
        script = self.script
        on = {"session.update": script.on_update, "conversation.item.create": script.on_item}
        playing: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as tasks:
            while (message := await connection.inbox.get()) is not None:
                match message.json["type"]:
                    case "response.create":
                        playing = tasks.create_task(_played(connection, self._next_answer()))
                        connection.values["response_id"] = f"resp_{self._asked}"
                    case "response.cancel":
                        if playing is not None:
                            playing.cancel()
                        await _played(connection, script.on_cancel)
                    case kind:
                        await _played(connection, on.get(kind, ()))

    def _next_answer(self) -> tuple[Step, ...]:
        answers = self.script.answers
        self._asked += 1
        return tuple(answers[min(self._asked, len(answers)) - 1])


async def _played(connection: Connection, steps: Steps) -> None:
    """As far as the client is there: within a group of tasks, its end would be none that whoever is outside knows."""
    with suppress(ConnectionGoneError, ConnectionError):
        await connection.play(steps)
