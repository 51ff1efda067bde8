"""The scripted HTTP/1.1 server: an OpenAI-compatible one, unless its script says otherwise."""

import ssl
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from probe.reference.faults import chat, speech, wire
from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.http_steps import Reply
from probe.reference.faults.server import Script, ScriptedServer

CHAT, SPEECH = "/v1/chat/completions", "/v1/audio/speech"
HEALTHY: Mapping[str, Sequence[Steps]] = {
    CHAT: (chat.answer(" Hello", " there.", " How", " are", " you?"),),
    SPEECH: (speech.pcm(),),
    "/health": ((Reply(200, {"status": "ok"}),),),
    "/v1/models": ((Reply(200, {"object": "list", "data": [{"id": chat.MODEL, "object": "model"}]}),),),
    "/v1/audio/voices": ((Reply(200, {"voices": ["aria", "leo"]}),),),
}


@dataclass(frozen=True, kw_only=True)
class HttpScript(Script):
    """Answers by path: one for each request, in the order in which they come, whatever their connection.

    The last one of a path repeats. A path that is not here is answered as in `HEALTHY`, or with 404. Of what all
    scripts have, `on_accept` is played; the rest is for WebSockets.
    """

    answers: Mapping[str, Sequence[Steps]] = field(default_factory=dict)
    on_client_close: Steps = ()


class HttpConnection(Connection):
    """Logs each request's head as `http` and its body, if it has one, as `body`."""

    async def read_all(self) -> None:
        while True:
            request = self.log.add(self.number, "in", "http", await self.reader.readuntil(b"\r\n\r\n"))
            if "transfer-encoding" in request.headers:
                raise NotImplementedError("a request in chunks: our clients send none")
            if size := int(request.headers.get("content-length", 0)):
                self.log.add(self.number, "in", "body", await self.reader.readexactly(size))
            self.inbox.put_nowait(request)


class ScriptedHttp(ScriptedServer):
    """Answers the requests of a connection one after the other, and keeps it open unless asked not to.

    `answering` counts by path the answers that are being played, such as `answering["/v1/chat/completions"]`; "/slots"
    reports the same, as llama.cpp with one slot does.
    """

    path = "/v1"
    connection_type = HttpConnection
    script: HttpScript

    def __init__(self, script: HttpScript | None = None, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(script or HttpScript(), port=port, tls=tls)
        self.answering: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """What a client of OpenAI's calls the base URL."""
        return self.http_url + self.path

    async def talk(self, connection: Connection, script: Script) -> None:
        await connection.play(script.on_accept)
        while (request := await connection.inbox.get()) is not None:
            await self._answer(connection, wire.request_path(request.data))
            if request.headers.get("connection", "").lower() == "close":
                connection.drop()

    async def _answer(self, connection: Connection, path: str) -> None:
        steps = self._next_answer(path)
        self.answering[path] += 1
        try:
            await connection.play(steps)
        finally:
            self.answering[path] -= 1

    def _next_answer(self, path: str) -> Steps:
        answers = self.script.answers.get(path) or HEALTHY.get(path)
        if not answers:
            return (self._slots(),) if path == "/slots" else (Reply(404, chat.problem(f"no {path} here")),)
        number = self._asked[path]
        self._asked[path] += 1
        return answers[min(number, len(answers) - 1)]

    def _slots(self) -> Reply:
        return Reply(200, [{"id": 0, "is_processing": self.answering[CHAT] > 0}])
