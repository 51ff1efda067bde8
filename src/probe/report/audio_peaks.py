"""The kept audio of a run, chunk by chunk, and what it looks like."""

import array
import sys
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from probe.audio import BYTES_PER_SAMPLE, FULL_SCALE
from probe.record import RunRecord

# Columns of a waveform.
_COLUMNS = 240
# As high as a picture of it is, in its own units, to either side of the middle.
HALF = 20
# Where the loudest of a chunk's samples is quieter than this, that is what the picture is scaled to.
_LEAST_PEAK = 0.05
# So thick is silence, to either side.
_THIN = 0.3


@dataclass(frozen=True, slots=True)
class Segment:
    """A chunk's audio as it was kept: 16-bit mono."""

    turn_num: int
    chunk_num: int
    pcm: bytes
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Sound:
    """What a page shows of a segment: where a browser finds it, and a path of SVG, _COLUMNS wide, 2 * HALF high."""

    url: str
    path: str
    seconds: float


def segments(record: RunRecord, path: Path) -> list[Segment]:
    """The chunks' audio from the run's file; empty where its length is not what the record says. Raises OSError."""
    try:
        with wave.open(str(path), "rb") as wav:
            rate, pcm = wav.getframerate(), wav.readframes(wav.getnframes())
    except (wave.Error, EOFError) as error:
        raise OSError(0, f"no WAV file: {error}") from error
    heard = [(turn.turn_num, chunk) for turn in record.turns for chunk in turn.chunks if chunk.audio_bytes]
    sizes = [chunk.audio_bytes + chunk.late_audio_bytes for _, chunk in heard]
    if sum(sizes) != len(pcm):
        sizes = [chunk.audio_bytes for _, chunk in heard]
    if sum(sizes) != len(pcm):
        return []
    found, at = [], 0
    for (turn_num, chunk), size in zip(heard, sizes, strict=True):
        found.append(Segment(turn_num, chunk.chunk_num, pcm[at : at + size], rate))
        at += size
    return found


def sound(segment: Segment, url: str) -> Sound:
    seconds = len(segment.pcm) / BYTES_PER_SAMPLE / segment.sample_rate
    return Sound(url, outline(segment.pcm), seconds)


def outline(pcm: bytes) -> str:
    """The highest sample of each column from left to right, the lowest from right to left: a shape to fill."""
    peaks = [*_peaks(pcm)]
    if not peaks:
        return ""
    loudest = max([_LEAST_PEAK, *(max(high, -low) for low, high in peaks)])
    upper = [(column, HALF * (1 - high / loudest) - _THIN) for column, (_, high) in enumerate(peaks)]
    lower = [(column, HALF * (1 - low / loudest) + _THIN) for column, (low, _) in enumerate(peaks)]
    return "M" + "L".join(f"{column} {y:.1f}" for column, y in (*upper, *reversed(lower))) + "Z"


def _peaks(pcm: bytes) -> Iterator[tuple[float, float]]:
    samples = array.array("h", pcm[: len(pcm) - len(pcm) % BYTES_PER_SAMPLE])
    if sys.byteorder == "big":
        samples.byteswap()
    columns = min(_COLUMNS, len(samples))
    for column in range(columns):
        part = samples[column * len(samples) // columns : (column + 1) * len(samples) // columns]
        yield min(part) / FULL_SCALE, max(part) / FULL_SCALE
