"""Another sample rate, by windowed sinc: band-limited, and right to the fraction of a sample. Pure."""

import math
import operator
from array import array
from collections.abc import Sequence

# Zero crossings to either side of the kernel's middle: enough for speech (stop band below -60 dB).
_CROSSINGS = 16
# Of the lower of the two Nyquist frequencies.
_PASSED = 0.94
_LOWEST, _HIGHEST = -32768, 32767


def resampled(samples: Sequence[int], rate: int, wanted: int) -> "array[int]":
    """16-bit samples at another rate, in Hz. A sample stays at its moment; some 3 us of work each."""
    if rate == wanted:
        return array("h", samples)
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    cutoff = _PASSED * min(1.0, wanted / rate)
    reach = math.ceil(_CROSSINGS / cutoff)
    kernels: dict[int, list[float]] = {}
    padded = [0] * reach + list(samples) + [0] * (reach + 1)
    found = array("h")
    for number in range(len(samples) * up // down):
        at, phase = divmod(number * down, up)
        kernel = kernels.get(phase)
        if kernel is None:
            kernel = kernels[phase] = _kernel(phase / up, cutoff, reach)
        level = sum(map(operator.mul, padded[at : at + 2 * reach + 1], kernel))
        found.append(max(_LOWEST, min(_HIGHEST, round(level))))
    return found


def _kernel(fraction: float, cutoff: float, reach: int) -> list[float]:
    """What each sample around a moment adds; the moment lies a fraction of a sample behind the middle one."""
    weights = [_weight(offset - fraction, cutoff, reach) for offset in range(-reach, reach + 1)]
    # Each kernel passes a constant as it is.
    total = math.fsum(weights)
    return [each / total for each in weights]


def _weight(distance: float, cutoff: float, reach: int) -> float:
    """The sinc under a Blackman window."""
    if abs(distance) >= reach:
        return 0.0
    angle = math.pi * distance * cutoff
    sinc = math.sin(angle) / angle if angle else 1.0
    turn = math.pi * distance / reach
    return sinc * (0.42 + 0.5 * math.cos(turn) + 0.08 * math.cos(2 * turn))
