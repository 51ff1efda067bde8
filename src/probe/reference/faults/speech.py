"""What an OpenAI-compatible speech server answers to `POST /v1/audio/speech`: PCM, a WAV file, or events."""

import base64
import json
import struct
from itertools import chain

from probe.reference.faults import audio
from probe.reference.faults.connection import Step, Steps
from probe.reference.faults.http_steps import CHUNKED, Chunk, Head, LastChunk
from probe.reference.faults.steps import Wait

RATE = 24_000
UNKNOWN_SIZE = 0xFFFFFFFF
DONE = Chunk(
    b'data: {"type": "speech.audio.done", "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}\n\n'
)


def head(content_type: str) -> Head:
    return Head(200, {"Content-Type": content_type} | CHUNKED)


def pcm(
    ms: float = 300, *, leading_silence_ms: float = 0, rate: int = RATE, first: float = 0.0, gap: float = 0.0
) -> Steps:
    """Make a healthy answer of raw samples; `first` seconds before the first piece of them and `gap` between."""
    data = samples(ms, leading_silence_ms, rate)
    return (head(f"audio/pcm;rate={rate}"), *pieces(data, first=first, gap=gap), LastChunk())


def wav(
    ms: float = 300, *, leading_silence_ms: float = 0, rate: int = RATE, first: float = 0.0, gap: float = 0.0
) -> Steps:
    """Make the same as a WAV file whose size is not known yet; its header comes at once, and alone."""
    data = samples(ms, leading_silence_ms, rate)
    return (head("audio/wav"), Chunk(wav_header(rate)), *pieces(data, first=first, gap=gap), LastChunk())


def sse(
    ms: float = 300, *, leading_silence_ms: float = 0, rate: int = RATE, first: float = 0.0, gap: float = 0.0
) -> Steps:
    """Make the same as events, each with samples in base64."""
    parts = [delta(part) for part in audio.frames(samples(ms, leading_silence_ms, rate))]
    return (head("text/event-stream"), *_paced(parts, first, gap), DONE, LastChunk())


def pieces(data: bytes, *, first: float = 0.0, gap: float = 0.0, size: int = audio.FRAME_BYTES) -> Steps:
    """Make chunks of so many bytes."""
    return _paced([Chunk(part) for part in audio.frames(data, size)], first, gap)


def delta(data: bytes) -> Chunk:
    event = {"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()}
    return Chunk(b"data: " + json.dumps(event).encode() + b"\n\n")


def samples(ms: float, leading_silence_ms: float = 0, rate: int = RATE) -> bytes:
    """Make silence, then a tone, that last so long at this rate."""
    stretch = rate / audio.RATE
    return audio.silence(leading_silence_ms * stretch) + audio.tone(ms * stretch)


def wav_header(rate: int = RATE, *, size: int = UNKNOWN_SIZE, between: bytes = b"") -> bytes:
    """Make the header of a 16-bit mono file; `size` in bytes of samples, `between` whole chunks before the samples."""
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    whole = size if size == UNKNOWN_SIZE else size + 36 + len(between)
    riff = b"RIFF" + struct.pack("<I", whole) + b"WAVE"
    return riff + b"fmt " + struct.pack("<I", len(form)) + form + between + b"data" + struct.pack("<I", size)


def _paced(steps: list[Chunk], first: float, gap: float) -> tuple[Step, ...]:
    waits = (Wait(gap if position else first) for position in range(len(steps)))
    return tuple(chain.from_iterable(zip(waits, steps, strict=True)))
