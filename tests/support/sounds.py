"""16-bit mono PCM at 22 kHz whose figures are known: tones, noise, and speech as a stick figure."""

import array
import math
import random
import sys
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

RATE = 22_000

Signal = Callable[[float], float]


def pcm(samples: Iterable[float]) -> bytes:
    """Clipped, as an engine would do it."""
    values = array.array("h", (max(-32768, min(32767, round(value))) for value in samples))
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


@lru_cache(maxsize=64)
def seconds(signal: Signal, length: float = 1.0, rate: int = RATE) -> bytes:
    return pcm(signal(i / rate) for i in range(round(length * rate)))


@cache
def sine(level: float, hertz: float = 220) -> Signal:
    return lambda t: level * math.sin(2 * math.pi * hertz * t)


@cache
def voice(level: float) -> Signal:
    """Speech as a stick figure: a gliding pitch with formants, cut into syllables with pauses between them."""

    def signal(t: float) -> float:
        harmonics, syllables = _voice_at(t)
        return level / 4 * harmonics * syllables

    return signal


@cache
def _voice_at(t: float) -> tuple[float, float]:
    phase = 2 * math.pi * (120 * t + 15 * math.sin(3 * t))
    harmonics = sum(math.sin(k * phase) / (1 + abs(k - 5)) for k in range(1, 25))
    return harmonics, max(0.0, math.sin(2 * math.pi * 4 * t))


@cache
def noise(level: float, length: float = 1.0, seed: int = 1) -> bytes:
    """Uniform white noise of this peak: 4.8 dB below it."""
    source = random.Random(seed)
    return pcm(source.uniform(-level, level) for _ in range(round(length * RATE)))


@cache
def hiss(dbfs: float, length: float = 1.0, width: int = 1) -> bytes:
    """Gaussian noise of this level; the mean of `width` neighbours, as a filter would leave it."""
    source = random.Random(3)
    raw = [source.gauss(0, 1) for _ in range(round(length * RATE) + width)]
    level = 32768 * 10 ** (dbfs / 20) / math.sqrt(width)
    return pcm(level * sum(raw[i : i + width]) for i in range(round(length * RATE)))
