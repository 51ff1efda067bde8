"""One response: thought, shown and spoken at once, a sentence at a time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from probe.reference.realtime import events
from probe.reference.realtime.events import Event, Words, encoded, new_id
from probe.reference.realtime.settings import SAMPLE_RATE, Settings
from probe.reference.realtime.thinker import Thinker, ThinkerError, cut
from probe.reference.speech.engine import SpeechError
from probe.reference.speech.pcm import BYTES_PER_SAMPLE
from probe.reference.speech.synthesizer import Synthesizer

# A tenth of a second, as others send it.
FRAME_BYTES = SAMPLE_RATE // 10 * BYTES_PER_SAMPLE

Send = Callable[[Event | None], Awaitable[None]]


class Answer:
    """One response from its beginning to its end; `text` is what has been shown of it."""

    def __init__(self, words: Words, send: Send) -> None:
        self.text = ""
        # Why it is cancelled, if it is.
        self.cancelled_for = "client_cancelled"
        self._words = words
        self._send = send
        self._response_id, self._item_id = new_id("resp"), new_id("item")
        self._pieces = 0

    async def give(
        self, messages: Sequence[dict[str, str]], settings: Settings, thinker: Thinker, voice: Synthesizer
    ) -> None:
        """Say it all. Cancelled, it ends with a response that is `cancelled`."""
        status = "completed"
        details: Event | None = None
        await self._begin()
        try:
            async with (
                aclosing(thinker.answer(messages, settings.temperature, settings.max_tokens)) as thought,
                asyncio.TaskGroup() as tasks,
            ):
                sentences: asyncio.Queue[str | None] = asyncio.Queue()
                speaking = tasks.create_task(self._speak(sentences, settings, voice))
                await self._show(thought, sentences)
                await speaking
        except asyncio.CancelledError:
            status, details = "cancelled", {"type": "cancelled", "reason": self.cancelled_for}
        except ExceptionGroup as group:
            why, others = group.split((ThinkerError, SpeechError))
            if why is None or others is not None:
                raise
            error = {"type": "server_error", "code": "server_error", "message": str(why.exceptions[0])}
            status, details = "failed", {"type": "failed", "error": error}
        await self._end(status, details)

    async def _show(self, thought: AsyncGenerator[str], sentences: asyncio.Queue[str | None]) -> None:
        rest = ""
        async for piece in thought:
            self._pieces += 1
            self.text += piece
            await self._say("response.output_audio_transcript.delta", delta=piece)
            sentence, rest = cut(rest + piece)
            if sentence:
                sentences.put_nowait(sentence)
        sentences.put_nowait(rest)
        sentences.put_nowait(None)

    async def _speak(self, sentences: asyncio.Queue[str | None], settings: Settings, voice: Synthesizer) -> None:
        while (sentence := await sentences.get()) is not None:
            if not sentence.strip():
                continue
            async with aclosing(voice.speak(sentence, settings.voice, next(iter(voice.languages)))) as pieces:
                async for pcm in pieces:
                    for start in range(0, len(pcm), FRAME_BYTES):
                        frame = pcm[start : start + FRAME_BYTES]
                        await self._say("response.output_audio.delta", delta=encoded(frame))

    async def _begin(self) -> None:
        at = {"response_id": self._response_id, "output_index": 0}
        item = events.item(self._item_id, "assistant", [], "in_progress")
        await self._tell("response.created", response=events.response(self._response_id, "in_progress"))
        await self._tell("response.output_item.added", **at, item=item)
        await self._tell("conversation.item.added", item=item, previous_item_id=None)
        await self._say("response.content_part.added", part={"type": "audio", "transcript": ""})

    async def _end(self, status: str, details: Event | None) -> None:
        at = {"response_id": self._response_id, "output_index": 0}
        said = self._words.content(self.text)
        item_status = "completed" if status == "completed" else "incomplete"
        item = events.item(self._item_id, "assistant", [said], item_status)
        await self._say("response.output_audio.done")
        await self._say("response.output_audio_transcript.done", transcript=self.text)
        await self._say("response.content_part.done", part={"type": "audio", "transcript": self.text})
        await self._tell("response.output_item.done", **at, item=item)
        await self._tell("conversation.item.done", item=item, previous_item_id=None)
        whole = events.response(
            self._response_id, status, status_details=details, output=[item], usage=events.usage(self._pieces)
        )
        await self._tell("response.done", response=whole)

    async def _say(self, kind: str, **fields: object) -> None:
        """An event about the one content that there is."""
        at = {"response_id": self._response_id, "item_id": self._item_id, "output_index": 0, "content_index": 0}
        await self._tell(kind, **at, **fields)

    async def _tell(self, kind: str, **fields: object) -> None:
        await self._send(self._words.event(kind, **fields))
