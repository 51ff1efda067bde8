"""The scripted Riva server that hears: it logs each piece of audio, and understands what the script says.

Pieces of audio are logged as `audio`, what comes before the first one of a call as `settings`, and its end as `ended`.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from probe.reference.faults import http2_steps as h2
from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.http2_steps import DATA, HEAD, OK, SETTINGS, stream_of
from probe.reference.faults.riva import HEALTH, PREFIX, SERVING, UNKNOWN, RivaConnection, answer, config, path_of
from probe.reference.faults.server import HOST, Script, ScriptedServer

SERVICE = "/nvidia.riva.asr.RivaSpeechRecognition"
RECOGNIZE, CONFIG = f"{SERVICE}/StreamingRecognize", f"{SERVICE}/GetRivaSpeechRecognitionConfig"
RATE = 16_000
_AUDIO = 2
_INITIAL_WINDOW_SIZE = 4
DESCRIBED = config(
    {"model": "scripted-offline", "version": "1", "type": "offline", "language_code": "en-US"},
    {"model": "scripted-es", "version": "1.2", "type": "online", "language_code": "es-US"},
    {"model": "scripted-en", "version": "1.3", "type": "online", "language_code": "en-US"},
)


@dataclass(frozen=True)
class Result:
    """One message with one result, in one write; logged as `result` with its text."""

    text: str
    final: bool = True
    stability: float = 0.1

    async def play(self, connection: Connection) -> None:
        body = h2.frame(DATA, 0, stream_of(connection), h2.prefixed(response(self)))
        await connection.write("result", self.text.encode(), body)


def response(*results: Result) -> bytes:
    """A message with these results, as a server writes it."""
    return b"".join(_of_bytes(1, _result(each)) for each in results)


def _result(result: Result) -> bytes:
    best = _of_bytes(1, result.text.encode()) + _float(2, 0.9)
    rest = b"\x10\x01" if result.final else _float(3, result.stability)
    return _of_bytes(1, best) + rest + b"\x28\x01" + _float(6, 1.5)


def _of_bytes(number: int, value: bytes) -> bytes:
    return h2.message({number: value})[5:]


def _float(number: int, value: float) -> bytes:
    return bytes([number << 3 | 5]) + struct.pack("<f", value)


def transcript(text: str) -> Steps:
    """The final result, and the end of the call."""
    return Result(text), OK


@dataclass(frozen=True, kw_only=True)
class RivaHearingScript(Script):
    """What is said to the audio of each call, whatever its connection; the last one of the answers repeats.

    answers: when the client has ended the audio; or on_end, where the server has found the end before. on_begin: when
    the client has said what it will send. on_silence: when there were `silence_ms` of digital silence behind something
    that was not; None listens for no silence. room: so many bytes of a call are taken, and no more.
    """

    answers: Sequence[Steps] = (transcript("Tell me a joke about a unicorn. "),)
    on_begin: Steps = (HEAD,)
    on_silence: Steps = (Result("Tell me a joke about a unicorn. "),)
    silence_ms: float | None = None
    on_end: Steps = (OK,)
    room: int = 2**24
    others: Mapping[str, Steps] = field(default_factory=lambda: {CONFIG: answer(DESCRIBED), HEALTH: answer(SERVING)})
    on_client_close: Steps = ()


class RivaHearingConnection(RivaConnection):
    """Delivers what comes before the audio of a call, then its pieces."""

    def take(self, stream: int, head: list[tuple[str, str]], message: bytes) -> None:
        if dict(head)[":path"] != RECOGNIZE:
            super().take(stream, head, message)
            return
        number, value = _only_field(message[PREFIX:])
        if number == _AUDIO:
            self._deliver("audio", value)
            return
        self.log_head(stream, head)
        self.values[h2.STREAM] = stream
        self._deliver("settings", value)


class ScriptedRivaHearing(ScriptedServer):
    """Hears one call after another, on any number of connections, and keeps them open by default."""

    path = ""
    connection_type = RivaHearingConnection
    script: RivaHearingScript

    def __init__(self, script: RivaHearingScript | None = None, *, port: int = 0) -> None:
        super().__init__(script or RivaHearingScript(), port=port)
        self._understood = 0

    @property
    def url(self) -> str:
        return f"grpc://{HOST}:{self.port}"

    async def talk(self, connection: Connection, script: Script) -> None:
        await connection.play(script.on_accept)
        await connection.send_raw(self._room())
        call: _Call | None = None
        while (event := await connection.inbox.get()) is not None:
            match event.kind:
                case "audio":
                    if call is not None and call.found_end(event.data):
                        await connection.play(self.script.on_silence)
                case "settings":
                    call = _Call(self.script.silence_ms)
                    await connection.play(self.script.on_begin)
                case "ended" if call is not None:
                    await connection.play(self.script.on_end if call.stopped else self._next_answer())
                    call = None
                case "http":
                    connection.values[h2.STREAM] = int(event.headers["x-stream"])
                    await connection.play(self.script.others.get(path_of(event), UNKNOWN))

    def _room(self) -> bytes:
        """How much may come before it says more: of each call, and of all of them on a connection."""
        of_each = h2.frame(SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW_SIZE, self.script.room))
        return of_each + h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**24))

    def _next_answer(self) -> Steps:
        answers = self.script.answers
        self._understood += 1
        return tuple(answers[min(self._understood, len(answers)) - 1])


class _Call:
    """Listens for the silence behind the speech of one call."""

    def __init__(self, silence_ms: float | None) -> None:
        self.stopped = False
        self._silence_ms = silence_ms
        self._voiced, self._silent_ms = False, 0.0

    def found_end(self, pcm: bytes) -> bool:
        """Whether it ends here. It ends once."""
        sounds = any(pcm)
        self._voiced |= sounds
        self._silent_ms = 0.0 if sounds else self._silent_ms + len(pcm) / 2 / RATE * 1000
        enough = self._silence_ms is not None and self._silent_ms >= self._silence_ms
        if not self._voiced or not enough or self.stopped:
            return False
        self.stopped = True
        return True


def _only_field(body: bytes) -> tuple[int, bytes]:
    """The number and the value of a message's one field, which is bytes."""
    at = 1
    while body[at] & 0x80:
        at += 1
    return body[0] >> 3, body[at + 1 :]
