"""Samples to signed 16-bit little-endian mono, and that to frames."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from probe.reference.speech.engine import SpeechError

if TYPE_CHECKING:
    from probe.reference.speech.engine import Samples

FRAME_BYTES = 4096
BYTES_PER_SAMPLE = 2
FULL_SCALE = 32767


def to_pcm(samples: "Samples") -> bytes:
    """Clip to [-1, 1], never wrap around. Raises SpeechError for NaN or infinity, which are no sound."""
    if not np.isfinite(samples).all():
        raise SpeechError("the engine made samples that are not numbers")
    return np.rint(np.clip(samples, -1, 1) * FULL_SCALE).astype("<i2").tobytes()


def frames(pcm: bytes) -> Iterator[bytes]:
    """Cut into frames of FRAME_BYTES; the last one holds what is left."""
    for start in range(0, len(pcm), FRAME_BYTES):
        yield pcm[start : start + FRAME_BYTES]
