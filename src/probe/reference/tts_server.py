"""The TTS server's HTTP side: the WebSocket's handshake, health, configuration and OpenAI-compatible speech."""

import asyncio
import io
import json
import signal
import wave
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from aiohttp import WSCloseCode, web

from probe.reference.speech.engine import VOICES, SpeechError
from probe.reference.speech.pcm import BYTES_PER_SAMPLE
from probe.reference.speech.synthesizer import Synthesizer
from probe.reference.tts_connection import Connection, StreamFactory

STREAM_PATH = "/ws/tts/stream"
LONGEST_MESSAGE = 2**20
FAREWELL_S = 1.0
MEDIA_TYPES = {"pcm": "audio/pcm", "wav": "audio/wav"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Service:
    """What a TTS server serves: an engine, and the version of its streams."""

    synthesizer: Synthesizer
    new_stream: StreamFactory
    idle_s: float


SERVICE = web.AppKey("service", Service)
SOCKETS: web.AppKey[WeakSet[web.WebSocketResponse]] = web.AppKey("sockets", WeakSet)


async def run(service: Service, host: str, port: int, announce: Callable[[str], object]) -> None:
    """Serve until SIGINT or SIGTERM.

    Announces the address before the engine is loaded. Raises OSError where it can't listen, SpeechError where the
    engine can't be loaded.
    """
    _cancel_on_signals()
    with suppress(asyncio.CancelledError):
        runner = web.AppRunner(create_app(service), access_log=None, shutdown_timeout=FAREWELL_S)
        try:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            announce(f"listening on {_url(runner.addresses[0])}")
            await service.synthesizer.load()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()
            service.synthesizer.close()


def _cancel_on_signals() -> None:
    """Have a signal cancel the task that calls this."""
    task = asyncio.current_task()
    if task is not None:
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(signal_number, task.cancel)


def _url(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"ws://[{host}]:{port}{STREAM_PATH}" if ":" in host else f"ws://{host}:{port}{STREAM_PATH}"


def create_app(service: Service) -> web.Application:
    app = web.Application(middlewares=[_errors_as_json], client_max_size=LONGEST_MESSAGE)
    app[SERVICE] = service
    app[SOCKETS] = WeakSet()
    app.add_routes(
        [
            web.get(STREAM_PATH, _stream),
            web.get("/health", _health),
            web.get("/v1/audio/config", _config),
            web.post("/v1/audio/speech", _speech),
        ]
    )
    app.on_shutdown.append(_close_sockets)
    return app


async def _stream(request: web.Request) -> web.WebSocketResponse:
    service = request.app[SERVICE]
    socket = web.WebSocketResponse(compress=False, max_msg_size=LONGEST_MESSAGE, timeout=FAREWELL_S)
    await socket.prepare(request)
    request.app[SOCKETS].add(socket)

    def hang_up() -> None:
        if request.transport is not None:
            request.transport.close()

    await Connection(socket, hang_up, service.new_stream, service.synthesizer, service.idle_s).serve()
    return socket


async def _close_sockets(app: web.Application) -> None:
    sockets = app[SOCKETS]
    await asyncio.gather(*(socket.close(code=WSCloseCode.GOING_AWAY) for socket in set(sockets)))


async def _health(request: web.Request) -> web.Response:
    ready = request.app[SERVICE].synthesizer.ready
    return web.json_response({"status": "healthy" if ready else "loading", "model_loaded": ready})


async def _config(request: web.Request) -> web.Response:
    synthesizer = request.app[SERVICE].synthesizer
    return web.json_response(
        {
            "sample_rate": synthesizer.sample_rate,
            "channels": 1,
            "encoding": "pcm_s16le",
            "voices": VOICES,
            "languages": synthesizer.languages,
        }
    )


@dataclass(frozen=True)
class SpeechRequest:
    """The body of `POST /v1/audio/speech`. `model` and what else OpenAI's has is ignored; `language` is ours."""

    input: str
    voice: str = "aria"
    response_format: str = "pcm"
    language: str = "en"


async def _speech(request: web.Request) -> web.Response:
    synthesizer = request.app[SERVICE].synthesizer
    wanted = _speech_request(await request.text(), synthesizer.languages)
    try:
        pieces = synthesizer.speak(wanted.input, wanted.voice, wanted.language)
        pcm = b"".join([piece async for piece in pieces])
    except SpeechError as error:
        raise web.HTTPInternalServerError(text=str(error)) from error
    audio = pcm if wanted.response_format == "pcm" else _wav(pcm, synthesizer.sample_rate)
    return web.Response(body=audio, content_type=MEDIA_TYPES[wanted.response_format])


def _speech_request(body: str, languages: tuple[str, ...]) -> SpeechRequest:
    choices = {"voice": VOICES, "response_format": tuple(MEDIA_TYPES), "language": languages}
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise web.HTTPBadRequest(text="the body is not JSON") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("input"), str) or not fields["input"].strip():
        raise web.HTTPBadRequest(text="input must be the text to speak")
    for key, allowed in choices.items():
        if key in fields and fields[key] not in allowed:
            raise web.HTTPBadRequest(text=f"{key} must be one of {', '.join(allowed)}")
    return SpeechRequest(fields["input"], **{key: fields[key] for key in choices if key in fields})


def _wav(pcm: bytes, sample_rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(BYTES_PER_SAMPLE)
        wav.setframerate(sample_rate)
        wav.writeframes(pcm)
    return buffer.getvalue()


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPError as error:
        kind = "server_error" if error.status >= web.HTTPInternalServerError.status_code else "invalid_request_error"
        body: dict[str, Any] = {"error": {"message": error.text, "type": kind, "param": None, "code": None}}
        return web.json_response(body, status=error.status)
