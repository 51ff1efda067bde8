"""From samples to what is played to a server: at its rate, with the place where the speech begins and ends. Pure."""

import math
import operator
import random
import sys
from array import array
from dataclasses import replace
from itertools import cycle

from probe.audio import listen
from probe.heard import Utterance
from probe.user_audio.resample import resampled

# How long noise is until it repeats: longer than a syllable, and than any window of a voice activity detection.
NOISE_S = 3


class NothingSaidError(ValueError):
    """No audible sample."""


def utterance(samples: "array[int]", rate: int, wanted: int, audible_dbfs: float, text: str | None) -> Utterance:
    """16-bit samples of one rate as an utterance of another. Raises NothingSaidError.

    Speech ends as it begins, only backwards: with the last millisecond above the audible level of 20 of which most are.
    """
    found = resampled(samples, rate, wanted)
    first = listen(_bytes(found), wanted, audible_dbfs).first_audible
    last = listen(_bytes(found[::-1]), wanted, audible_dbfs).first_audible
    if first is None or last is None:
        raise NothingSaidError("nothing in it can be heard")
    return Utterance(_bytes(found), wanted, first, len(found) - last, text)


def with_noise(clean: Utterance, snr_db: float) -> Utterance:
    """The same in white noise, so many decibels below the speech; it goes on before and behind it."""
    samples = _samples(clean.pcm)
    voiced = samples[clean.first_voiced : clean.last_voiced]
    level = math.sqrt(sum(map(operator.mul, voiced, voiced)) / len(voiced)) / 10 ** (snr_db / 20)
    # The same each time, so that runs can be compared.
    chance = random.Random(1)  # noqa: S311 - nothing secret
    noise = array("h", (_within(chance.gauss(0, level)) for _ in range(NOISE_S * clean.sample_rate)))
    mixed = array("h", map(_within, map(operator.add, samples, cycle(noise))))
    return replace(clean, pcm=_bytes(mixed), silence=_bytes(noise))


def _within(level: float) -> int:
    return max(-32768, min(32767, round(level)))


def _samples(pcm: bytes) -> "array[int]":
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def _bytes(samples: "array[int]") -> bytes:
    little = array("h", samples)
    if sys.byteorder == "big":
        little.byteswap()
    return little.tobytes()
