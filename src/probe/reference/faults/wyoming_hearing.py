"""The scripted Wyoming server that hears: it logs each piece of audio, and understands what the script says.

Pieces of audio are logged as `audio`, every other event as `event`, with their data in JSON.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.server import HOST, Script, ScriptedServer
from probe.reference.faults.wyoming import Event

INFO: Mapping[str, object] = {
    "asr": [
        {"name": "scripted", "version": "1.3", "installed": True, "models": [{"name": "small", "languages": ["en"]}]}
    ]
}
STOPPED = Event("voice-stopped")


def transcript(text: str) -> Event:
    return Event("transcript", {"text": text})


@dataclass(frozen=True, kw_only=True)
class HearingScript(Script):
    """What is said to the audio of each turn, whatever its connection; the last of each repeats.

    answers: when the client has ended the audio. on_begin: when it begins to send it. on_silence: when there were
    `silence_ms` of digital silence behind something that was not; None listens for no silence.
    """

    answers: Sequence[Steps] = ((transcript("Tell me a joke about a unicorn."),),)
    on_begin: Steps = ()
    on_silence: Steps = (STOPPED,)
    silence_ms: float | None = None
    info: Steps = (Event("info", INFO),)
    on_client_close: Steps = ()


class HearingConnection(Connection):
    """Reads events; what follows a piece of audio is the length of the silence that it ends with, in milliseconds."""

    async def read_all(self) -> None:
        while True:
            line = json.loads(await self.reader.readuntil(b"\n"))
            behind = await self.reader.readexactly(line.get("data_length") or 0)
            payload = await self.reader.readexactly(line.get("payload_length") or 0)
            if line["type"] == "audio-chunk":
                self._deliver("audio", payload)
            else:
                data = (line.get("data") or {}) | (json.loads(behind) if behind else {})
                self._deliver("event", json.dumps({"type": line["type"], "data": data}).encode())


class ScriptedHearing(ScriptedServer):
    """Hears one turn after another, on any number of connections, and keeps them open by default."""

    path = ""
    connection_type = HearingConnection
    script: HearingScript

    def __init__(self, script: HearingScript | None = None, *, port: int = 0) -> None:
        super().__init__(script or HearingScript(), port=port)
        self._understood = 0

    @property
    def url(self) -> str:
        return f"tcp://{HOST}:{self.port}"

    async def talk(self, connection: Connection, script: Script) -> None:
        await connection.play(script.on_accept)
        rate, voiced, silent_ms, stopped = 16_000, False, 0.0, False
        while (event := await connection.inbox.get()) is not None:
            if event.kind == "audio":
                sounds = any(event.data)
                voiced |= sounds
                silent_ms = 0.0 if sounds else silent_ms + len(event.data) / 2 / rate * 1000
                enough = self.script.silence_ms is not None and silent_ms >= self.script.silence_ms
                if voiced and enough and not stopped:
                    stopped = True
                    await connection.play(self.script.on_silence)
                continue
            match event.json["type"]:
                case "describe":
                    await connection.play(self.script.info)
                case "audio-start":
                    rate, voiced, silent_ms, stopped = event.json["data"]["rate"], False, 0.0, False
                    await connection.play(self.script.on_begin)
                case "audio-stop":
                    await connection.play(self._next_answer())

    def _next_answer(self) -> Steps:
        answers = self.script.answers
        self._understood += 1
        return tuple(answers[min(self._understood, len(answers)) - 1])
