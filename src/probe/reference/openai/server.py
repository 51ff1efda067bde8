"""The server: which handler answers which path, and from its start to its end."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiohttp import web

from probe.reference.openai.errors import errors_as_json
from probe.reference.openai.proxy import Llama, llama_at
from probe.reference.openai.speech import Speech
from probe.reference.speech.synthesizer import Synthesizer

LONGEST_REQUEST = 2**24  # bytes
SHUTDOWN_S = 2.0
GET_FROM_LLAMA = ("/health", "/slots", "/props", "/metrics", "/v1/models")


def application(
    llama_url: str, synthesizer: Synthesizer, voice: str
) -> Callable[[], AbstractAsyncContextManager[web.Application]]:
    """Make what `serve` runs."""

    @asynccontextmanager
    async def build() -> AsyncIterator[web.Application]:
        async with llama_at(llama_url) as llama:
            yield build_app(llama, Speech(synthesizer, voice))

    return build


async def serve(
    listener: socket.socket,
    synthesizer: Synthesizer,
    application: Callable[[], AbstractAsyncContextManager[web.Application]],
    ready: Callable[[str], object],
) -> None:
    """Serve on the bound socket `listener` until SIGINT or SIGTERM; `ready` is called with `host:port`.

    Nobody can connect before the speech engine is loaded. Raises OSError where it can't listen, SpeechError where the
    engine can't be loaded.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    loading = asyncio.create_task(synthesizer.load())
    await _either(loading, stop)
    if stop.is_set():
        return
    async with application() as app:
        # A client that leaves has its request cancelled: nobody would hear the rest.
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, handler_cancellation=True)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            ready(_address(listener))
            await stop.wait()
        finally:
            await runner.cleanup()


async def _either(loading: asyncio.Task[None], stop: asyncio.Event) -> None:
    """Wait for the loading or for the end; SpeechError where the loading failed."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait([loading, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if loading.done():
        loading.result()


def build_app(llama: Llama, speech: Speech) -> web.Application:
    app = web.Application(middlewares=[errors_as_json], client_max_size=LONGEST_REQUEST)
    app.add_routes(
        [
            web.post("/v1/chat/completions", llama.hand_on),
            *(web.get(path, llama.hand_on) for path in GET_FROM_LLAMA),
            web.post("/v1/audio/speech", speech.speak),
            web.get("/v1/audio/voices", speech.voices),
        ]
    )
    return app


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"
