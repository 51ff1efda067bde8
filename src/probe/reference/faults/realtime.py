"""The scripted agent: one server that thinks and speaks, behind the OpenAI Realtime protocol in either dialect."""

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, count
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


_SAID = Value("item_id")


def transcript(text: object) -> Json:
    """Make the word of what was understood."""
    kind = "conversation.item.input_audio_transcription.completed"
    return event(kind, item_id=_SAID, content_index=0, transcript=text)


def untranscribed(message: str) -> Json:
    kind = "conversation.item.input_audio_transcription.failed"
    error = {"type": "transcription_error", "code": None, "message": message, "param": None}
    return event(kind, item_id=_SAID, content_index=0, error=error)


STOPPED = event("input_audio_buffer.speech_stopped", audio_end_ms=500, item_id=_SAID)
STARTED = event("input_audio_buffer.speech_started", audio_start_ms=100, item_id=_SAID)
COMMITTED = event("input_audio_buffer.committed", previous_item_id=None, item_id=_SAID)
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

    Of speech: on_speech when something that is no digital silence comes, on_silence when there were `silence_ms` of
    digital silence behind it, or (None) never; the answer follows by itself where the session has turn detection.
    on_interruption when such speech comes into an answer, which ends `stops_after` seconds later; None lets it go on.
    on_append comes with the first audio, on_commit after `input_audio_buffer.commit`.
    """

    on_connected: Steps = (session(),)
    on_update: Steps = (session("updated"),)
    on_item: Steps = ()
    answers: Sequence[Steps] = (answer(),)
    on_append: Steps = ()
    on_speech: Steps = (STARTED,)
    on_silence: Steps = (STOPPED, COMMITTED)
    on_commit: Steps = (COMMITTED,)
    silence_ms: float | None = None
    on_interruption: Steps | None = (
        done("cancelled", status_details={"type": "cancelled", "reason": "turn_detected"}),
    )
    # How long an answer goes on that speech came into.
    stops_after: float = 0.0
    on_cancel: Steps = (done("cancelled", status_details={"type": "cancelled", "reason": "client_cancelled"}),)


class _Ear:
    """Distinguishes speech from digital silence."""

    def __init__(self, silence_ms: float | None) -> None:
        self._needed_ms = silence_ms
        self._heard = self._speaking = False
        self._silent_ms = 0.0

    def hear(self, pcm: bytes) -> Literal["first", "speech", "silence"] | None:
        """Hear the next samples. Returns what they change: the first of all, the first of speech, the end of it."""
        first, self._heard = not self._heard, True
        sounds = any(pcm)
        self._silent_ms = 0.0 if sounds else self._silent_ms + len(pcm) / 2 / RATE * 1000
        if sounds and not self._speaking:
            self._speaking = True
            return "speech"
        if self._speaking and self._needed_ms is not None and self._silent_ms >= self._needed_ms:
            self._speaking = False
            return "silence"
        return "first" if first else None

    def forget(self) -> None:
        """What was heard is committed, or cleared."""
        self._speaking = False


class ScriptedRealtime(ScriptedServer):
    """Plays an answer while it goes on listening, so that a client can stop it."""

    path = "/v1/realtime"
    script: RealtimeScript

    def __init__(self, script: RealtimeScript | None = None, *, port: int = 0) -> None:
        super().__init__(script or RealtimeScript(), port=port)
        self._asked = 0

    async def serve(self, connection: Connection) -> None:
        async with asyncio.TaskGroup() as tasks:
            talk = _Talk(connection, self.script, tasks, self._next_answer)
            while (message := await connection.inbox.get()) is not None:
                await talk.take(message.json)

    def _next_answer(self) -> tuple[str, Steps]:
        """What the response is called, and what it says."""
        answers = self.script.answers
        self._asked += 1
        return f"resp_{self._asked}", tuple(answers[min(self._asked, len(answers)) - 1])


class _Talk:
    """What is said on one connection."""

    def __init__(
        self,
        connection: Connection,
        script: RealtimeScript,
        tasks: asyncio.TaskGroup,
        next_answer: Callable[[], tuple[str, Steps]],
    ) -> None:
        self._connection = connection
        self._script = script
        self._tasks = tasks
        self._next_answer = next_answer
        self._playing: asyncio.Task[None] | None = None
        self._ear = _Ear(script.silence_ms)
        self._said = count(1)
        connection.values |= {"item_id": "said_0", "response_id": "resp_0"}

    async def take(self, message: Mapping[str, Any]) -> None:
        """Do what a client's event leads to."""
        script = self._script
        match message["type"]:
            case "response.create":
                self._answer(())
            case "response.cancel":
                if self._playing is not None:
                    self._playing.cancel()
                await _played(self._connection, script.on_cancel)
            case "session.update":
                await _played(self._connection, script.on_update)
            case "conversation.item.create":
                await _played(self._connection, script.on_item)
            case "input_audio_buffer.append":
                await self._hear(base64.b64decode(message["audio"]))
            case "input_audio_buffer.commit":
                self._ear.forget()
                await _played(self._connection, script.on_commit)
            case "input_audio_buffer.clear":
                self._ear.forget()

    def _answer(self, before: Steps) -> None:
        name, steps = self._next_answer()
        self._connection.values["response_id"] = name
        self._playing = self._tasks.create_task(_played(self._connection, (*before, *steps)))

    async def _hear(self, pcm: bytes) -> None:
        match self._ear.hear(pcm):
            case "first":
                self._tasks.create_task(_played(self._connection, self._script.on_append))
            case "speech":
                self._connection.values["item_id"] = f"said_{next(self._said)}"
                await _played(self._connection, self._script.on_speech)
                playing = self._playing
                if playing is not None and self._goes_on and self._script.on_interruption is not None:
                    self._tasks.create_task(self._stop(playing, self._script.on_interruption))
            # One that can't be interrupted is deaf meanwhile.
            case "silence" if not self._goes_on or self._script.on_interruption is not None:
                self._answer(self._script.on_silence)

    @property
    def _goes_on(self) -> bool:
        return self._playing is not None and not self._playing.done()

    async def _stop(self, playing: asyncio.Task[None], steps: Steps) -> None:
        """Stop an answer that a person speaks into."""
        with suppress(ConnectionGoneError):
            await self._connection.pause(self._script.stops_after)
        playing.cancel()
        await _played(self._connection, steps)


async def _played(connection: Connection, steps: Steps) -> None:
    """As far as the client is there: a task group would turn its end into an exception group."""
    with suppress(ConnectionGoneError, ConnectionError):
        await connection.play(steps)
