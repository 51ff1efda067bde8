"""The server: who gets a session, and what else it answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from aiohttp import ClientSession, ClientTimeout, TCPConnector, WSCloseCode, web

from probe.reference.realtime.events import Words
from probe.reference.realtime.session import Session
from probe.reference.realtime.settings import Settings
from probe.reference.realtime.thinker import Thinker
from probe.reference.speech.synthesizer import Synthesizer

PATH = "/v1/realtime"
CONNECT_S = 5
LONGEST_MESSAGE = 2**20
# As browsers have to say who they are.
_PROTOCOL = "realtime"


class Realtime:
    """So many sessions at a time; a client that comes when all are taken gets an error, and is turned away."""

    def __init__(
        self, thinker: Thinker, voice: Synthesizer, speaker: str, model: str, sessions: int, understood: str
    ) -> None:
        self._understood = understood
        self._thinker = thinker
        self._voice = voice
        self._speaker = speaker
        self._model = model
        self._free = sessions

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Hold a session for as long as the client stays."""
        socket = web.WebSocketResponse(protocols=(_PROTOCOL,), max_msg_size=LONGEST_MESSAGE)
        await socket.prepare(request)
        words = Words(beta="realtime=v1" in request.headers.get("OpenAI-Beta", ""))
        if not self._free:
            await socket.send_json(words.error("all sessions are taken", code="session_limit_reached", about=None))
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"all sessions are taken")
            return socket
        self._free -= 1
        try:
            settings = Settings(request.query.get("model", self._model), self._speaker)
            await Session(socket, words, settings, self._thinker, self._voice, self._understood).talk()
        finally:
            self._free += 1
        return socket

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "model": self._model, "free_sessions": self._free})


def application(
    llama_url: str, voice: Synthesizer, speaker: str, model: str, sessions: int, understood: str
) -> Callable[[], AbstractAsyncContextManager[web.Application]]:
    """Make what `serve` of the OpenAI-compatible server runs."""

    @asynccontextmanager
    async def build() -> AsyncIterator[web.Application]:
        async with ClientSession(
            connector=TCPConnector(force_close=True, limit=0), timeout=ClientTimeout(total=None, sock_connect=CONNECT_S)
        ) as http:
            realtime = Realtime(Thinker(llama_url, http), voice, speaker, model, sessions, understood)
            app = web.Application()
            app.add_routes([web.get(PATH, realtime.connect), web.get("/health", realtime.health)])
            yield app

    return build
