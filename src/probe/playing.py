"""What a listener hears of a segment, by the playout of its frames. Pure; its times are in nanoseconds."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from probe import audio
from probe.record import Chunk
from probe.timestamps import milliseconds


def underrun_ms(heard: Sequence[tuple[float, float]]) -> float | None:
    """How long a listener heard nothing within a segment, from each frame's start and end of playout."""
    if not heard:
        return None
    return milliseconds(sum(max(0.0, start - end) for (_, end), (start, _) in pairwise(heard)))


def audible_ns(chunk: Chunk, heard: Iterable[tuple[float, float]]) -> float | None:
    """When the first audible sample is played, by the playout of its segment's frames; None where there is none.

    What is silent before a stall is heard at once, and the sound behind it as late as it came.
    """
    if chunk.sound is None or chunk.sound.first_audible is None or not chunk.sample_rate:
        return None
    before = chunk.sound.first_audible * audio.BYTES_PER_SAMPLE
    for (_, size), (start, _) in zip(chunk.frames, heard, strict=True):
        if before < size:
            return start + audio.duration_ns(before, chunk.sample_rate)
        before -= size
    return None
