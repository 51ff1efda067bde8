"""PCM arithmetic on 16-bit little-endian mono: what can be heard, how loud it is, when it has been played. Pure."""

import array
import math
import operator
import re
import sys
import wave
from collections.abc import Iterable, Iterator
from pathlib import Path

from probe.record import AudioAnalysis
from probe.timestamps import NS_PER_S

FULL_SCALE = 32768
BYTES_PER_SAMPLE = 2
# Hiss, hum and dither below this level are silence, as are an offset and a click: what is heard lasts.
AUDIBLE_DBFS = -50.0
# What swings no more than engines dither their silence is no voice at all, however faint.
DITHER = 8
# Sound begins with the first millisecond of this many of which at least so many are above that level.
ONSET_BLOCKS, LOUD_BLOCKS = 20, 15
# Samples that stick to the rails (-2.5 dB of full scale). Speech at its loudest has -12 dB, a full-scale tone -3 dB.
DEAFENING_RMS = 0.75
# Noise that is loud (-12 dB) and uncorrelated, such as uniform noise over all values (-4.8 dB) or speech cut one byte
# too late (-9 to -5 dB). Fricatives are as uncorrelated but quieter ("Psst!" normalised: -17 dB), vowels correlated.
NOISE_RMS = 0.25
NOISE_CORRELATION = 0.5
# Smooth sound cut one byte too late keeps some of its correlation, and is louder (-5 dB) than speech ever is.
LOUD_NOISE_RMS = 0.45
LOUD_NOISE_CORRELATION = 0.8
# Quiet sound cut one byte too late is the sound itself, 48 dB louder, but for what its low bytes hold: signs. In sound
# that was not cut 1 sample in 256 has such a low byte.
TORN = 0.1
# So many samples are heard at a time.
BLOCK = 1024

_MARKUP = re.compile(r"<[^<>]*>")


def duration_ns(size: int, sample_rate: int) -> float:
    """Playing time of `size` bytes, in nanoseconds."""
    return size * NS_PER_S / (BYTES_PER_SAMPLE * sample_rate)


def same_duration(stated_ms: float, measured_ms: float) -> bool:
    """Whether audio lasts as long as its server says, which rounds."""
    return math.isclose(stated_ms, measured_ms, rel_tol=0.05, abs_tol=50)


def listen(pcm: bytes, sample_rate: int, audible_dbfs: float = AUDIBLE_DBFS) -> AudioAnalysis:
    """Measure a segment. A trailing half sample is left out."""
    hearing = AudioAnalyser(pcm, sample_rate, audible_dbfs)
    for _ in hearing.blocks():
        pass
    return hearing.sound()


class AudioAnalyser:
    """The sums over a segment's samples, block by block (0.3 ms): go through `blocks`, then ask for `sound`."""

    def __init__(self, pcm: bytes, sample_rate: int, audible_dbfs: float = AUDIBLE_DBFS) -> None:
        self._samples = _samples(pcm)
        self._rate = sample_rate
        self._floor = (10 ** (audible_dbfs / 20) * FULL_SCALE) ** 2
        self._total = 0
        self._power = self._neighbours = self._highest = self._lowest = self._torn = 0
        self._first_audible: int | None = None

    def blocks(self) -> Iterator[None]:
        """Hear one block each time."""
        self._highest = self._lowest = self._samples[0] if self._samples else 0
        for start in range(0, len(self._samples), BLOCK):
            self._hear(start, self._samples[start : start + BLOCK])
            yield
        yield from self._find_onset()

    def sound(self) -> AudioAnalysis:
        count = len(self._samples)
        if not count:
            return AudioAnalysis(0, None, 0.0, 0.0, None)
        return AudioAnalysis(
            samples=count,
            first_audible=self._first_audible,
            rms=math.sqrt(self._power / count) / FULL_SCALE,
            peak=max(self._highest, -self._lowest) / FULL_SCALE,
            correlation=self._neighbours / self._power if self._power else None,
            torn=self._torn / count,
            swing=(self._highest - self._lowest) / 2 / FULL_SCALE,
        )

    def _hear(self, start: int, block: "array.array[int]") -> None:
        self._total += sum(block)
        self._power += sum(map(operator.mul, block, block))
        self._neighbours += sum(map(operator.mul, block, self._samples[start + 1 : start + BLOCK + 1]))
        highest, lowest = max(block), min(block)
        self._highest, self._lowest = max(self._highest, highest), min(self._lowest, lowest)
        low_bytes = block.tobytes()[::BYTES_PER_SAMPLE] if sys.byteorder == "little" else block.tobytes()[1::2]
        self._torn += low_bytes.count(0xFF) - block.count(-1) - block.count(0xFF)

    def _find_onset(self) -> Iterator[None]:
        """Look for the first millisecond from which on it is loud, with the mean of the whole taken out."""
        mean = self._total / len(self._samples) if self._samples else 0.0
        loud: list[bool] = []
        for number in range(len(self._samples) * 1000 // self._rate):
            block = self._samples[self._block_start(number) : self._block_start(number + 1)]
            power = sum(map(operator.mul, block, block)) - 2 * mean * sum(block) + len(block) * mean * mean
            loud.append(power > self._floor * len(block))
            first = number - ONSET_BLOCKS + 1
            if first >= 0 and loud[first] and sum(loud[first:]) >= LOUD_BLOCKS:
                self._first_audible = self._block_start(first)
                return
            if number % ONSET_BLOCKS == 0:
                yield

    def _block_start(self, number: int) -> int:
        """The first sample of a millisecond."""
        return number * self._rate // 1000


def decibels(level: float) -> float | None:
    """A level in dB of full scale; None for digital silence."""
    return 20 * math.log10(level) if level > 0 else None


def speakable(text: str) -> bool:
    """Whether a listener may expect sound: there is a letter or a digit outside of markup."""
    return any(character.isalnum() for character in _MARKUP.sub("", text))


def fault(sound: AudioAnalysis | None, size: int, text: str) -> str | None:
    """The reason why these bytes are not speech for this text (one of the `audio` reasons), None where they may be."""
    if sound is None or size == 0:
        return "missing" if speakable(text) else None
    if size % BYTES_PER_SAMPLE:
        return "odd_bytes"
    if _is_noise(sound):
        return "noise"
    return "silent" if sound.swing <= DITHER / FULL_SCALE and speakable(text) else None


def _is_noise(sound: AudioAnalysis) -> bool:
    if sound.rms >= DEAFENING_RMS or sound.torn >= TORN or sound.correlation is None:
        return sound.rms >= DEAFENING_RMS or sound.torn >= TORN
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
        wav.setsampwidth(BYTES_PER_SAMPLE)
        wav.setframerate(sample_rate)
        wav.writeframes(pcm[: len(pcm) - len(pcm) % BYTES_PER_SAMPLE])


def _samples(pcm: bytes) -> "array.array[int]":
    samples = array.array("h")
    samples.frombytes(pcm[: len(pcm) - len(pcm) % BYTES_PER_SAMPLE])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
