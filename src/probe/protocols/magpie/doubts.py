"""Doubts about a stream's audio: which text it belongs to, and whether all of it came. Pure."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from probe.protocols.segments import Segment


def of_missing_markers(segments: Sequence[Segment]) -> Iterator[str]:
    """Where the server marks the ends of its segments: those that it left out."""
    for segment in segments:
        if segment.end == "gap" and not segment.marked:
            yield f"chunk {segment.chunk_num}: the server never marked the end of its audio"


def of_late_audio(segments: Sequence[Segment]) -> Iterator[str]:
    """Audio after a gap: it may mean that the rest of one text was another's first."""
    for before, segment in pairwise(segments):
        if segment.late_bytes and not segment.marked and before.frames and not _settled_by_pace(before, segment):
            yield (
                f"chunk {segment.chunk_num}: the server paused inside a segment for longer than the gap, and which "
                f"audio belongs to which text is unknown; a larger gap_ms would bridge the pause"
            )


def _settled_by_pace(before: Segment, segment: Segment) -> bool:
    """Whether the late audio is more likely `segment`'s own than the sign that its first part was `before`'s.

    Speech has a pace: of both readings, the likely one gives both texts about as many bytes per character.
    """
    whole = len(segment.pcm)
    first = whole - segment.late_bytes
    own = math.log(_pace(segment, whole) / _pace(before, len(before.pcm)))
    shifted = math.log(_pace(segment, segment.late_bytes) / _pace(before, len(before.pcm) + first))
    return abs(own) < abs(shifted)


def _pace(segment: Segment, size: int) -> float:
    """Bytes of audio per character."""
    return size / max(1, len(segment.text.strip()))
