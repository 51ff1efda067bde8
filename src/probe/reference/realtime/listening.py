"""Turn detection by energy: where speech begins in what a client sends, and where it ends. Pure."""

import math
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from probe.reference.realtime.settings import SAMPLE_RATE
from probe.reference.speech.pcm import BYTES_PER_SAMPLE

# Energy is looked at in blocks of so many milliseconds.
BLOCK_MS = 20
_BLOCK = SAMPLE_RATE * BLOCK_MS // 1000 * BYTES_PER_SAMPLE
# What is louder, in dB of full scale, is speech, if it lasts so long: a click is none.
SPEECH_DBFS = -40.0
SPEECH_MS = 60
_LOUD = 32768 * 10 ** (SPEECH_DBFS / 20)


@dataclass(frozen=True, slots=True)
class Found:
    """Speech began or ended, so many milliseconds into all that was sent."""

    what: Literal["started", "stopped"]
    at_ms: int


class Listening:
    """All that one client sends. It keeps nothing of the sound but how long it lasts."""

    def __init__(self) -> None:
        # Since the last commit.
        self.buffered_ms = 0
        self.speaking = False
        self._rest = b""
        self._sent_ms = 0
        self._loud_ms = 0
        self._quiet_ms = 0

    def hear(self, pcm: bytes, silence_ms: int) -> Iterator[Found]:
        """The next samples; speech ends with so much silence."""
        data = self._rest + pcm
        whole = len(data) - len(data) % _BLOCK
        self._rest = data[whole:]
        for start in range(0, whole, _BLOCK):
            found = self._block(data[start : start + _BLOCK], silence_ms)
            if found is not None:
                yield found

    def forget(self) -> None:
        """What was sent is committed, or cleared."""
        self.buffered_ms = 0
        self.speaking = False
        self._loud_ms = self._quiet_ms = 0

    def _block(self, pcm: bytes, silence_ms: int) -> Found | None:
        self._sent_ms += BLOCK_MS
        self.buffered_ms += BLOCK_MS
        if _level(pcm) > _LOUD:
            self._loud_ms, self._quiet_ms = self._loud_ms + BLOCK_MS, 0
        else:
            self._loud_ms, self._quiet_ms = 0, self._quiet_ms + BLOCK_MS
        if not self.speaking and self._loud_ms >= SPEECH_MS:
            self.speaking = True
            return Found("started", self._sent_ms - self._loud_ms)
        if self.speaking and self._quiet_ms >= silence_ms:
            self.speaking = False
            return Found("stopped", self._sent_ms)
        return None


def _level(pcm: bytes) -> float:
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return math.sqrt(sum(each * each for each in samples) / len(samples))
