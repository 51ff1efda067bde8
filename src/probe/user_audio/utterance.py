"""From samples to what is played to a server: at its rate, with the place where the speech begins and ends. Pure."""

import math
import operator
import random
import sys
from array import array
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, cycle

from probe.heard import Pause, Utterance
from probe.spoken_words import spoken_words
from probe.user_audio.edges import edges, little_endian, nothing_above
from probe.user_audio.resample import resampled

# How long noise is until it repeats: longer than a syllable, and than any window of a voice activity detection.
NOISE_S = 3
_FULL = 32767


class NothingSaidError(ValueError):
    """No audible sample."""


def utterance(samples: "array[int]", rate: int, wanted: int, audible_dbfs: float, text: str | None) -> Utterance:
    """16-bit samples of one rate as an utterance of another. Raises NothingSaidError."""
    found = resampled(samples, rate, wanted)
    if (voiced := edges(found, wanted, audible_dbfs)) is None:
        raise NothingSaidError(nothing_above(audible_dbfs))
    return Utterance(little_endian(found), wanted, *voiced, text)


def joined(parts: Sequence[Utterance], pauses_ms: Sequence[int]) -> Utterance:
    """One utterance of several: between two of them so many milliseconds of digital silence, and nothing else.

    It is so long from the last voiced sample before it to the first one behind it.
    """
    rate = parts[0].sample_rate
    pcm, said, pauses = bytearray(parts[0].pcm[: 2 * parts[0].last_voiced]), parts[0].text or "", []
    for part, pause_ms in zip(parts[1:], pauses_ms, strict=True):
        start = len(pcm) // 2
        pcm += bytes(2 * (rate * pause_ms // 1000))
        pauses.append(Pause(start, len(pcm) // 2, len(spoken_words(said))))
        pcm += part.pcm[2 * part.first_voiced : 2 * part.last_voiced]
        said = f"{said} {part.text or ''}"
    last = len(pcm) // 2
    pcm += parts[-1].pcm[2 * parts[-1].last_voiced :]
    return Utterance(bytes(pcm), rate, parts[0].first_voiced, last, said, pauses=tuple(pauses))


def with_noise(clean: Utterance, snr_db: float) -> Utterance:
    """The same in white noise, so many decibels below the speech; it goes on before and behind it, and in pauses.

    What would be louder than full scale makes all of it quieter: cut off, the noise would be less than that.
    """
    samples = _samples(clean.pcm)
    level = _rms(_voiced(clean, samples)) / 10 ** (snr_db / 20)
    # The same each time, so that runs can be compared.
    chance = random.Random(1)  # noqa: S311 - nothing secret
    noise = [chance.gauss(0, level) for _ in range(NOISE_S * clean.sample_rate)]
    mixed = list(map(operator.add, samples, cycle(noise)))
    gain = min(1.0, _FULL / max(chain(map(abs, mixed), map(abs, noise))))
    return replace(clean, pcm=little_endian(_scaled(mixed, gain)), silence=little_endian(_scaled(noise, gain)))


def _voiced(utterance: Utterance, samples: "array[int]") -> "array[int]":
    """What is said, without its pauses."""
    edges = [utterance.first_voiced]
    for pause in utterance.pauses:
        edges += [pause.start, pause.end]
    edges.append(utterance.last_voiced)
    found = array("h")
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        found += samples[start:end]
    return found


def _rms(samples: "array[int]") -> float:
    return math.sqrt(sum(map(operator.mul, samples, samples)) / len(samples))


def _scaled(levels: Sequence[float], gain: float) -> "array[int]":
    return array("h", (round(each * gain) for each in levels))


def _samples(pcm: bytes) -> "array[int]":
    samples = array("h", pcm)
    if sys.byteorder == "big":
        samples.byteswap()
    return samples
