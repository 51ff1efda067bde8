"""The scripted Wyoming server: a TTS server over plain TCP, whose events are a line of JSON, data and a payload."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from probe.reference.faults import audio
from probe.reference.faults.connection import Connection, Step, Steps
from probe.reference.faults.server import HOST, Script, ScriptedServer
from probe.reference.faults.speech import samples
from probe.reference.faults.steps import Wait

RATE = 22_050
INFO: Mapping[str, object] = {
    "tts": [
        {
            "name": "scripted",
            "version": "1.2",
            "installed": True,
            "supports_synthesize_streaming": True,
            "voices": [{"name": name, "languages": ["en_US"], "installed": True} for name in ("aria", "leo")],
        }
    ]
}


@dataclass(frozen=True)
class Event:
    """One event, in one write; logged as `audio` with its payload where that is audio, else as `event`.

    `inline`: the data is in the line itself, as older servers write it.
    """

    kind: str
    data: Mapping[str, object] = field(default_factory=dict)
    payload: bytes = b""
    inline: bool = False

    async def play(self, connection: Connection) -> None:
        sound = self.kind == "audio-chunk"
        logged = self.payload if sound else json.dumps({"type": self.kind, "data": dict(self.data)}).encode()
        await connection.write("audio" if sound else "event", logged, self.written())

    def written(self) -> bytes:
        """The bytes of it."""
        behind = b"" if self.inline or not self.data else json.dumps(self.data, ensure_ascii=False).encode()
        line: dict[str, object] = {"type": self.kind, "version": "1.0.0"}
        line |= {"data": dict(self.data)} if self.inline else {}
        line |= {"data_length": len(behind)} if behind else {}
        line |= {"payload_length": len(self.payload)} if self.payload else {}
        return json.dumps(line, ensure_ascii=False).encode() + b"\n" + behind + self.payload


STOP = Event("audio-stop")
STOPPED = Event("synthesize-stopped")


def start(rate: int = RATE, width: int = 2, channels: int = 1) -> Event:
    return Event("audio-start", {"rate": rate, "width": width, "channels": channels})


def chunk(pcm: bytes, rate: int = RATE, width: int = 2, channels: int = 1) -> Event:
    return Event("audio-chunk", {"rate": rate, "width": width, "channels": channels}, pcm)


def chunks(pcm: bytes, rate: int = RATE, *, first: float = 0.0, gap: float = 0.0, size: int = 2048) -> Steps:
    """Make a chunk for each so many bytes, `first` seconds before the first and `gap` between."""
    parts = audio.frames(pcm, size)
    waits = (Wait(gap if position else first) for position in range(len(parts)))
    return tuple(chain.from_iterable(zip(waits, (chunk(part, rate) for part in parts), strict=True)))


def error(text: str, code: str | None = None) -> Event:
    return Event("error", {"text": text} if code is None else {"text": text, "code": code})


def speech(
    ms: float = 300, *, leading_silence_ms: float = 0, rate: int = RATE, first: float = 0.0, gap: float = 0.0
) -> Steps:
    """Make a healthy answer; `first` seconds before all of it and `gap` between its chunks."""
    return (Wait(first), start(rate), *chunks(samples(ms, leading_silence_ms, rate), rate, gap=gap), STOP)


def streamed(*sentences: Steps) -> Steps:
    """Make the answer to a stream of text: the audio of each sentence, and the end of all of them."""
    return (*chain.from_iterable(sentences), STOPPED)


@dataclass(frozen=True, kw_only=True)
class WyomingScript(Script):
    """An answer for each text, whole or streamed, whatever its connection; the last one repeats.

    Of what all scripts have, `on_accept` is played; the rest is for WebSockets.
    """

    answers: Sequence[Steps] = (speech(),)
    info: Steps = (Event("info", INFO),)
    on_client_close: Steps = ()


class WyomingConnection(Connection):
    """Logs each event that comes as `event`, its data within its JSON."""

    async def read_all(self) -> None:
        while True:
            line = json.loads(await self.reader.readuntil(b"\n"))
            behind = await self.reader.readexactly(line.get("data_length") or 0)
            await self.reader.readexactly(line.get("payload_length") or 0)
            data = (line.get("data") or {}) | (json.loads(behind) if behind else {})
            self._deliver("event", json.dumps({"type": line["type"], "data": data}).encode())


class ScriptedWyoming(ScriptedServer):
    """Answers one text after another, on any number of connections, and keeps them open by default."""

    path = ""
    connection_type = WyomingConnection
    script: WyomingScript

    def __init__(self, script: WyomingScript | None = None, *, port: int = 0) -> None:
        super().__init__(script or WyomingScript(), port=port)
        self._spoken = 0

    @property
    def url(self) -> str:
        return f"tcp://{HOST}:{self.port}"

    async def talk(self, connection: Connection, script: Script) -> None:
        await connection.play(script.on_accept)
        while (event := await connection.inbox.get()) is not None:
            match event.json["type"]:
                case "describe":
                    await connection.play(self.script.info)
                case "synthesize" | "synthesize-stop":
                    await connection.play(self._next_answer())

    def _next_answer(self) -> tuple[Step, ...]:
        answers = self.script.answers
        self._spoken += 1
        return tuple(answers[min(self._spoken, len(answers)) - 1])
