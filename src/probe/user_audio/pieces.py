"""Long audio at another rate, a second at a time: little memory, and it can be given up in between. Pure."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from probe.user_audio.resample import resampled

if TYPE_CHECKING:
    from array import array

# More than the reach of the resampler's kernel, so that a piece is what it would be in the whole.
_BESIDE_S = 0.05


def resampled_in_pieces(samples: "array[int]", rate: int, wanted: int) -> Iterator["array[int]"]:
    """The same as `resampled`, piece after piece: samples of some 3 us of work each."""
    step = rate // math.gcd(rate, wanted)
    beside, length = (step * math.ceil(seconds * rate / step) for seconds in (_BESIDE_S, 1.0))
    for start in range(0, len(samples), length):
        before = max(0, start - beside)
        found = resampled(samples[before : start + length + beside], rate, wanted)
        first, last = ((at - before) * wanted // rate for at in (start, min(start + length, len(samples))))
        yield found[first:last]
