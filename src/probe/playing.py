"""What a listener hears of a segment, by the playout of its frames. Pure; its times are in nanoseconds.

A server may send tens of thousands of frames: each is a step of a loop, and no call.
"""

from probe.audio import BYTES_PER_SAMPLE
from probe.record import Chunk
from probe.timestamps import NS_PER_S


def played(chunk: Chunk, zero: int, since: float | None) -> tuple[float | None, float | None]:
    """How long a listener hears nothing within the segment, and when it has been played out; None without audio.

    `since` is the end of what is played before it, None where that is nothing. It and the result count from `zero`, a
    recent moment, for floats hold few nanoseconds of a time since the epoch.
    """
    if not chunk.frames or not chunk.sample_rate:
        return None, since
    bytes_per_s = BYTES_PER_SAMPLE * chunk.sample_rate
    dry, first = 0.0, chunk.frames[0][0] - zero
    end: float = first if since is None or since < first else since
    for arrival, size in chunk.frames:
        start = arrival - zero
        if start > end:
            dry += start - end
            end = start
        end += size * NS_PER_S / bytes_per_s
    return dry, end


def audible_ns(chunk: Chunk, zero: int, since: float | None) -> float | None:
    """When its first audible sample is played, None where there is none; as `played` has it.

    What is silent before a stall is heard at once, and the sound behind it as late as it came.
    """
    if chunk.sound is None or chunk.sound.first_audible is None or not chunk.sample_rate:
        return None
    before, bytes_per_s = chunk.sound.first_audible * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE * chunk.sample_rate
    end = since
    for arrival, size in chunk.frames:
        start = arrival - zero
        end = start if end is None or start > end else end
        if before < size:
            return end + before * NS_PER_S / bytes_per_s
        before -= size
        end += size * NS_PER_S / bytes_per_s
    return None
