"""Piper: speech from a voice file (FILE.onnx with its FILE.onnx.json beside it).

The file decides the language and the voices. With several speakers in it, the five voice names are its first five;
with one, all five names sound the same.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from probe.reference.speech.engine import VOICES, SpeechError, Utterance

if TYPE_CHECKING:
    from probe.reference.speech.engine import Samples

ESPEAK_NAMES = {"cmn": "zh"}


class PiperEngine:
    """Makes one piece per sentence."""

    def __init__(self, voice_file: Path) -> None:
        """Read the voice's description. Raises SpeechError where that is missing or no description."""
        self._file = voice_file
        self.languages = (_language(voice_file.with_name(voice_file.name + ".json")),)

    def load(self) -> None:
        from piper import PiperVoice  # noqa: PLC0415 - slow, and off the event loop here

        self._model = PiperVoice.load(self._file)
        for _ in self.utter("Warm up.", VOICES[0], self.languages[0]).pieces:
            pass

    def utter(self, text: str, voice: str, language: str) -> Utterance:  # noqa: ARG002 - the file has one language
        return Utterance(self._model.config.sample_rate, self._sentences(text, VOICES.index(voice)))

    def _sentences(self, text: str, speaker: int) -> Iterator["Samples"]:
        from piper import SynthesisConfig  # noqa: PLC0415 - as above

        config = SynthesisConfig(speaker_id=speaker % max(1, self._model.config.num_speakers))
        for chunk in self._model.synthesize(text, config):
            yield chunk.audio_float_array


def _language(description: Path) -> str:
    try:
        espeak_voice = json.loads(description.read_text())["espeak"]["voice"]
        code = str(espeak_voice).split("-")[0]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise SpeechError(f"{description} is missing or is not the description of a Piper voice") from error
    return ESPEAK_NAMES.get(code, code)
