"""From samples to what is played to a server: at its rate, with the place where the speech begins and ends. Pure."""

import sys
from array import array

from probe.audio import listen
from probe.heard import Utterance
from probe.user_audio.resample import resampled


class NothingSaidError(ValueError):
    """There is nothing to be heard in it."""


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


def _bytes(samples: "array[int]") -> bytes:
    little = array("h", samples)
    if sys.byteorder == "big":
        little.byteswap()
    return little.tobytes()
