"""The server: both sides of it, from their start to their end."""

import asyncio
import signal
import socket
from collections.abc import Callable

from aiohttp import web

from probe.reference.hearing.transcriber import Transcriber
from probe.reference.riva import grpc_side
from probe.reference.riva.http_side import Paths
from probe.reference.riva.speech import Speech
from probe.reference.speech.synthesizer import Synthesizer

SHUTDOWN_S = 2.0


async def serve(
    host: str,
    port: int,
    listener: socket.socket,
    synthesizer: Synthesizer,
    ready: Callable[[str, str], object],
    transcriber: Transcriber | None = None,
) -> None:
    """Serve gRPC on `host` and `port`, and HTTP on the bound `listener`, until SIGINT or SIGTERM.

    `ready` is given both URLs once the engines are loaded. Raises OSError where it can't listen, SpeechError and
    HearingError where an engine can't be loaded.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    speech = Speech(synthesizer)
    server = grpc_side.server(speech, transcriber)
    shown = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_insecure_port(f"{shown}:{port}")
    except RuntimeError as error:
        raise OSError(0, "the port is taken, or no address of this machine") from error
    # A client that leaves has its request cancelled: nobody would hear the rest.
    runner = web.AppRunner(Paths(speech).app(), access_log=None, shutdown_timeout=SHUTDOWN_S, handler_cancellation=True)
    try:
        await synthesizer.load()
        if transcriber is not None:
            await transcriber.load()
        await server.start()
        await runner.setup()
        await web.SockSite(runner, listener).start()
        ready(f"grpc://{shown}:{bound}", f"http://{shown}:{listener.getsockname()[1]}")
        await stop.wait()
    finally:
        await runner.cleanup()
        await server.stop(0)
        if transcriber is not None:
            transcriber.close()
