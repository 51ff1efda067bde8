"""`POST /v1/audio/speech`: one text, sent as it is spoken."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from aiohttp import web

from probe.reference.openai.errors import break_off, refusal
from probe.reference.openai.speech_request import STAND_INS, SpeechRequest, parse
from probe.reference.speech.engine import VOICES, SpeechError
from probe.reference.speech.pcm import BYTES_PER_SAMPLE, frames
from probe.reference.speech.synthesizer import Synthesizer

SAMPLE_RATE = 24_000
UNKNOWN_SIZE = 0xFFFFFFFF
PCM = 1  # of the formats that a WAV file may have
MEDIA_TYPES = {"pcm": f"audio/pcm;rate={SAMPLE_RATE}", "wav": "audio/wav"}
# No engine here has tokens to count.
DONE = b'data: {"type": "speech.audio.done", "usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}}\n\n'


class Speech:
    """Speaks one text at a time; other requests wait. `voice` is who speaks where a request names nobody."""

    def __init__(self, synthesizer: Synthesizer, voice: str) -> None:
        self._synthesizer = synthesizer
        self._voice = voice
        self._turn = asyncio.Lock()

    async def voices(self, _request: web.Request) -> web.Response:
        """List the voices as Kokoro-FastAPI does."""
        return web.json_response({"voices": [{"id": voice, "name": voice} for voice in (*VOICES, *STAND_INS)]})

    async def speak(self, request: web.Request) -> web.StreamResponse:
        """Answer from the first audio on, so that an engine that fails at once is a 500; a later one breaks it off.

        Cancelling this, as aiohttp does when the client leaves, ends the speech after the piece that is being made.
        """
        wanted = parse(await request.read(), voice=self._voice, languages=self._synthesizer.languages)
        async with self._turn, aclosing(self._written(wanted)) as parts:
            try:
                first = await anext(parts, b"")
            except SpeechError as error:
                return refusal(web.HTTPInternalServerError.status_code, str(error))
            response = web.StreamResponse(headers=_headers(wanted))
            await response.prepare(request)
            try:
                await _write(response, first, parts)
            except (SpeechError, ConnectionError):
                break_off(request)
            return response

    async def _written(self, wanted: SpeechRequest) -> AsyncGenerator[bytes]:
        """Yield the response's body, which is not ready before the first audio is."""
        as_events = wanted.stream_format == "sse"
        encode = _event if as_events else bytes
        header = wav_header() if wanted.response_format == "wav" else b""
        async with aclosing(self._synthesizer.speak(wanted.input, wanted.voice, wanted.language)) as pieces:
            async for piece in pieces:
                for part in filter(None, (header, *frames(piece))):
                    yield encode(part)
                header = b""
        if as_events:
            yield DONE


def wav_header() -> bytes:
    """Make the header of a WAV file that is still being spoken: its sizes say that nobody knows them."""
    riff = struct.pack("<4sI4s", b"RIFF", UNKNOWN_SIZE, b"WAVE")
    bytes_per_second = BYTES_PER_SAMPLE * SAMPLE_RATE
    form = struct.pack("<HHIIHH", PCM, 1, SAMPLE_RATE, bytes_per_second, BYTES_PER_SAMPLE, 8 * BYTES_PER_SAMPLE)
    return riff + struct.pack("<4sI", b"fmt ", len(form)) + form + struct.pack("<4sI", b"data", UNKNOWN_SIZE)


def _headers(wanted: SpeechRequest) -> dict[str, str]:
    media_type = "text/event-stream" if wanted.stream_format == "sse" else MEDIA_TYPES[wanted.response_format]
    return {"Content-Type": media_type, "X-Sample-Rate": str(SAMPLE_RATE)}


async def _write(response: web.StreamResponse, first: bytes, rest: AsyncIterator[bytes]) -> None:
    if first:  # a text may have nothing that can be spoken
        await response.write(first)
    async for part in rest:
        await response.write(part)


def _event(audio: bytes) -> bytes:
    delta = {"type": "speech.audio.delta", "audio": base64.b64encode(audio).decode()}
    return b"data: " + json.dumps(delta).encode() + b"\n\n"
