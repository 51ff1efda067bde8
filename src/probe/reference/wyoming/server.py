"""The server: from its start to its end, and its talk with each client."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterable
from contextlib import aclosing, suppress
from typing import Any

from probe.reference.hearing.engine import HearingError
from probe.reference.hearing.transcriber import Transcriber
from probe.reference.speech.engine import VOICES, SpeechError
from probe.reference.speech.pcm import BYTES_PER_SAMPLE
from probe.reference.speech.synthesizer import Synthesizer
from probe.reference.wyoming import hearing
from probe.reference.wyoming.events import LONGEST_LINE, Event, NoEventError, RefusedError, read, written
from probe.reference.wyoming.info import description
from probe.reference.wyoming.sentences import Sentences

SAMPLE_RATE = 22_050
CHUNK_BYTES = 1024 * BYTES_PER_SAMPLE
FORMAT = {"rate": SAMPLE_RATE, "width": BYTES_PER_SAMPLE, "channels": 1}
# A stream may be as long as an answer is.
LONGEST_TEXT = 2**16


async def serve(
    listener: socket.socket,
    synthesizer: Synthesizer,
    voice: str,
    ready: Callable[[str], object],
    *,
    transcriber: Transcriber | None = None,
    streaming: bool = True,
) -> None:
    """Serve on the bound socket `listener` until SIGINT or SIGTERM; `ready` gets the address.

    Nobody can connect before the engines are loaded. Without a `transcriber` it does not hear. Without `streaming` it
    is an older server, which takes whole texts alone. Raises OSError where it can't listen, SpeechError and
    HearingError where an engine can't be loaded.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await synthesizer.load()
    if transcriber is not None:
        await transcriber.load()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Talk(writer, synthesizer, voice, transcriber, streaming=streaming).run(reader)

    server = await asyncio.start_server(talk, sock=listener, limit=LONGEST_LINE)
    host, port = listener.getsockname()[:2]
    ready(f"tcp://{f'[{host}]' if ':' in host else host}:{port}")
    await stop.wait()
    server.close()


class Talk:
    """What one client asks, and what it is answered: one text, or one utterance, after the other."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        synthesizer: Synthesizer,
        voice: str,
        transcriber: Transcriber | None = None,
        *,
        streaming: bool,
    ) -> None:
        self._writer = writer
        self._synthesizer = synthesizer
        self._transcriber = transcriber
        self._voice = voice
        self._streaming = streaming
        # Of the stream of text that goes on: who speaks it, what is not spoken yet, and how much there was.
        self._stream: tuple[str, str] | None = None
        self._sentences = Sentences()
        self._taken = 0

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Answer until the client leaves, or asks for what is not available."""
        with suppress(ConnectionError):
            try:
                while (event := await read(reader)) is not None:
                    await self._answer(event, reader)
            except NoEventError:
                pass
            except RefusedError as error:
                await self._send("error", {"text": str(error)} | ({"code": error.code} if error.code else {}))
            except SpeechError as error:
                await self._send("error", {"text": str(error), "code": "SpeechError"})
            except HearingError as error:
                await self._send("error", {"text": str(error), "code": "HearingError"})
            finally:
                self._writer.close()

    async def _answer(self, event: Event, reader: asyncio.StreamReader) -> None:
        match event.type:
            case "describe":
                await self._send("info", description(self._synthesizer, self._transcriber, streaming=self._streaming))
            case "transcribe" | "audio-start":
                await self._hear(event, reader)
            case "ping":
                await self._send("pong", {})
            # Clients send the whole text to a stream, too, for servers that know no streams.
            case "synthesize" if self._stream is None:
                await self._speak((event.text("text") or "",), *self._speaker(event))
            case "synthesize-start" if self._streaming:
                self._stream, self._sentences, self._taken = self._speaker(event), Sentences(), 0
            case "synthesize-chunk" if self._stream is not None:
                await self._more(event.text("text") or "", self._stream)
            case "synthesize-stop" if self._stream is not None:
                for sentence in self._sentences.rest():
                    await self._speak((sentence,), *self._stream)
                self._stream = None
                await self._send("synthesize-stopped", {})

    async def _hear(self, event: Event, reader: asyncio.StreamReader) -> None:
        if self._transcriber is None:
            raise RefusedError("this server does not hear")
        if event.type == "transcribe":
            hearing.check(event, self._transcriber)
        else:
            await hearing.hear(event, reader, self._transcriber, self._send)

    async def _more(self, text: str, stream: tuple[str, str]) -> None:
        self._taken += len(text)
        if self._taken > LONGEST_TEXT:
            raise RefusedError(f"a text of more than {LONGEST_TEXT} characters")
        for sentence in self._sentences.add(text):
            await self._speak((sentence,), *stream)

    async def _speak(self, texts: Iterable[str], voice: str, language: str) -> None:
        """Speak as one stretch of audio. A text without a word has no start, as Piper's server has it."""
        started = False
        for text in texts:
            async with aclosing(self._synthesizer.speak(text, voice, language)) as pieces:
                async for piece in pieces:
                    if piece and not started:
                        started = True
                        await self._send("audio-start", FORMAT)
                    for at in range(0, len(piece), CHUNK_BYTES):
                        await self._send("audio-chunk", FORMAT, piece[at : at + CHUNK_BYTES])
        await self._send("audio-stop", {})

    def _speaker(self, event: Event) -> tuple[str, str]:
        """Voice and language. Raises RefusedError."""
        wanted: Any = event.data.get("voice")
        fields = Event("voice", wanted if isinstance(wanted, dict) else {})
        voice = fields.text("name") or self._voice
        language = (fields.text("language") or self._synthesizer.languages[0]).replace("-", "_").partition("_")[0]
        if voice not in VOICES:
            raise RefusedError(voice, "VoiceNotFoundError")
        if language not in self._synthesizer.languages:
            raise RefusedError(f"no voice speaks {language}", "VoiceNotFoundError")
        return voice, language

    async def _send(self, kind: str, data: dict[str, Any], payload: bytes = b"") -> None:
        self._writer.write(written(kind, data, payload))
        await self._writer.drain()
