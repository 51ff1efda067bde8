"""A speech recogniser for tests: which share of a text's words can be heard in its audio?"""

import re

import numpy as np
import soxr  # type: ignore[import-untyped]  # ships no types
from pocketsphinx import Decoder  # type: ignore[import-untyped]  # ships no types

from probe.reference.faults.connection import Steps
from probe.reference.faults.wyoming_hearing import ScriptedHearing, transcript

RECOGNISER_HZ = 16000


class Recogniser:
    """US English, from PCM of 16 bits."""

    def __init__(self) -> None:
        self._decoder = Decoder(samprate=RECOGNISER_HZ)

    def understood(self, pcm: bytes, text: str, sample_rate: int = 22000) -> float:
        """Return the share of the text's words that were heard."""
        samples = soxr.resample(np.frombuffer(pcm, "<i2"), sample_rate, RECOGNISER_HZ)
        heard = set(self.transcript(samples.tobytes()).split())
        words = re.findall(r"\w+", text.lower())
        return sum(word in heard for word in words) / len(words)

    def transcript(self, pcm: bytes) -> str:
        """What is heard in samples of `RECOGNISER_HZ`."""
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return "" if hypothesis is None else str(hypothesis.hypstr)


class RecognisingServer(ScriptedHearing):
    """A Wyoming server that writes down what it hears."""

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        self._recogniser = recogniser

    def _next_answer(self) -> Steps:
        pieces = self.log.received("audio")
        connection = pieces[-1].connection
        heard = b"".join(each.data for each in pieces if each.connection == connection)
        return (transcript(self._recogniser.transcript(heard)),)
