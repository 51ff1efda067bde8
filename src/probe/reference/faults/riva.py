"""The scripted Riva server: a TTS server over gRPC, whose HTTP/2 is written byte by byte."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hpack import Decoder

from probe.reference.faults import http2_steps as h2
from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.http2_steps import DATA, HEADERS, PING, SETTINGS
from probe.reference.faults.log import Entry
from probe.reference.faults.server import HOST, Script, ScriptedServer

SERVICE = "/nvidia.riva.tts.RivaSpeechSynthesis"
SYNTHESIZE, CONFIG = f"{SERVICE}/SynthesizeOnline", f"{SERVICE}/GetRivaSynthesisConfig"
HEALTH = "/grpc.health.v1.Health/Check"
PREFIX = 5
PREFACE = len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


def answer(message: bytes) -> Steps:
    """Make the answer to a question."""
    return h2.HEAD, h2.Frame(DATA, message), h2.OK


def config(*models: Mapping[str, str]) -> bytes:
    """Make a description of what it speaks with; `model` among the parameters of one is its name."""
    body = b""
    for model in models:
        fields = _field(1, model.get("model", "").encode())
        for key, value in model.items():
            fields += _field(2, _field(1, key.encode()) + _field(2, value.encode()))
        body += _field(1, fields)
    return h2.prefixed(body)


def _field(number: int, value: bytes) -> bytes:
    return h2.message({number: value})[5:]


DESCRIBED = config({"model": "scripted", "version": "1.2", "voice_name": "Scripted", "subvoices": "Aria:0,Leo:1"})
SERVING = h2.prefixed(b"\x08\x01")
UNKNOWN: Steps = (h2.refused(12, "unknown method"),)


@dataclass(frozen=True, kw_only=True)
class RivaScript(Script):
    """An answer for each text that `SynthesizeOnline` is given, whatever its connection; the last one repeats.

    `on_end`: once a call has no more texts. `others` are the answers to what else is called, by path. Of what all
    scripts have, `on_accept` is played; the rest is for WebSockets.
    """

    answers: Sequence[Steps] = (h2.speech(),)
    others: Mapping[str, Steps] = field(default_factory=lambda: {CONFIG: answer(DESCRIBED), HEALTH: answer(SERVING)})
    on_end: Steps = ()
    on_client_close: Steps = ()


class RivaConnection(Connection):
    """Logs each message of a call as `body`, and before it the call's head as `http`, in the words of HTTP/1.1.

    A message is answered when it is complete; `ended` is logged behind the last one of a call, and `reset` where its
    client gives it up.
    """

    async def read_all(self) -> None:
        await self.reader.readexactly(PREFACE)
        decoder = Decoder()
        heads: dict[int, list[tuple[str, str]]] = {}
        bodies: dict[int, bytes] = {}
        while True:
            head = await self.reader.readexactly(9)
            payload = await self.reader.readexactly(int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind in (SETTINGS, PING) and not flags & h2.ACK:
                await self.write("frame", b"", h2.frame(kind, h2.ACK, 0, payload if kind == PING else b""))
            elif kind == HEADERS:
                heads[stream] = [(str(name), str(value)) for name, value in decoder.decode(payload)]
                bodies[stream] = b""
            elif kind == DATA:
                bodies[stream] = self._messages(stream, heads[stream], bodies[stream] + payload)
            elif kind == h2.RESET:
                self.log.add(self.number, "in", "reset", payload)
            elif kind == h2.GOAWAY:
                # As gRPC's own library: the end.
                return
            if kind in (HEADERS, DATA) and flags & h2.END_STREAM:
                self._deliver("ended", b"")

    def _messages(self, stream: int, head: list[tuple[str, str]], body: bytes) -> bytes:
        """Deliver those that are whole; what is left may be one later."""
        while len(body) >= PREFIX and len(body) >= (end := PREFIX + int.from_bytes(body[1:PREFIX], "big")):
            self.take(stream, head, body[:end])
            body = body[end:]
        return body

    def take(self, stream: int, head: list[tuple[str, str]], message: bytes) -> None:
        """Deliver a whole message."""
        request = self.log_head(stream, head)
        self.log.add(self.number, "in", "body", message)
        self.inbox.put_nowait(request)

    def log_head(self, stream: int, head: list[tuple[str, str]]) -> Entry:
        lines = [f"POST {dict(head)[':path']} HTTP/2", f"x-stream: {stream}"]
        lines += [f"{name}: {value}" for name, value in head if not name.startswith(":")]
        return self.log.add(self.number, "in", "http", "\r\n".join([*lines, "", ""]).encode())


class ScriptedRiva(ScriptedServer):
    """Answers one call after the other, on any number of connections, and keeps them open unless told not to."""

    path = ""
    connection_type = RivaConnection
    script: RivaScript

    def __init__(self, script: RivaScript | None = None, **parts: object) -> None:
        super().__init__(script or RivaScript(), **parts)  # type: ignore[arg-type]  # passed on unchanged
        self._spoken = 0

    @property
    def url(self) -> str:
        return f"{'grpc' if self._tls is None else 'grpcs'}://{HOST}:{self.port}"

    async def talk(self, connection: Connection, script: Script) -> None:
        await connection.play(script.on_accept)
        await connection.send_raw(h2.frame(SETTINGS, 0, 0, b""))
        while (request := await connection.inbox.get()) is not None:
            if request.kind == "ended":
                await connection.play(self.script.on_end)
                continue
            path = path_of(request)
            connection.values[h2.STREAM] = int(request.headers["x-stream"])
            if path == SYNTHESIZE:
                await connection.play(self._next_answer())
            else:
                await connection.play(self.script.others.get(path, UNKNOWN))

    def _next_answer(self) -> Steps:
        answers = self.script.answers
        self._spoken += 1
        return tuple(answers[min(self._spoken, len(answers)) - 1])


def path_of(request: Entry) -> str:
    return request.data.split(b" ", 2)[1].decode()


def asked(body: bytes) -> dict[int, object]:
    """The fields of the message in a request's body, texts as such."""
    found: dict[int, object] = {}
    at, data = 0, body[5:]
    while at < len(data):
        tag, at = _number(data, at)
        value, at = _number(data, at)
        if tag & 7:
            found[tag >> 3], at = data[at : at + value].decode(), at + value
        else:
            found[tag >> 3] = value
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            return value, at
