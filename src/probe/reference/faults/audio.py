"""PCM to script with: 16-bit little-endian mono, made without a library."""

import math
import random
import sys
from array import array
from functools import cache

RATE = 22_000
FRAME_BYTES = 4096


def duration_ms(byte_count: int) -> float:
    return byte_count / 2 / RATE * 1000


def tone(ms: float, *, amplitude: int = 6000) -> bytes:
    """Make an audible 220 Hz tone with two harmonics that peaks at about the amplitude."""
    period, size = _tone_period(amplitude), 2 * _samples(ms)
    return (period * (size // len(period) + 1))[:size]


def silence(ms: float) -> bytes:
    return bytes(2 * _samples(ms))


def noise(ms: float) -> bytes:
    """Make full-scale white noise, the same each time."""
    return random.Random(1).randbytes(2 * _samples(ms))  # noqa: S311 - nothing secret


def hiss(ms: float, dbfs: float) -> bytes:
    """Make white noise of a level, in decibels of full scale, the same each time."""
    chance = random.Random(2)  # noqa: S311 - nothing secret
    level = 32768 * 10 ** (dbfs / 20)
    return array("h", (round(chance.gauss(0, level)) for _ in range(_samples(ms)))).tobytes()


def hum(ms: float) -> bytes:
    """Make mains hum: 50 Hz with two harmonics."""
    angles = (2 * math.pi * 50 * sample / RATE for sample in range(_samples(ms)))
    return array(
        "h", (round(4000 * math.sin(a) + 2000 * math.sin(2 * a) + 1000 * math.sin(3 * a)) for a in angles)
    ).tobytes()


def clicks(ms: float, *, every_ms: float = 50) -> bytes:
    """Make clicks of two samples with digital silence between them."""
    period = _samples(every_ms)
    return array("h", ({0: 20_000, 1: -20_000}.get(sample % period, 0) for sample in range(_samples(ms)))).tobytes()


def stereo(pcm: bytes) -> bytes:
    """Make two channels that say the same."""
    return array("h", (sample for sample in array("h", pcm) for _ in range(2))).tobytes()


def scrambled(pcm: bytes, *, piece_ms: float = 60, rate: int = RATE) -> bytes:
    """Make of speech what nobody understands: the same pieces in another order, the same each time.

    It is as long, as loud and as much like speech as before.
    """
    size = 2 * round(piece_ms * rate / 1000)
    pieces = [pcm[at : at + size] for at in range(0, len(pcm), size)]
    random.Random(3).shuffle(pieces)  # noqa: S311 - nothing secret
    return b"".join(pieces)


def frames(pcm: bytes, size: int = FRAME_BYTES) -> list[bytes]:
    return [pcm[start : start + size] for start in range(0, len(pcm), size)]


def _samples(ms: float) -> int:
    return round(ms * RATE / 1000)


@cache
def _tone_period(amplitude: int) -> bytes:
    """100 samples: one period of 220 Hz at 22 kHz, with no jump where it repeats."""
    angles = (2 * math.pi * sample / 100 for sample in range(100))
    waves = (math.sin(a) + math.sin(2 * a) / 2 + math.sin(3 * a) / 4 for a in angles)
    samples = array("h", (round(amplitude * wave / 1.5) for wave in waves))
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
