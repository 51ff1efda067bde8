"""PCM arithmetic on 16-bit little-endian mono: what can be heard, how loud it is, when it has been played. Pure."""

import array
import math
import operator
import re
import sys
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

from probe.record import Sound

FULL_SCALE = 32768
BYTES_A_SAMPLE = 2
# Engines dither their silence: a sample is audible only above this.
DITHER = 8
# Samples that stick to the rails (-2.5 dB of full scale). Speech at its loudest has -12 dB, a full-scale tone -3 dB.
DEAFENING_RMS = 0.75
# Noise that is loud (-12 dB) and uncorrelated, such as uniform noise over all values (-4.8 dB) or speech cut one byte
# too late (-9 to -5 dB). Fricatives are as uncorrelated but quieter ("Psst!" normalised: -17 dB), vowels correlated.
NOISE_RMS = 0.25
NOISE_CORRELATION = 0.5
# Smooth sound cut one byte too late keeps some of its correlation, and is louder (-5 dB) than speech ever is.
LOUD_NOISE_RMS = 0.45
LOUD_NOISE_CORRELATION = 0.8

_MARKUP = re.compile(r"<[^<>]*>")


def duration_ns(size: int, sample_rate: int) -> float:
    """Playing time of `size` bytes, in nanoseconds."""
    return size * 1e9 / (BYTES_A_SAMPLE * sample_rate)


def listen(pcm: bytes) -> Sound:
    """Measure a segment. A trailing half sample is left out."""
    samples = _samples(pcm)
    if not samples:
        return Sound(0, None, 0.0, 0.0, None)
    power = sum(map(operator.mul, samples, samples))
    neighbours = sum(map(operator.mul, samples, samples[1:]))
    return Sound(
        samples=len(samples),
        first_audible=next((i for i, value in enumerate(samples) if not -DITHER <= value <= DITHER), None),
        rms=math.sqrt(power / len(samples)) / FULL_SCALE,
        peak=max(map(abs, samples)) / FULL_SCALE,
        correlation=neighbours / power if power else None,
    )


def decibels(level: float) -> float | None:
    """A level in dB of full scale; None for digital silence."""
    return 20 * math.log10(level) if level > 0 else None


def speakable(text: str) -> bool:
    """Whether a listener may expect sound: there is a letter or a digit outside of markup."""
    return any(character.isalnum() for character in _MARKUP.sub("", text))


def fault(sound: Sound | None, size: int, text: str) -> str | None:
    """The reason why these bytes are not speech for this text (one of the `audio` reasons), None where they may be."""
    if sound is None or size == 0:
        return "missing" if speakable(text) else None
    if size % BYTES_A_SAMPLE:
        return "odd_bytes"
    if sound.first_audible is None:
        return "silent" if speakable(text) else None
    return "noise" if _is_noise(sound) else None


def _is_noise(sound: Sound) -> bool:
    if sound.rms >= DEAFENING_RMS or sound.correlation is None:
        return sound.rms >= DEAFENING_RMS
    limit = LOUD_NOISE_CORRELATION if sound.rms >= LOUD_NOISE_RMS else NOISE_CORRELATION
    return sound.rms >= NOISE_RMS and sound.correlation < limit


def playout(
    frames: Iterable[tuple[int, int]], sample_rate: int, end: float | None = None
) -> Iterator[tuple[float, float]]:
    """For each frame (arrival, bytes): when a listener starts to hear it, and when it has been played out.

    Frames play back to back; one that comes after the buffer ran dry plays on arrival. `end` is the playout end of what
    came before. Times are nanoseconds since a recent moment: floats hold few of those since the epoch.
    """
    for arrival, size in frames:
        start = arrival if end is None else max(end, arrival)
        end = start + duration_ns(size, sample_rate)
        yield start, end


def write_wav(path: Path, pcm: bytes, sample_rate: int) -> None:
    """Write mono 16-bit WAV. Raises OSError where the path can't be written."""
    with path.open("wb") as stream, wave.open(stream, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(BYTES_A_SAMPLE)
        wav.setframerate(sample_rate)
        wav.writeframes(pcm[: len(pcm) - len(pcm) % BYTES_A_SAMPLE])


def _samples(pcm: bytes) -> "array.array[int]":
    samples = array.array("h")
    samples.frombytes(pcm[: len(pcm) - len(pcm) % BYTES_A_SAMPLE])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
