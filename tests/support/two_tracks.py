"""What was said and what was answered as the two channels of one recording, and the silence between them.

It shares no code with what is tested: the recording is what figures are compared with. The person is on the left, the
agent on the right.
"""

import wave
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types
from numpy.typing import NDArray

# Above that of any voice and any microphone, so that a conversion loses nothing that is heard.
RATE = 48_000
# The level from which on a millisecond is heard: what `audible_dbfs` is by default.
AUDIBLE_DBFS = -50.0
_FULL_SCALE = 32768
_BLOCK = RATE // 1000

Samples = NDArray[np.float64]
Placed = tuple[float, "Piece"]


@dataclass(frozen=True)
class Piece:
    """16-bit mono audio, and when it came by, in seconds of the monotonic clock."""

    at: float
    rate: int
    audio: bytes

    @property
    def seconds(self) -> float:
        return len(self.audio) / 2 / self.rate


@dataclass(frozen=True)
class Silence:
    """Where it lies in a recording, in seconds since its begin."""

    start: float
    end: float

    @property
    def ms(self) -> float:
        return (self.end - self.start) * 1000


def write(path: Path, person: Sequence[Piece], agent: Sequence[Piece]) -> float:
    """Write the recording. Returns when it begins, in seconds of the monotonic clock."""
    tracks = [*_spoken(person)], [*_played(agent)]
    begin = min(at for at, _ in tracks[0])
    seconds = max(at + piece.seconds for track in tracks for at, piece in track) - begin
    channels = [_line(track, begin, seconds) for track in tracks]
    frames = np.clip(np.stack(channels, axis=1) * _FULL_SCALE, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(frames.tobytes())
    return begin


def _spoken(pieces: Iterable[Piece]) -> Iterator[Placed]:
    """A microphone has a frame when it is over."""
    for piece in pieces:
        yield piece.at - piece.seconds, piece


def _played(pieces: Iterable[Piece]) -> Iterator[Placed]:
    """What is answered is played as soon as it is there, piece after piece."""
    free = float("-inf")
    for piece in pieces:
        begin = max(free, piece.at)
        free = begin + piece.seconds
        yield begin, piece


def _line(track: Sequence[Placed], begin: float, seconds: float) -> Samples:
    """A whole track, converted in one go: a piece by itself would be converted as if silence surrounded it."""
    rates = sorted({piece.rate for _, piece in track})
    if len(rates) != 1:
        raise ValueError(f"pieces of one rate are expected, and these have {rates}")
    (rate,) = rates
    line = np.zeros(round((seconds + 1) * rate))
    for at, piece in track:
        first = round((at - begin) * rate)
        samples = np.frombuffer(piece.audio, "<i2") / _FULL_SCALE
        line[first : first + len(samples)] += samples
    converted: Samples = soxr.resample(line, rate, RATE)
    return converted[: round(seconds * RATE)]


def silence(path: Path) -> Silence:
    """From the last that is heard of the person to the first that is heard of the agent."""
    with wave.open(str(path), "rb") as file:
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / _FULL_SCALE
    said, answered = (_audible(frames[:, channel]) for channel in (0, 1))
    for heard, who in ((said, "person"), (answered, "agent")):
        if not len(heard):
            raise ValueError(f"{path}: nothing is heard of the {who}")
    return Silence(float(said[-1] + 1) / 1000, float(answered[0]) / 1000)


def _audible(line: Samples) -> NDArray[np.intp]:
    """The number of each millisecond that is heard."""
    blocks = line[: len(line) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
    return np.flatnonzero(np.sqrt(np.mean(blocks**2, axis=1)) > 10 ** (AUDIBLE_DBFS / 20))
