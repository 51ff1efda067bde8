"""Bytes of 16-bit audio, as whole samples: one may be cut between two reads. And what comes instead of such audio."""

from collections.abc import Iterator

from probe.audio import BYTES_PER_SAMPLE
from probe.protocols.base import Audio, Refused

# No server speaks at a lower or a higher one: a header that says so is broken.
RATES = range(4000, 384_001)


class Samples:
    """The samples of one answer: the odd byte at the end of a read waits for the next."""

    def __init__(self) -> None:
        self._odd = b""

    def take(self, data: bytes) -> Iterator[Audio]:
        data = self._odd + data
        whole = len(data) - len(data) % BYTES_PER_SAMPLE
        self._odd = data[whole:]
        if whole:
            yield Audio(data[:whole])

    def rest(self) -> Iterator[Audio]:
        """Half a sample that stays alone: the audio is not what it should be, and has to show it."""
        odd, self._odd = self._odd, b""
        if odd:
            yield Audio(odd)


def wrong(what: str) -> Refused:
    """The audio is not in a format that can be measured."""
    return Refused(f"{what} instead of 16-bit mono PCM", reason="wrong_format")
