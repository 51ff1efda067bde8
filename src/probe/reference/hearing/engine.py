"""What the STT server needs from a speech recogniser."""

from typing import Protocol

# Hz, of what it is given: 16 bits, mono.
SAMPLE_RATE = 16_000


class HearingError(Exception):
    """The recogniser could not be loaded, or could not take the audio."""


class Recogniser(Protocol):
    """Hears one utterance after another. May raise anything.

    All of it is called by one thread, except `listen`, which is quick and is called by another one meanwhile.
    """

    @property
    def model(self) -> str: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    def load(self) -> None:
        """Load the model. Slow, called once, before the first `begin`."""

    def begin(self) -> None:
        """An utterance begins."""

    def listen(self, pcm: bytes) -> bool:
        """Take more of it to find its end: whether somebody is speaking now."""

    def decode(self, pcm: bytes) -> None:
        """Take more of it, to understand it."""

    def end(self) -> str:
        """End the utterance, and return what was said; empty where nothing was understood."""
