"""Answers of `/v1/audio/speech`, written by hand, and what a conversation makes of them."""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from fakes import tone

from probe.plan import ServerPlan
from probe.protocols.base import Audio, Step, Terms, Unknown
from probe.protocols.openai_speech.conversation import SpeechConversation
from probe.transport.framing.base import Body, BodyEnd, Ended, Response

RATE = 24000
# Not a multiple of anything: 101 samples.
PCM = tone(50, RATE)[:202]
UNKNOWN = 0xFFFFFFFF
TEXT = "Hello there."


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """A chunk of a RIFF file; `size` where its header says something else."""
    stated = len(content) if size is None else size
    return name + stated.to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def fmt(tag: int = 1, channels: int = 1, rate: int = RATE, bits: int = 16, more: bytes = b"") -> bytes:
    align = channels * bits // 8
    fields = ((tag, 2), (channels, 2), (rate, 4), (rate * align, 4), (align, 2), (bits, 2))
    return chunk(b"fmt ", b"".join(value.to_bytes(size, "little") for value, size in fields) + more)


def extensible(tag: int, bits: int = 16) -> bytes:
    """A format whose real tag is in an extension, as Windows and some libraries write it."""
    guid = tag.to_bytes(2, "little") + bytes.fromhex("000000001000800000aa00389b71")
    return fmt(0xFFFE, bits=bits, more=(22).to_bytes(2, "little") + bits.to_bytes(2, "little") + bytes(4) + guid)


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    content = b"".join(chunks)
    stated = 4 + len(content) if size is None else size
    return b"RIFF" + stated.to_bytes(4, "little") + b"WAVE" + content


def wav(pcm: bytes = PCM, *, size: int | None = None, rate: int = RATE) -> bytes:
    return riff(fmt(rate=rate), chunk(b"data", pcm, size), size=size)


def base64(data: bytes) -> str:
    return b64encode(data).decode()


def event(document: Any, name: str = "", end: str = "\n") -> bytes:
    data = document if isinstance(document, str) else json.dumps(document)
    return (f"event: {name}{end}" if name else "").encode() + f"data: {data}{end}{end}".encode()


def conversation(url: str = "http://localhost:8880/v1", **options: Any) -> SpeechConversation:
    plan = ServerPlan("openai_speech", url, {"voice": "af_heart", "sample_rate": RATE, **options})
    return SpeechConversation(Terms(plan, "r1", 10.0))


def heard(
    headers: Mapping[str, str],
    pieces: Iterable[bytes],
    status: int = 200,
    *,
    text: str = TEXT,
    ended: Ended | None = None,
    **options: Any,
) -> list[Step]:
    """What a conversation says of one answer: its body in these pieces, then its end or the connection's."""
    talk = conversation(**options)
    [*talk.open(0)]
    [*talk.speak(text, 1)]
    steps = [*talk.received(Response(status, headers), 2)]
    for piece in pieces:
        steps += talk.received(Body(piece), 3)
    steps += talk.received(ended or BodyEnd(), 4)
    return joined(steps)


def joined(steps: Iterable[Step]) -> list[Step]:
    """What matters of them: audio that came in one go or in many as one event."""
    found: list[Step] = []
    for step in steps:
        last = found[-1] if found else None
        if isinstance(step, Audio) and isinstance(last, Audio):
            found[-1] = Audio(last.pcm + step.pcm)
        elif not isinstance(step, Unknown):
            found.append(step)
    return found


def cuts(body: bytes) -> list[list[bytes]]:
    """The body whole, byte by byte, and cut in two at every byte."""
    halves = [[body[:at], body[at:]] for at in range(1, len(body))]
    return [[body], [bytes([each]) for each in body], *halves]
