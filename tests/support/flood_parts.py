"""What floods are made of: bytes again and again, JSON of any size, events and frames that have no end."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from probe.reference.faults import Chunk, Head, Raw, Repeat, Stall, audio, speech, wire
from probe.reference.faults.connection import Steps

KIB, MIB = 2**10, 2**20
# What one write has, at least: a flood must not be slow because of us.
BLOCK = 2**16
TONE = audio.tone(2000)
EVENTS = Head(200, {"Content-Type": "text/event-stream"} | {"Transfer-Encoding": "chunked"})
JSON = Head(200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
SMALL = 60 * KIB


@dataclass(frozen=True)
class Flood:
    """What a server of this protocol sends instead of its answer; `LLM` or `TTS` is healthy otherwise."""

    protocol: str
    steps: Steps
    # What it answers to questions, by path: the probe is to ask them.
    pages: Mapping[str, Steps] = field(default_factory=dict)
    # What it is sent, if that is speech of a person, or of the answers of others.
    hears: Literal["", "speech", "answers"] = ""
    # Of a server that is spoken to: which part of its script this is.
    where: str = "answers"


def endless(data: bytes) -> Steps:
    """The same bytes again and again."""
    return (Repeat((Raw(data * max(1, BLOCK // len(data))),), 2**14), Stall())


def frames(opcode: int, payload: bytes) -> Steps:
    return endless(wire.frame(opcode, payload))


def chunks(data: bytes) -> Steps:
    """One HTTP chunk of this size after the other."""
    return endless(b"%x\r\n%b\r\n" % (len(data), data))


def nested(size: int, deep: bool) -> str:
    """JSON of so many characters, deep or wide."""
    return "[" * size if deep else "[" + "[]," * (size // 3) + "[]]"


def sse(payload: str) -> bytes:
    return b"data: " + payload.encode() + b"\n\n"


def token(content: str) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": {"content": content}}]})


def line(content: str) -> bytes:
    return (
        json.dumps({"model": "m", "message": {"role": "assistant", "content": content}, "done": False}).encode() + b"\n"
    )


def delta(size: int) -> bytes:
    sound = base64.b64encode(TONE[:size].ljust(size, b"\1")).decode()
    return sse(json.dumps({"type": "speech.audio.delta", "audio": sound}))


def behind(kind: str, data: bytes, payload: bytes = b"") -> bytes:
    """A Wyoming event with these bytes as its data."""
    sizes = {"data_length": len(data), "payload_length": len(payload)}
    return json.dumps({"type": kind, **sizes}).encode() + b"\n" + data + payload


def said(kind: str, **fields: object) -> Steps:
    return frames(wire.TEXT, json.dumps({"type": kind, **fields}, ensure_ascii=False).encode())


def wav(more: bytes) -> Steps:
    return (speech.head("audio/wav"), Chunk(speech.wav_header(between=more)), *chunks(TONE[: 4 * KIB]))
