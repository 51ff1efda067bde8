"""What is answered to audio: where speech begins and ends, and the transcript."""

import asyncio
from asyncio import StreamReader
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from probe.reference.hearing.transcriber import Transcriber, Utterance
from probe.reference.speech.pcm import BYTES_PER_SAMPLE
from probe.reference.wyoming.events import Event, RefusedError, read

# A client that sends nothing for longer holds up the others.
SILENT_S = 10.0
_RATES = range(4000, 192_001)
Send = Callable[[str, dict[str, Any]], Awaitable[None]]


def check(event: Event, transcriber: Transcriber) -> None:
    """Raise RefusedError for a `transcribe` with a model or a language that is not available."""
    model, language = event.text("name"), event.text("language")
    if model and model != transcriber.model:
        raise RefusedError(f"no model is called {model}", "ModelNotFoundError")
    if language and _plain(language) not in transcriber.languages:
        raise RefusedError(f"no model understands {language}", "ModelNotFoundError")


def _plain(language: str) -> str:
    return language.replace("-", "_").partition("_")[0]


async def hear(start: Event, reader: StreamReader, transcriber: Transcriber, send: Send) -> None:
    """Transcribe the audio from an `audio-start` to its `audio-stop`.

    `voice-started` and `voice-stopped` say when speech was found and when it was over, each time. The client ends the
    audio, and may do so because of them. Raises RefusedError, HearingError, NoEventError.
    """
    rate = _rate(start.data)
    async with transcriber.utterance(rate) as utterance:
        while (event := await _next(reader)) is not None:
            match event.type:
                case "audio-chunk" if _rate(event.data) == rate:
                    await _more(utterance, event.payload, send)
                case "audio-chunk":
                    raise RefusedError("a sample rate that changes")
                case "audio-stop":
                    await send("transcript", {"text": await utterance.text()})
                    return


async def _more(utterance: Utterance, pcm: bytes, send: Send) -> None:
    before = utterance.speaking
    utterance.hear(pcm)
    if utterance.speaking != before:
        await send("voice-stopped" if before else "voice-started", {})


async def _next(reader: StreamReader) -> Event | None:
    try:
        async with asyncio.timeout(SILENT_S):
            return await read(reader)
    except TimeoutError:
        raise RefusedError(f"neither audio nor audio-stop for {SILENT_S:g} s") from None


def _rate(form: Mapping[str, Any]) -> int:
    rate = form.get("rate")
    if not isinstance(rate, int) or rate not in _RATES:
        raise RefusedError("a sample rate below 4000 or above 192000 Hz, or none")
    if (form.get("width"), form.get("channels")) != (BYTES_PER_SAMPLE, 1):
        raise RefusedError("not 16-bit mono audio")
    return rate
