"""Sample rate conversion of one utterance, piece by piece."""

from typing import TYPE_CHECKING

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types

if TYPE_CHECKING:
    from probe.reference.speech.engine import Samples


class Resampler:
    """From one rate to another in Hz. The pieces that come out, joined, are the whole utterance resampled at once."""

    def __init__(self, rate_in: float, rate_out: float) -> None:
        self._stream = soxr.ResampleStream(rate_in, rate_out, 1, dtype="float32")

    def feed(self, samples: "Samples") -> "Samples":
        """Return what is ready so far; a filter's length of it always stays behind."""
        return self._resample(samples, last=False)

    def flush(self) -> "Samples":
        """Return the rest. Called once, at the end."""
        return self._resample(np.zeros(0, np.float32), last=True)

    def _resample(self, samples: "Samples", *, last: bool) -> "Samples":
        resampled: Samples = self._stream.resample_chunk(samples, last=last)
        return resampled
