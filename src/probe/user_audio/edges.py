"""Where the speech in a recording begins and ends, also in one that is quiet or noisy. Pure."""

import math
import sys
from array import array
from collections.abc import Sequence
from operator import mul

from probe.audio import FULL_SCALE, listen

# The level of a recording is looked at in pieces.
_PIECE_MS = 50
# The loudest pieces show how loud the speech is; those at either end, longer than any sound of it, what noise there is.
_LOUDEST, _OF_NOISE = 4, 6
# Speech of the usual level (-20 dBFS) has audible_dbfs as its edge by default; what is quieter has a lower one.
_BELOW_SPEECH_DB = 30.0
# Noise stays as loud, except for two pieces, and is so far below the speech; what is so far above it is no noise.
_STEADY_DB, _NOISE_BELOW_DB, _ABOVE_NOISE_DB = 4.0, 15.0, 6.0


def edges(samples: "array[int]", rate: int, audible_dbfs: float) -> tuple[int, int] | None:
    """The first voiced sample, and the one behind the last; None where nothing can be heard.

    Speech ends as it begins, only backwards: with the last millisecond above a level of 20 of which most are.
    """
    if not is_audible(samples, rate, audible_dbfs):
        return None
    levels = levels_of(samples, rate, audible_dbfs)
    return _edges(samples, rate, levels) or _edges(samples, rate, (audible_dbfs, audible_dbfs))


def is_audible(samples: "array[int]", rate: int, audible_dbfs: float) -> bool:
    """Whether anything can be heard. A second at a time, so that of most recordings only the begin is looked at."""
    overlap = rate // 10
    pieces = (samples[start : start + rate + overlap] for start in range(0, len(samples), rate))
    return any(listen(little_endian(each), rate, audible_dbfs).first_audible is not None for each in pieces)


def nothing_above(audible_dbfs: float) -> str:
    """What is wrong with a recording in which there is nothing to be heard."""
    return f"nothing in it can be heard above {audible_dbfs:g} dBFS (audible_dbfs)"


def levels_of(samples: Sequence[int], rate: int, audible_dbfs: float) -> tuple[float, float]:
    """What the speech is louder than, in dBFS, where it begins and where it ends.

    That is `audible_dbfs`, less where the speech is quiet, and more where the recording begins or ends in noise.
    """
    size = max(1, rate * _PIECE_MS // 1000)
    middle = sum(samples) / len(samples)
    pieces = [_power(samples[start : start + size], middle) for start in range(0, len(samples) - size + 1, size)]
    if len(pieces) < _OF_NOISE:
        return audible_dbfs, audible_dbfs
    loud = _dbfs(sum(sorted(pieces)[-_LOUDEST:]) / _LOUDEST)
    least = min(audible_dbfs, loud - _BELOW_SPEECH_DB)
    begin, end = (_noise(each, loud) + _ABOVE_NOISE_DB for each in (pieces[:_OF_NOISE], pieces[-_OF_NOISE:]))
    return max(least, begin), max(least, end)


def _noise(powers: Sequence[float], loud: float) -> float:
    """How loud the noise is in which a recording begins or ends; minus infinity where that may be speech."""
    _, quiet, *_, noisy, _ = map(_dbfs, sorted(powers))
    steady = noisy - quiet <= _STEADY_DB
    level = _dbfs(sum(powers) / len(powers))
    return level if steady and level <= loud - _NOISE_BELOW_DB else -math.inf


def _edges(samples: "array[int]", rate: int, levels: tuple[float, float]) -> tuple[int, int] | None:
    both_ways = zip((samples, samples[::-1]), levels, strict=True)
    first, last = (listen(little_endian(each), rate, level).first_audible for each, level in both_ways)
    return None if first is None or last is None else (first, len(samples) - last)


def _power(samples: Sequence[int], middle: float) -> float:
    """The mean square without the offset."""
    count = len(samples)
    squares: int = sum(map(mul, samples, samples))
    return max(0.0, squares / count - middle * (2 * sum(samples) / count - middle))


def _dbfs(power: float) -> float:
    return 10 * math.log10(power / FULL_SCALE**2) if power else -math.inf


def little_endian(samples: "array[int]") -> bytes:
    little = array("h", samples)
    if sys.byteorder == "big":
        little.byteswap()
    return little.tobytes()
