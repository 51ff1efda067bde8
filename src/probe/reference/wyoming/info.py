"""How the server describes itself: as Piper's and Whisper's do, without what they could download."""

from importlib.metadata import version
from typing import Any

from probe.reference.hearing.transcriber import Transcriber
from probe.reference.speech.engine import VOICES
from probe.reference.speech.synthesizer import Synthesizer


def description(synthesizer: Synthesizer, transcriber: Transcriber | None, *, streaming: bool) -> dict[str, Any]:
    """The data of `info`."""
    author = {"name": "voice-probe", "url": ""}
    common = {"attribution": author, "installed": True, "version": version("voice-probe")}
    program = {**common, "name": "probe", "description": "the reference server of voice-probe"}
    voices = [
        {**common, "name": voice, "description": voice, "languages": [*synthesizer.languages], "speakers": None}
        for voice in VOICES
    ]
    speaks = {**program, "voices": voices, "supports_synthesize_streaming": streaming}
    hears = [] if transcriber is None else [{**program, "models": [_model(common, transcriber)]}]
    return {"tts": [speaks], "asr": hears, "handle": [], "intent": [], "wake": [], "mic": [], "snd": []}


def _model(common: dict[str, Any], transcriber: Transcriber) -> dict[str, Any]:
    named = {"name": transcriber.model, "description": transcriber.model}
    return {**common, **named, "languages": [*transcriber.languages]}
