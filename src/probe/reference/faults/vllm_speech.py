"""The scripted speech server of vLLM-Omni: text in and PCM out, over a WebSocket."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from probe.reference.faults import audio
from probe.reference.faults.connection import Connection, Steps
from probe.reference.faults.server import Script, ScriptedServer
from probe.reference.faults.speech import samples
from probe.reference.faults.steps import Binary, Json, Wait

RATE = 24_000
FRAME_BYTES = 4800


def start(rate: int | None = RATE, channels: int | None = 1, form: str = "pcm") -> Json:
    """Make the beginning of a sentence; older servers state neither rate nor channels."""
    stated = {"sample_rate": rate, "channels": channels}
    of_pcm = {name: value for name, value in stated.items() if value is not None}
    return Json({"type": "audio.start", "sentence_index": 0, "format": form, **of_pcm})


def sounds(pcm: bytes, *, first: float = 0.0, gap: float = 0.0, size: int = FRAME_BYTES) -> Steps:
    parts = audio.frames(pcm, size)
    waits = (Wait(gap if position else first) for position in range(len(parts)))
    return tuple(chain.from_iterable(zip(waits, map(Binary, parts), strict=True)))


def end(**more: Any) -> Json:
    return Json({"type": "audio.done", "sentence_index": 0, "error": False, **more})


DONE = Json({"type": "session.done", "utterance_index": 0, "total_sentences": 1})


def error(message: str) -> Json:
    return Json({"type": "error", "message": message})


def speech(ms: float = 300, *, first: float = 0.0, gap: float = 0.0) -> Steps:
    """Make a healthy answer to one text."""
    return (Wait(first), start(), *sounds(samples(ms, 0, RATE), gap=gap), end(), DONE)


@dataclass(frozen=True, kw_only=True)
class VllmSpeechScript(Script):
    """An answer for each text, whatever its connection; the last one repeats. on_config: after `session.config`."""

    on_config: Steps = ()
    answers: Sequence[Steps] = (speech(),)


class ScriptedVllmSpeech(ScriptedServer):
    """Speaks one text after the other."""

    path = "/v1/audio/speech/stream"
    script: VllmSpeechScript

    def __init__(self, script: VllmSpeechScript | None = None, *, port: int = 0) -> None:
        super().__init__(script or VllmSpeechScript(), port=port)
        self._spoken = 0

    async def serve(self, connection: Connection) -> None:
        while (message := await connection.inbox.get()) is not None:
            match message.json["type"]:
                case "session.config":
                    await connection.play(self.script.on_config)
                case "input.done":
                    answers = self.script.answers
                    self._spoken += 1
                    await connection.play(tuple(answers[min(self._spoken, len(answers)) - 1]))
