"""PCM arithmetic on 16-bit little-endian mono: what can be heard, how loud it is, when it has been played. Pure."""

import array
import math
import operator
import re
import sys
import wave
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from probe.plan import AUDIBLE_DBFS
from probe.record import AudioAnalysis
from probe.timestamps import NS_PER_S

FULL_SCALE = 32768
BYTES_PER_SAMPLE = 2
# Sound begins with the first millisecond of this many, at least so many of them above the audible level: an offset
# and a click are silence, what is heard lasts.
ONSET_BLOCKS, LOUD_BLOCKS = 20, 15
# So many blocks a second are heard one by one.
BLOCKS_PER_S = 100
# Of arithmetic that takes hardly a microsecond, so much is done at once.
BLOCKS_AT_ONCE = 500
# A segment's outline is taken of what is within so many decibels of its loudest block.
OUTLINE_DB = 30.0
# How much its level moves is said of at least so much of it.
MIN_WOBBLE_BLOCKS = 10
# What is 60 dB quieter is as quiet as nothing.
LEAST_SHARE = 1e-6
# Nobody clips what is quieter than this (-12 dB).
CLIPPING_RMS = 0.25
# Where it is clipped, at the nearest.
RAILS = 0.9

_LOW_BYTE = 0 if sys.byteorder == "little" else 1
_MARKUP = re.compile(r"<[^<>]*>")


def duration_ns(size: int, sample_rate: int) -> float:
    """Playing time of `size` bytes, in nanoseconds."""
    return size * NS_PER_S / (BYTES_PER_SAMPLE * sample_rate)


def same_duration(stated_ms: float, measured_ms: float) -> bool:
    """Whether audio lasts as long as its server says, which rounds."""
    return math.isclose(stated_ms, measured_ms, rel_tol=0.05, abs_tol=50)


def listen(pcm: bytes | bytearray, sample_rate: int, audible_dbfs: float = AUDIBLE_DBFS) -> AudioAnalysis:
    """Measure a segment. A trailing half sample is left out."""
    hearing = AudioAnalyser(pcm, sample_rate, audible_dbfs)
    for _ in hearing.blocks():
        pass
    return hearing.sound()


