"""Floods of the servers that speak gRPC, or audio as text over a WebSocket."""

import base64
import json
from collections.abc import Callable, Mapping

from flood_parts import KIB, MIB, SMALL, TONE, Flood, endless, frames, nested, said

from probe.reference.faults import Raw, wire
from probe.reference.faults import http2_steps as h2
from probe.reference.faults.connection import Steps

NESTED = nested(SMALL, deep=False)
# By protocol, what is made only where it is chosen.
Made = Mapping[str, Callable[[], tuple[Steps, ...]]]
# Of gRPC: the first call on a connection is what is answered.
STREAM = 1
CALLED: Steps = (Raw(h2.frame(h2.HEADERS, h2.END_HEADERS, STREAM, h2.head_block(h2.HEAD.headers))),)


def messages(*data: bytes) -> Steps:
    """These bodies of messages, again and again, in frames of 16 KiB."""
    one = b"".join(map(h2.prefixed, data))
    many = one * max(1, 2**16 // len(one))
    parts = [many[at : at + 2**14] for at in range(0, len(many), 2**14)]
    return *CALLED, *endless(b"".join(h2.frame(h2.DATA, 0, STREAM, part) for part in parts))


def pieces(size: int) -> bytes:
    """A message with so many bytes of audio."""
    return h2.message({1: (TONE * 64)[:size]})[5:]


def sound(kind: str, name: str, size: int) -> Steps:
    """An event with so many bytes of audio."""
    return said(kind, **{name: base64.b64encode((TONE * 16)[:size]).decode()})


def typed(payload: str) -> Steps:
    return frames(wire.TEXT, f'{{"type": "x", "y": {payload}}}'.encode())


AGENT_AUDIO, NIM_AUDIO = ("response.output_audio.delta", "delta"), ("conversation.item.speech.data", "audio")
WORDS = "response.output_audio_transcript.delta"
ITEMS = [{"type": "message", "content": [{"transcript": "x"}]}] * 1000
OF_OTHERS: Mapping[str, Flood] = {
    "messages of 4 MiB": Flood("riva", messages(pieces(4 * MIB - 100))),
    "messages of 2 bytes of audio": Flood("riva", messages(pieces(2))),
    "messages of nothing": Flood("riva", messages(b"")),
    "messages of 4,000 fields": Flood("riva", messages(b"\x0a\x00" * 4000)),
    "messages of 4 MiB of fields": Flood("riva", messages(b"\x0a\x00" * (2 * MIB - 100))),
    "a number without an end": Flood("riva", messages(b"\x10" + b"\xff" * (MIB - 1))),
    "details of 4 MiB": Flood("riva", messages(h2.message({2: b"\x0a\x03abc" * (800 * KIB)})[5:])),
    "the events of an agent, 60 KiB of text": Flood("openai_realtime", said(WORDS, delta="é" * (SMALL // 2))),
    "words of an agent": Flood("openai_realtime", said(WORDS, delta=" word. And")),
    "sound of an agent, 700 KiB": Flood("openai_realtime", sound(*AGENT_AUDIO, 700 * KIB)),
    "sound of an agent, 2 bytes": Flood("openai_realtime", sound(*AGENT_AUDIO, 2)),
    "errors about another event": Flood(
        "openai_realtime", said("error", error={"message": "é " * (SMALL // 8), "event_id": "x"})
    ),
    "sessions that change": Flood("openai_realtime", said("session.updated", session={"model": "x" * SMALL})),
    "sessions that begin": Flood("openai_realtime", said("session.created", session={"model": "x"})),
    "events that nobody knows": Flood("openai_realtime", said("rate_limits.updated")),
    "responses of 1,000 items": Flood("openai_realtime", said("response.created", response={"output": ITEMS})),
    "events of an agent, nested": Flood("openai_realtime", typed(NESTED)),
    "frames of 1 MiB": Flood("vllm_speech", frames(wire.BINARY, (TONE * 16)[:MIB])),
    "frames of 2 bytes": Flood("vllm_speech", frames(wire.BINARY, TONE[:2])),
    "beginnings of sentences": Flood("vllm_speech", said("audio.start", sample_rate=24_000)),
    "marks of words": Flood("vllm_speech", said("audio.word_timestamps", words=["x"] * 10_000)),
    "numbers of 4,299 digits": Flood("vllm_speech", typed("[" + ",".join(["9" * 4299] * 14) + "]")),
    "keys that are said twice": Flood("vllm_speech", typed("{" + '"a":0,' * 9000 + '"a":0}')),
    "sound of a NIM, 700 KiB": Flood("nim_realtime", sound(*NIM_AUDIO, 700 * KIB)),
    "sound of a NIM, 2 bytes": Flood("nim_realtime", sound(*NIM_AUDIO, 2)),
    "sound of a NIM, no bytes": Flood("nim_realtime", sound(*NIM_AUDIO, 0)),
    "conversations that begin": Flood("nim_realtime", said("conversation.created")),
    "events of a NIM, numbers": Flood("nim_realtime", typed("[" + "-1e-300," * 7400 + "1]")),
}


def by_chance_of_others(size: int, data: str) -> Made:
    """Of each protocol what a flood of this size, or with this JSON, may be."""
    text = "é" * (size // 2)
    whole = frames(wire.TEXT, data.encode())
    return {
        "riva": lambda: (
            messages(pieces(max(2, size))),
            messages(b"\x0a\x00" * (size // 2)),
            messages(bytes(size)),
            (*CALLED, *endless(h2.frame(h2.PING, 0, 0, bytes(8)))),
        ),
        "openai_realtime": lambda: (said(WORDS, delta=text), sound(*AGENT_AUDIO, size), typed(data), whole),
        "vllm_speech": lambda: (frames(wire.BINARY, bytes(size)), typed(data), typed(json.dumps(text)), whole),
        "nim_realtime": lambda: (sound(*NIM_AUDIO, size), said(NIM_AUDIO[0], audio=text), typed(data), whole),
    }
