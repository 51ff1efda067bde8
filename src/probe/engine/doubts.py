"""What makes the audio of a stream doubtful: its own bytes, when they came, what the server says of them. Pure."""

import math
import string
from collections.abc import Iterator, Sequence
from itertools import pairwise

from probe.audio import duration_ns
from probe.protocols.magpie.attribution import NS_PER_MS, Segment, Segments

# How a WAV file begins: 44 bytes that are no samples, and would be taken for the first sound.
_WAV = b"RIFF"
_LETTERS = string.printable.encode()
# So many bytes of samples are not all letters by chance; more need not be looked at.
_NO_CHANCE, _ENOUGH = 64, 1024
# How much of a text a doubt quotes.
_SHOWN = 40


def of_audio(segments: Segments) -> list[str]:
    """Look at a stream that is over, or has failed; returns a sentence for each doubt, none of them twice."""
    found = [*segments.doubts, *_of_durations(segments), *_of_late_audio(segments.all), *_of_formats(segments.all)]
    return list(dict.fromkeys(found))


def _of_durations(segments: Segments) -> Iterator[str]:
    """Bytes that last longer or shorter than the server says are not the samples that we take them for."""
    so_far_ms = 0.0
    for segment in segments.all:
        own_ms = duration_ns(len(segment.pcm), segments.sample_rate) / NS_PER_MS
        so_far_ms += own_ms
        # Servers may say how long a segment lasts, or the stream so far.
        if segment.told_ms and segment.frames and not _any_close(segment.told_ms, own_ms, so_far_ms):
            yield (
                f"chunk {segment.chunk_num}: the server says that its audio lasts {segment.told_ms:.6g} ms, and its "
                f"bytes last {own_ms:.0f} ms at the target's sample_rate"
            )


def _any_close(told_ms: float, *measured: float) -> bool:
    return any(math.isclose(told_ms, ms, rel_tol=0.05, abs_tol=50) for ms in measured)


def _of_late_audio(segments: Sequence[Segment]) -> Iterator[str]:
    """Late audio of a later text may mean that its first audio was the rest of the text before it."""
    for before, segment in pairwise(segments):
        if segment.late_bytes and not segment.marked and before.frames and not _told_by_pace(before, segment):
            yield (
                f"chunk {segment.chunk_num}: the server paused inside a segment for longer than the gap, and which "
                f"audio is whose can't be told; a larger gap_ms would bridge the pause"
            )


def _of_formats(segments: Sequence[Segment]) -> Iterator[str]:
    for segment in segments:
        if segment.pcm.startswith(_WAV):
            yield f"chunk {segment.chunk_num}: its audio begins with a WAV header, which is no sound"
        elif len(segment.pcm) > _NO_CHANCE and not segment.pcm[:_ENOUGH].translate(None, _LETTERS):
            # Base64, or a page that says what went wrong.
            yield f"chunk {segment.chunk_num}: its audio is text, beginning with {_quoted(segment.pcm)}"


def _quoted(pcm: bytearray) -> str:
    return repr(pcm[:_SHOWN].decode("ascii"))


def _told_by_pace(before: Segment, segment: Segment) -> bool:
    """Whether the late audio is more likely `segment`'s own than the sign that its first part was `before`'s.

    Speech has a pace: of both readings, the likely one gives both texts about as many bytes a character.
    """
    whole = len(segment.pcm)
    first = whole - segment.late_bytes
    own = math.log(segment.own_pace(whole) / before.own_pace(len(before.pcm)))
    shifted = math.log(segment.own_pace(segment.late_bytes) / before.own_pace(len(before.pcm) + first))
    return abs(own) < abs(shifted)
