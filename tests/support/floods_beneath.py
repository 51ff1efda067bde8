"""Floods of what carries an answer: heads, chunks, frames, settings; and of the pages that are asked beside it."""

import json
import struct
from collections.abc import Mapping

from flood_parts import EVENTS, JSON, KIB, MIB, SMALL, TONE, Flood, behind, chunks, delta, endless, frames, sse, token
from floods_of_others import CALLED, STREAM, messages

from probe.reference.faults import Head, Raw, Repeat, Stall, Wait, chat, llm, speech, wire
from probe.reference.faults import http2_steps as h2
from probe.reference.faults.connection import Steps
from probe.reference.faults.riva import CONFIG
from probe.reference.faults.wyoming import speech as spoken

CONTINUATION, STATUS = 9, h2.head_block({":status": "200"})
_SEVEN_BITS = 0x7F


def block(data: bytes) -> Steps:
    """A head of HTTP/2 that is encoded like this, in frames of 16 KiB, and the same as often as there is time."""
    parts = [data[at : at + 2**14] for at in range(0, len(data), 2**14)]
    written = h2.frame(h2.HEADERS, h2.END_HEADERS if len(parts) == 1 else 0, STREAM, parts[0])
    for number, part in enumerate(parts[1:], 2):
        written += h2.frame(CONTINUATION, h2.END_HEADERS if number == len(parts) else 0, STREAM, part)
    return endless(written)


def huffman(size: int) -> bytes:
    """A header whose value is coded in so many bytes: zeros, of which each is five bits."""
    rest, length = size - _SEVEN_BITS, b""
    while rest > _SEVEN_BITS:
        length += bytes([rest & _SEVEN_BITS | 0x80])
        rest >>= 7
    return b"\0\1a\xff" + length + bytes([rest]) + bytes(size)


def settings(numbers: range) -> Steps:
    return endless(h2.frame(h2.SETTINGS, 0, 0, b"".join(struct.pack(">HI", each, 1) for each in numbers)))


def sized(data: bytes, extension: bytes = b"") -> bytes:
    """An HTTP chunk."""
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


WORD, LISTED = sse(token("x")), [{"id": "x" * 20, "object": "model"}] * 20_000
VOICES = json.dumps({"voices": ["x" * 10] * 80_000}).encode()
METRICS = b'llamacpp:requests_processing{a="b"} 0\n' * 20_000
HEADED = b"HTTP/1.1 100 Continue\r\n" + b"a:\r\n" * 3900 + b"\r\n"
SPACES = b"HTTP/1.1 100 " + b" " * (15 * KIB) + b"\r\n\r\n"
GZIPPED = Head(200, {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"})
PROGRAMS = json.dumps({"tts": [{"name": "x", "voices": [{"name": "y"}]}] * 2900}).encode()
ODD = sse(json.dumps({"type": "speech.audio.delta", "audio": "QUJD" * 10 + "Q"}))
ANSWER: Steps = chat.answer(" Hello", " there.")


def page(data: bytes, head: Head = JSON) -> Steps:
    """An answer to a question that is this again and again."""
    return (head, *chunks(data))


BENEATH: Mapping[str, Flood] = {
    "settings": Flood("riva", endless(h2.frame(h2.SETTINGS, 0, 0, b""))),
    "settings of 60,000 numbers": Flood("riva", settings(range(1000, 3700)) + settings(range(3700, 60_000, 21))),
    "windows that grow": Flood("riva", endless(h2.frame(h2.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)))),
    "a head of 1 MiB, in Huffman's code": Flood("riva", block(STATUS + huffman(MIB - 100))),
    "heads of 16 KiB, in Huffman's code": Flood("riva", block(h2.head_block({":status": "103"}) + huffman(16_000))),
    "a head of 1 MiB of tables' sizes": Flood("riva", block(b"\x3f\x01" * (MIB // 2 - 100))),
    "heads before the head": Flood("riva", block(h2.head_block({":status": "103"}))),
    "data of nothing": Flood("riva", (*CALLED, *endless(h2.frame(h2.DATA, 0, STREAM, b"")))),
    "frames that nobody knows": Flood("riva", (*CALLED, *endless(h2.frame(0x55, 0, STREAM, bytes(2**14))))),
    "heads of 3,900 lines": Flood("openai_chat", endless(HEADED)),
    "heads of 15 KiB of spaces": Flood("openai_chat", endless(SPACES)),
    "lines of trailers": Flood("openai_chat", (EVENTS, Raw(b"0\r\n"), *endless(b"a:b\r\n"))),
    "chunks with 15 KiB beside their size": Flood(
        "openai_chat", (EVENTS, *endless(sized(WORD, b";" + b"a=b;" * (4 * KIB - 256))))
    ),
    "comments": Flood("openai_chat", (EVENTS, *chunks(b": x\n" * 16_000))),
    "fields that nobody reads": Flood("openai_chat", (EVENTS, *chunks(b"id\nretry:1\n" * 5000))),
    "carriage returns": Flood("openai_chat", (EVENTS, *chunks(b"\r" * SMALL))),
    "ligatures": Flood("openai_chat", (EVENTS, *chunks(sse(token("\ufdfa" * 9000))))),
    "initials": Flood("openai_chat", (EVENTS, *chunks(sse(token("A. " * 20_000))))),
    "marks above no letter": Flood("openai_chat", (EVENTS, *chunks(sse(token("\u0301" * 9000))))),
    "thoughts that begin": Flood("openai_chat", (EVENTS, *chunks(sse(token("<think>" * 8000))))),
    "a compressed answer": Flood("openai_chat", (GZIPPED, *chunks(bytes(SMALL)))),
    "a byte per millisecond": Flood("openai_chat", (EVENTS, Repeat((Raw(sized(b"x")), Wait(0.001)), 30_000), Stall())),
    "audio of no whole samples": Flood("openai_speech", (EVENTS, *chunks(ODD))),
    "audio of one byte per event": Flood("openai_speech", (EVENTS, *chunks(delta(1)))),
    "pongs": Flood("magpie", frames(wire.PONG, b"x" * 125)),
    "compressed messages": Flood("magpie", endless(b"\xc2\x7e\xff\xff" + bytes(65_535))),
    "fragments of nothing": Flood("magpie", (Raw(b"\x02\x00"), *endless(b"\x00\x00"))),
    "fragments of 16 KiB": Flood("magpie", (Raw(b"\x02\x00"), *endless(b"\x00\x7e\x40\x00" + TONE[: 16 * KIB]))),
    "models without an end": Flood("openai_chat", ANSWER, {"/v1/models": page(b" " * SMALL)}),
    "20,000 models": Flood("openai_chat", ANSWER, {"/v1/models": page(json.dumps({"data": LISTED}).encode())}),
    "slots without an end": Flood("openai_chat", ANSWER, {"/slots": page(b'[{"is_processing":false},' * 2000)}),
    "metrics without an end": Flood(
        "openai_chat", ANSWER, {"/slots": (speech.head("text/plain"), Stall()), "/metrics": page(METRICS)}
    ),
    "80,000 voices": Flood("openai_speech", speech.pcm(), {"/v1/audio/voices": page(VOICES)}),
    "a description of 4,000 models": Flood("riva", h2.speech(), {CONFIG: messages(b"\x0a\x03\x0a\x01m" * 4000)}),
    "programs of 1 MiB": Flood("wyoming", spoken(), {"info": endless(behind("info", PROGRAMS))}),
    "users without an end": Flood(
        "chunked", llm.last_chunk(" Hello", " there."), {"/health": endless(b"HTTP/1.1 100 Continue\r\n\r\n")}
    ),
}
