"""What the TTS server needs from a speech engine."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

VOICES = ("john", "sofia", "aria", "jason", "leo")
LANGUAGES = ("en", "es", "de", "fr", "vi", "it", "zh")


class SpeechError(Exception):
    """The engine could not be loaded, or could not speak a text."""


@dataclass(frozen=True)
class Utterance:
    """One text being spoken: mono pieces in [-1, 1], each made when it is asked for, all at `rate` Hz."""

    rate: float
    pieces: Iterator["Samples"]


class Engine(Protocol):
    """Speaks with the five VOICES in `languages`. Used by one thread at a time; may raise anything."""

    @property
    def languages(self) -> tuple[str, ...]: ...

    def load(self) -> None:
        """Load the model and warm it up. Slow, called once, before the first `utter`."""

    def utter(self, text: str, voice: str, language: str) -> Utterance:
        """Start speaking `text`, which may hold nothing speakable; `voice` and `language` are ones that it has."""
