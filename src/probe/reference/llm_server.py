"""The chunked LLM server: `/ws` and `/health` in front of llama.cpp."""

import asyncio
import signal
import socket
from weakref import WeakSet

import click
from aiohttp import WSCloseCode, web

from probe.reference.llama import connect
from probe.reference.llm_connection import Connection, Engine
from probe.reference.llm_prompt import EMPTY_THINK_BLOCK
from probe.reference.llm_request import NotJsonError
from probe.reference.llm_slots import Slots

HEARTBEAT_SECONDS = 30
CLOSE_SECONDS = 1
SHUTDOWN_SECONDS = 2


async def serve(
    listener: socket.socket,
    llama_url: str,
    *,
    slots: int,
    slot_cooldown_ms: int,
    think_block: bool,
    llama_timeout_s: float,
) -> None:
    """Serve on the bound socket `listener` until SIGINT or SIGTERM; OSError if it can't listen."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with connect(llama_url, llama_timeout_s) as llama:
        engine = Engine(llama, Slots(slots), slot_cooldown_ms / 1000, EMPTY_THINK_BLOCK if think_block else "")
        runner = web.AppRunner(build_app(engine), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            host, port = listener.getsockname()[:2]
            click.echo(f"listening on ws://{f'[{host}]' if ':' in host else host}:{port}/ws", err=True)
            await stop.wait()
        finally:
            await runner.cleanup()


def build_app(engine: Engine) -> web.Application:
    """Return the server as an aiohttp application."""
    server = LlmServer(engine)
    app = web.Application()
    app.router.add_get("/ws", server.websocket)
    app.router.add_get("/health", server.health)
    app.on_shutdown.append(server.close_sockets)
    return app


class LlmServer:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.sockets: WeakSet[web.WebSocketResponse] = WeakSet()

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client; a frame that is not JSON drops its TCP connection without a close frame."""
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS, timeout=CLOSE_SECONDS, compress=False)
        await socket.prepare(request)
        self.sockets.add(socket)
        try:
            await Connection(socket, self.engine).serve()
        except* NotJsonError:
            if request.transport:
                request.transport.abort()
        return socket

    async def health(self, _request: web.Request) -> web.Response:
        """Return whether llama.cpp answers; the HTTP status is 200 anyway."""
        healthy = await self.engine.llama.healthy()
        return web.json_response(
            {
                "status": "ok" if healthy else "degraded",
                "llama_server": "healthy" if healthy else "unreachable",
                "llama_url": self.engine.llama.url,
                "active_streams": self.engine.slots.taken,
                "slot_cooldown_ms": round(self.engine.cooldown_seconds * 1000),
            }
        )

    async def close_sockets(self, _app: web.Application) -> None:
        closing = [socket.close(code=WSCloseCode.GOING_AWAY) for socket in self.sockets]
        await asyncio.gather(*closing, return_exceptions=True)