class AudioAnalyser:
    """The sums over a segment's samples, 10 ms at a time (0.1 ms of work): go through `blocks`, then ask for `sound`.

    It keeps two numbers of each block, and no more of the samples than it was given.
    """

    def __init__(self, pcm: bytes | bytearray, sample_rate: int, audible_dbfs: float = AUDIBLE_DBFS) -> None:
        self._samples = _Samples(pcm)
        self._rate = sample_rate
        self._floor = (10 ** (audible_dbfs / 20) * FULL_SCALE) ** 2
        # Even, so that each block begins with a sample of the same channel if there are two.
        self._size = max(2, sample_rate // BLOCKS_PER_S // 2 * 2)
        self._sums: list[int] = []
        self._powers: list[int] = []
        self._evens = self._within = self._across = 0
        self._highest = self._lowest = self._torn = self._clipped = 0
        self._first_audible: int | None = None
        # The power of each block, of what is loud.
        self._outline: list[float] = []
        self._wobble_db: float | None = None
        self._power = 0

    def blocks(self) -> Iterator[None]:
        """Hear a few blocks each time."""
        self._highest = self._lowest = self._samples.part(0, 1)[0] if self._samples else 0
        for number, start in enumerate(range(0, len(self._samples), self._size)):
            # And the next two samples, which neighbour its last two.
            self._hear(self._samples.part(start, start + self._size + 2))
            if number % 4 == 0:
                yield
        self._power = sum(self._powers)
        yield from self._find_onset()
        yield from self._count_clipped()
        yield from self._take_outline()

    def sound(self) -> AudioAnalysis:
        count, power = len(self._samples), self._power
        if not count:
            return AudioAnalysis(0, None, 0.0, 0.0, None)
        neighbours = self._within + self._across
        offset = sum(self._sums) ** 2 / count
        outline = self._outline
        return AudioAnalysis(
            samples=count,
            first_audible=self._first_audible,
            rms=math.sqrt(power / count) / FULL_SCALE,
            peak=max(self._highest, -self._lowest) / FULL_SCALE,
            correlation=neighbours / power if power else None,
            torn=self._torn / count,
            swing=(self._highest - self._lowest) / 2 / FULL_SCALE,
            loud_ms=1000 * len(outline) * self._size / self._rate,
            wobble_db=self._wobble_db,
            centre_hz=_centre_hz((neighbours - offset) / (power - offset), self._rate) if power > offset else None,
            pairing=_share(power - 2 * self._within, power - 2 * self._across),
            evenness=_share(self._evens, power - self._evens),
            clipped=self._clipped / count,
        )

    def _hear(self, samples: "array.array[int]") -> None:
        # A list has its numbers as objects already, which an array would make again for each sum.
        block = samples.tolist()
        next_even = block[2::2]
        del block[self._size :]
        even, odd = block[::2], block[1::2]
        power_even = sum(map(operator.mul, even, even))
        self._sums.append(sum(block))
        self._powers.append(power_even + sum(map(operator.mul, odd, odd)))
        self._evens += power_even
        self._within += sum(map(operator.mul, even, odd))
        self._across += sum(map(operator.mul, odd, next_even))
        highest, lowest = max(block), min(block)
        self._highest, self._lowest = max(self._highest, highest), min(self._lowest, lowest)
        low_bytes = samples.tobytes()[_LOW_BYTE : BYTES_PER_SAMPLE * len(block) : BYTES_PER_SAMPLE]
        full = low_bytes.count(0xFF)
        self._torn += full - block.count(-1) - block.count(0xFF) if full else 0

    def _take_outline(self) -> Iterator[None]:
        """The power of each whole block, the mean of all taken out, from the first to the last that is loud."""
        whole, mean = len(self._samples) // self._size, sum(self._sums) / max(1, len(self._samples))
        powers: list[float] = []
        for number in range(whole):
            power = self._powers[number] - 2 * mean * self._sums[number]
            powers.append(max(0.0, power / self._size + mean * mean))
            if number % BLOCKS_AT_ONCE == 0:
                yield
        limit = max(powers, default=0.0) * 10 ** (-OUTLINE_DB / 10)
        loud = (number for number, power in enumerate(powers) if power > limit)
        first = next(loud, len(powers))
        self._outline = outline = powers[first : max(loud, default=first) + 1]
        smooth: list[float] = []
        for at in range(3, len(outline) - 5):
            smooth.append(sum(outline[at : at + 3]))
            if at % BLOCKS_AT_ONCE == 0:
                yield
        self._wobble_db = _wobble_db(smooth)

    def _find_onset(self) -> Iterator[None]:
        """Look for the first millisecond from which on it is loud, with the mean of the whole taken out."""
        mean = sum(self._sums) / len(self._samples) if self._samples else 0.0
        loud: list[bool] = []
        for number in range(len(self._samples) * 1000 // self._rate):
            block = self._samples.part(self._block_start(number), self._block_start(number + 1)).tolist()
            power = sum(map(operator.mul, block, block)) - 2 * mean * sum(block) + len(block) * mean * mean
            loud.append(power > self._floor * len(block))
            first = number - ONSET_BLOCKS + 1
            if first >= 0 and loud[first] and sum(loud[first:]) >= LOUD_BLOCKS:
                self._first_audible = self._block_start(first)
                return
            if number % ONSET_BLOCKS == 0:
                yield

    def _count_clipped(self) -> Iterator[None]:
        """Count the samples that are as far out as any, on both sides alike, where that is far, and it is loud."""
        is_loud = self._power >= (CLIPPING_RMS * FULL_SCALE) ** 2 * len(self._samples)
        if not is_loud or min(self._highest, -self._lowest) < RAILS * FULL_SCALE:
            return
        upper = lower = 0
        for start in range(0, len(self._samples), self._size):
            block = self._samples.part(start, start + self._size)
            upper += block.count(self._highest)
            lower += block.count(self._lowest)
            yield
        self._clipped = 2 * min(upper, lower)

    def _block_start(self, number: int) -> int:
        """The first sample of a millisecond."""
        return number * self._rate // 1000


def decibels(level: float) -> float | None:
    """A level in dB of full scale; None for digital silence."""
    return 20 * math.log10(level) if level > 0 else None


def speakable(text: str) -> bool:
    """Whether a listener may expect sound: there is a letter or a digit outside of markup."""
    return any(character.isalnum() for character in _MARKUP.sub("", text))


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


def write_wav(path: Path, pcm: bytes | bytearray, sample_rate: int) -> None:
    """Write mono 16-bit WAV. Raises OSError where the path can't be written."""
    with path.open("wb") as stream:
        write_wav_into(stream, pcm, sample_rate)


def write_wav_into(stream: BinaryIO, pcm: bytes | bytearray, sample_rate: int) -> None:
    """The same into a file that is open, also into a pipe, in which nothing can be changed later."""
    with wave.open(stream, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(BYTES_PER_SAMPLE)
        wav.setframerate(sample_rate)
        wav.writeframes(pcm[: len(pcm) - len(pcm) % BYTES_PER_SAMPLE])


def _wobble_db(smooth: Sequence[float]) -> float | None:
    """How far the level moves: from its 10th to its 90th percentile, over 30 ms at a time, without the ends.

    None where there is too little to say.
    """
    if len(smooth) < MIN_WOBBLE_BLOCKS:
        return None
    ordered = sorted(smooth)
    low, high = ordered[len(ordered) // 10], ordered[len(ordered) * 9 // 10]
    return 10 * math.log10(high / max(low, high * LEAST_SHARE)) if high > 0 else None


def _centre_hz(correlation: float, sample_rate: int) -> float:
    """The frequency of the tone whose samples are as like each other: for any sound, a middle of its spectrum."""
    return math.acos(max(-1.0, min(1.0, correlation))) * sample_rate / (2 * math.pi)


def _share(one: float, other: float) -> float | None:
    """The smaller over the larger."""
    return min(one, other) / max(one, other) if max(one, other) > 0 else None


class _Samples:
    """The samples of some PCM, unpacked as they are asked for: a copy of all would take as much memory again."""

    def __init__(self, pcm: bytes | bytearray) -> None:
        self._bytes = memoryview(pcm)[: len(pcm) - len(pcm) % BYTES_PER_SAMPLE]

    def __len__(self) -> int:
        return len(self._bytes) // BYTES_PER_SAMPLE

    def part(self, start: int, end: int) -> "array.array[int]":
        samples = array.array("h", bytes(self._bytes[BYTES_PER_SAMPLE * start : BYTES_PER_SAMPLE * end]))
        if sys.byteorder == "big":
            samples.byteswap()
        return samples
