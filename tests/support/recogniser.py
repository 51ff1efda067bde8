"""A speech recogniser for tests: which share of a text's words can be heard in its audio?"""

import re

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types
from pocketsphinx import Decoder  # type: ignore[import-untyped]  # ships no types

RECOGNISER_HZ = 16000


class Recogniser:
    """US English, from PCM of 16 bits."""

    def __init__(self) -> None:
        self._decoder = Decoder(samprate=RECOGNISER_HZ)

    def understood(self, pcm: bytes, text: str, sample_rate: int = 22000) -> float:
        """Return the share of the text's words that were heard."""
        samples = soxr.resample(np.frombuffer(pcm, "<i2"), sample_rate, RECOGNISER_HZ)
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        heard = set(hypothesis.hypstr.split()) if hypothesis is not None else set()
        words = re.findall(r"\w+", text.lower())
        return sum(word in heard for word in words) / len(words)
