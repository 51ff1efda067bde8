"""One client's session: its settings, its messages, and one response at a time."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web

from probe.reference.realtime import events
from probe.reference.realtime.answer import Answer
from probe.reference.realtime.events import Event, Words, new_id
from probe.reference.realtime.listening import Found, Listening
from probe.reference.realtime.settings import LONGEST_SILENCE_MS, Settings, TurnDetection, WrongError, decoded, message
from probe.reference.realtime.thinker import Thinker
from probe.reference.speech.synthesizer import Synthesizer

# Of one conversation.
MOST_MESSAGES = 200
# Of what is committed.
LEAST_MS = 100


class Session:
    """The talk on one WebSocket."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        words: Words,
        settings: Settings,
        thinker: Thinker,
        voice: Synthesizer,
        understood: str,
    ) -> None:
        self._socket = socket
        self._words = words
        self._settings = settings
        self._thinker = thinker
        self._voice = voice
        self._id = new_id("sess")
        self._messages: list[dict[str, str]] = []
        self._going_on: asyncio.Task[None] | None = None
        self._answer_now: Answer | None = None
        # What every speech is understood to be.
        self._understood = understood
        self._listening = Listening()
        # What the next speech will be called.
        self._item_id = new_id("item")
        self._handlers: Mapping[str, Callable[[Event], Awaitable[None]]] = {
            "session.update": self._update,
            "conversation.item.create": self._create_item,
            "conversation.item.truncate": self._truncate,
            "input_audio_buffer.append": self._hear,
            "input_audio_buffer.commit": self._commit,
            "input_audio_buffer.clear": self._clear,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    async def talk(self) -> None:
        """Greet, and answer until the client leaves."""
        await self._send(self._words.event("session.created", session=self._described()))
        try:
            async for frame in self._socket:
                if frame.type is WSMsgType.TEXT:
                    await self._take(frame.data)
        finally:
            await self._stop()

    async def _take(self, data: str) -> None:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        about = event.get("event_id") if isinstance(event, dict) else None
        about = about if isinstance(about, str) else None
        kind = event.get("type") if isinstance(event, dict) else None
        handle = self._handlers.get(kind, self._refuse) if isinstance(kind, str) else self._refuse
        try:
            await handle(event)
        except WrongError as error:
            refused = self._words.error(str(error), code="invalid_value", about=about, param=error.param)
            await self._send(refused)

    async def _refuse(self, _event: Event) -> None:
        raise WrongError(f"unknown event: it takes {', '.join(self._handlers)}", "type")

    async def _update(self, event: Event) -> None:
        self._settings = self._settings.changed(_table(event, "session"))
        await self._send(self._words.event("session.updated", session=self._described()))

    async def _create_item(self, event: Event) -> None:
        said = message(event.get("item"))
        if len(self._messages) >= MOST_MESSAGES:
            raise WrongError(f"a conversation has at most {MOST_MESSAGES} items", "item")
        self._messages.append(said)
        given = _table(event, "item")
        item_id = given.get("id") if isinstance(given.get("id"), str) else None
        item = events.item(item_id or new_id("item"), said["role"], given["content"])
        await self._send(self._words.event("conversation.item.added", item=item, previous_item_id=None))
        await self._send(self._words.event("conversation.item.done", item=item, previous_item_id=None))

    async def _respond(self, event: Event) -> None:
        if self._going_on is not None and not self._going_on.done():
            raise WrongError("a response goes on: cancel it, or wait for its end")
        settings = self._settings
        if isinstance(wanted := event.get("response"), dict):
            settings = settings.changed(wanted)
        self._begin(settings)

    def _begin(self, settings: Settings) -> None:
        self._going_on = asyncio.create_task(self._answer(settings))

    async def _answer(self, settings: Settings) -> None:
        answer = self._answer_now = Answer(self._words, self._send)
        system = [{"role": "system", "content": settings.instructions}] if settings.instructions else []
        await answer.give([*system, *self._messages], settings, self._thinker, self._voice)
        if answer.text:
            self._messages.append({"role": "assistant", "content": answer.text})

    async def _hear(self, event: Event) -> None:
        detection = self._settings.detection
        pcm = decoded(event.get("audio"))
        for found in self._listening.hear(pcm, LONGEST_SILENCE_MS if detection is None else detection.silence_ms):
            if detection is not None and found.what == "started":
                await self._started(found, detection)
            elif detection is not None:
                await self._stopped(found, detection)

    async def _started(self, found: Found, detection: TurnDetection) -> None:
        await self._say("input_audio_buffer.speech_started", audio_start_ms=found.at_ms, item_id=self._item_id)
        if detection.is_interrupted and self._goes_on and self._answer_now is not None:
            self._answer_now.cancelled_for = "turn_detected"
            await self._stop()

    async def _stopped(self, found: Found, detection: TurnDetection) -> None:
        await self._say("input_audio_buffer.speech_stopped", audio_end_ms=found.at_ms, item_id=self._item_id)
        await self._understand()
        if detection.answers and not self._goes_on:
            self._begin(self._settings)

    async def _understand(self) -> None:
        """What was said becomes an item, whose text the client is shown if it wants that."""
        item_id, self._item_id = self._item_id, new_id("item")
        if len(self._messages) >= MOST_MESSAGES:
            raise WrongError(f"a conversation has at most {MOST_MESSAGES} items", "item")
        self._listening.forget()
        self._messages.append({"role": "user", "content": self._understood})
        item = events.item(item_id, "user", [{"type": "input_audio", "transcript": None}])
        await self._say("input_audio_buffer.committed", item_id=item_id, previous_item_id=None)
        await self._say("conversation.item.added", item=item, previous_item_id=None)
        await self._say("conversation.item.done", item=item, previous_item_id=None)
        if self._settings.transcribes:
            kind = "conversation.item.input_audio_transcription.completed"
            usage = {"type": "duration", "seconds": 0}
            await self._say(kind, item_id=item_id, content_index=0, transcript=self._understood, usage=usage)

    async def _commit(self, event: Event) -> None:
        if self._listening.buffered_ms < LEAST_MS:
            about = event.get("event_id")
            few = f"there are {self._listening.buffered_ms} ms of audio, and {LEAST_MS} ms are needed"
            code = "input_audio_buffer_commit_empty"
            await self._send(self._words.error(few, code=code, about=about if isinstance(about, str) else None))
            return
        await self._understand()

    async def _clear(self, _event: Event) -> None:
        self._listening.forget()
        await self._say("input_audio_buffer.cleared")

    async def _truncate(self, event: Event) -> None:
        """What was not heard of an answer is not taken out of what the LLM knows."""
        place = {name: event.get(name) for name in ("item_id", "content_index", "audio_end_ms")}
        if not isinstance(place["item_id"], str) or not isinstance(place["audio_end_ms"], int):
            raise WrongError("names an item, and milliseconds of its audio", "item_id")
        await self._say("conversation.item.truncated", **place)

    @property
    def _goes_on(self) -> bool:
        return self._going_on is not None and not self._going_on.done()

    async def _say(self, kind: str, **fields: object) -> None:
        await self._send(self._words.event(kind, **fields))

    async def _cancel(self, event: Event) -> None:
        if self._going_on is None or self._going_on.done():
            about = event.get("event_id")
            about = about if isinstance(about, str) else None
            gone = self._words.error("no response goes on", code="response_cancel_not_active", about=about)
            await self._send(gone)
            return
        await self._stop()

    async def _stop(self) -> None:
        """Have the response end that goes on; it says so itself."""
        if self._going_on is not None:
            self._going_on.cancel()
            await asyncio.wait([self._going_on])

    async def _send(self, event: Event | None) -> None:
        if event is not None and not self._socket.closed:
            with suppress(ConnectionError):
                await self._socket.send_json(event)

    def _described(self) -> Event:
        return self._words.session(self._id, self._settings)


def _table(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = event.get(name)
    if not isinstance(value, dict):
        raise WrongError("must be an object", name)
    return value
