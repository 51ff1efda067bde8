"""What makes the audio of a stream doubtful: its own bytes, when they came, what the server says of them. Pure."""

import string
from collections.abc import Iterator, Sequence

from probe.audio import duration_ns, same_duration
from probe.engine.speech import Heard
from probe.protocols.segments import Segment
from probe.timestamps import milliseconds

# How a WAV file begins: 44 bytes that are no samples, and would be taken for the first sound.
_WAV = b"RIFF"
_LETTERS = string.printable.encode()
# So many bytes of samples are not all letters by chance; more need not be looked at.
_NO_CHANCE, _ENOUGH = 64, 1024


def of_audio(heard: Heard) -> list[str]:
    """Look at a turn's audio that is over, or has failed; returns a sentence for each doubt, none of them twice."""
    segments = heard.all
    found = [*heard.doubts(), *_of_durations(segments), *_of_formats(segments)]
    return list(dict.fromkeys(found))


def _of_durations(segments: Sequence[Segment]) -> Iterator[str]:
    """Bytes that last longer or shorter than the server says are not the samples that we take them for."""
    so_far_ms = 0.0
    for segment in segments:
        own_ms = milliseconds(duration_ns(len(segment.pcm), segment.sample_rate))
        so_far_ms += own_ms
        # Servers may say how long a segment lasts, or the stream so far.
        if (
            segment.stated_ms
            and segment.frames
            and not any(same_duration(segment.stated_ms, ms) for ms in (own_ms, so_far_ms))
        ):
            yield (
                f"chunk {segment.chunk_num}: the server says that its audio lasts {segment.stated_ms:.6g} ms, and its "
                f"bytes last {own_ms:.0f} ms at the target's sample_rate"
            )


def _of_formats(segments: Sequence[Segment]) -> Iterator[str]:
    for segment in segments:
        if segment.pcm.startswith(_WAV):
            yield f"chunk {segment.chunk_num}: its audio begins with a WAV header, which is no sound"
        elif len(segment.pcm) > _NO_CHANCE and not segment.pcm[:_ENOUGH].translate(None, _LETTERS):
            # Base64, or a page that says what went wrong.
            yield f"chunk {segment.chunk_num}: its audio is text"
