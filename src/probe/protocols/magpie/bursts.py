"""The audio of a stream as it came: bursts of frames with gaps between, whatever they were attributed to. Pure."""

from collections.abc import Sequence

from probe.protocols.segments import Segment

# Frames, each with its arrival and its bytes.
Burst = list[tuple[int, int]]


def bursts_of(segments: Sequence[Segment], gap_ns: int) -> list[Burst]:
    """All audio in the order of its arrival, parted where a gap would have ended a segment."""
    frames = [frame for segment in segments for frame in segment.frames]
    starts = [i for i, frame in enumerate(frames) if i == 0 or frame[0] - frames[i - 1][0] > gap_ns]
    return [frames[start:end] for start, end in zip(starts, [*starts[1:], len(frames)], strict=False)]


def deal(bursts: Sequence[Burst], segments: Sequence[Segment], gap_ns: int) -> None:
    """Give each segment the burst that is its own; there are as many of both."""
    pcm = b"".join(bytes(segment.pcm) for segment in segments)
    for segment, burst in zip(segments, bursts, strict=True):
        size = sum(size for _, size in burst)
        segment.frames, segment.pcm, pcm = burst, bytearray(pcm[:size]), pcm[size:]
        segment.end, segment.done, segment.late_bytes = "gap", burst[-1][0] + gap_ns, 0
