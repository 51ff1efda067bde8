"""What is asked of the engine, checked, whichever way it came."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from probe.reference.speech.engine import VOICES
from probe.reference.speech.pcm import frames
from probe.reference.speech.synthesizer import Synthesizer

MODEL = "Reference"
SAMPLE_RATE = 22_050
RATES = range(8000, 48_001)
# As in the NIM: 16-bit samples without a header.
LINEAR_PCM = 1
LONGEST_TEXT = 2000
LANGUAGE = "en-US"
# A voice of an engine by the name that clients ask for.
NAMES: Mapping[str, str] = {f"{MODEL}.EN-US.{voice.title()}": voice for voice in VOICES}


class RefusedError(Exception):
    """A request that is wrong."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One text, and how to speak it."""

    text: str
    voice: str
    language: str
    sample_rate: int


class Speech:
    """Speaks what is asked for. Raises RefusedError for what it can't, and SpeechError where the engine fails."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer

    def wanted(self, text: str, language: str, encoding: int, sample_rate: int, voice: str) -> Wanted:
        """Check a request. Without a voice the first one speaks, without a rate the usual one."""
        if not text.strip():
            raise RefusedError("text is empty")
        if len(text) > LONGEST_TEXT:
            raise RefusedError(f"text has {len(text)} characters, and {LONGEST_TEXT} are allowed")
        if voice and voice not in NAMES:
            raise RefusedError(f"voice {voice} not found; there are {', '.join(NAMES)}")
        spoken = language.partition("-")[0].lower() or "en"
        if spoken not in self._synthesizer.languages:
            raise RefusedError(f"language_code {language} is not available")
        if encoding not in (0, LINEAR_PCM):
            raise RefusedError("encoding must be LINEAR_PCM")
        rate = sample_rate or SAMPLE_RATE
        if rate not in RATES:
            raise RefusedError(f"sample_rate_hz {rate} is not between {RATES.start} and {RATES.stop - 1}")
        return Wanted(text, NAMES[voice or next(iter(NAMES))], spoken, rate)

    async def spoken(self, wanted: Wanted) -> AsyncGenerator[bytes]:
        """Samples, as they are made, in pieces of some 90 ms."""
        speech = self._synthesizer.speak(wanted.text, wanted.voice, wanted.language, wanted.sample_rate)
        async with aclosing(speech) as pieces:
            async for piece in pieces:
                for part in frames(piece):
                    yield part


def parameters() -> dict[str, str]:
    """What it says of its one model, as Riva's clients read it."""
    voices = ",".join(f"{name.removeprefix(f'{MODEL}.')}:{number}" for number, name in enumerate(NAMES))
    return {
        "language_code": LANGUAGE,
        "voice_name": MODEL,
        "subvoices": voices,
        "sample_rate": str(SAMPLE_RATE),
        "version": "1",
    }


async def joined(parts: AsyncIterator[bytes]) -> bytes:
    return b"".join([part async for part in parts])
