"""The scripted speech NIM: text in and base64 PCM out, over its realtime WebSocket."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from probe.reference.faults import audio
from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.server import Script, ScriptedServer
from probe.reference.faults.speech import samples
from probe.reference.faults.steps import Json, Wait

RATE = 22_050
FRAME_BYTES = 4410
CREATED = Json({"type": "conversation.created", "conversation": {"id": "conv_1"}})
UPDATED = Json({"type": "synthesize_session.updated", "session": {}})
COMPLETED = Json({"type": "conversation.item.speech.completed", "is_last_result": False})


def sound(pcm: bytes) -> Json:
    return Json({"type": "conversation.item.speech.data", "audio": base64.b64encode(pcm).decode()})


def sounds(pcm: bytes, *, first: float = 0.0, gap: float = 0.0, size: int = FRAME_BYTES) -> Steps:
    parts = audio.frames(pcm, size)
    waits = (Wait(gap if position else first) for position in range(len(parts)))
    return tuple(chain.from_iterable(zip(waits, map(sound, parts), strict=True)))


def error(message: str) -> Json:
    return Json({"type": "error", "error": {"type": "server_error", "message": message}})


def speech(ms: float = 300, *, first: float = 0.0, gap: float = 0.0) -> Steps:
    """Make a healthy answer to one text."""
    return (Wait(first), *sounds(samples(ms, 0, RATE), gap=gap), COMPLETED)


@dataclass(frozen=True, kw_only=True)
class NimRealtimeScript(Script):
    """An answer for each text, whatever its connection; the last one repeats. on_update: once told who speaks."""

    on_connected: Steps = (CREATED,)
    on_update: Steps = (UPDATED,)
    answers: Sequence[Steps] = (speech(),)


class ScriptedNimRealtime(ScriptedServer):
    """Speaks one text after the other, none after `input_text.done`."""

    path = "/v1/realtime"
    script: NimRealtimeScript

    def __init__(self, script: NimRealtimeScript | None = None, *, port: int = 0) -> None:
        super().__init__(script or NimRealtimeScript(), port=port)
        self._spoken = 0

    async def serve(self, connection: Connection) -> None:
        over = False
        while (message := await connection.inbox.get()) is not None:
            match message.json["type"]:
                case "synthesize_session.update":
                    await connection.play(self.script.on_update)
                case "input_text.done":
                    over = True
                case "input_text.commit" if not over:
                    answers = self.script.answers
                    self._spoken += 1
                    await connection.play(tuple(answers[min(self._spoken, len(answers)) - 1]))
