"""Faults of an OpenAI-compatible TTS server."""

import struct
from typing import Any

from fault_matrix.over_http import ANSWER, CUTS, FIRST, HARMLESS, REFUSALS, serving
from fault_matrix.row import Row
from probe.reference.faults import (
    CHAT,
    ENDLESS_LINE,
    SPEECH,
    Body,
    Chunk,
    Drop,
    Head,
    LastChunk,
    Repeat,
    Reply,
    Stall,
    Wait,
    audio,
    chat,
    gzipped,
    speech,
)
from probe.reference.faults.connection import Steps

RAW = speech.head("audio/pcm;rate=24000")
SAMPLES = speech.samples(300)
BEGUN: Steps = (RAW, *speech.pieces(SAMPLES))
EVENTS: Steps = (speech.head("text/event-stream"), speech.delta(SAMPLES))


def _row(name: str, injected: str, reason: str, *answers: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "TTS over HTTP", "stage": "tts", "reached": "text"}
    pair = {"llm_url": serving(CHAT, ANSWER), "tts_url": serving(SPEECH, *answers)}
    return Row(name=f"speech-{name}", injected=injected, reason=reason, **(values | pair | parts))


def _harmless(name: str, injected: str, *answers: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *answers, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


def _in_the_middle(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*BEGUN, *steps), **({"reached": "audio"} | parts))


def _instead(name: str, injected: str, kind: str, body: bytes, say: str, said: str = "") -> Row:
    """A whole answer that is no audio to be measured."""
    answer = (Reply(200, body, {"Content-Type": kind}),)
    return _row(name, injected, "wrong_format", answer, say=f"{say} instead of 16-bit mono PCM", said=said)


def _wav(tag: int, channels: int, bits: int) -> bytes:
    """The header of a file, and some samples."""
    form = struct.pack("<HHIIHH", tag, channels, 24_000, 24_000 * channels * bits // 8, channels * bits // 8, bits)
    sizes = [struct.pack("<I", size) for size in (36 + len(SAMPLES), len(form), len(SAMPLES))]
    return b"RIFF%bWAVEfmt %b%bdata%b%b" % (sizes[0], sizes[1], form, sizes[2], SAMPLES)


ROWS = (
    *(_row(each.name, each.injected, each.reason, each.steps, say=each.say, said=each.said) for each in REFUSALS),
    *(_in_the_middle(each.name, each.injected, each.reason, *each.steps, say=each.say) for each in CUTS),
    *(_harmless(each.name, each.injected, (*each.steps, *speech.pcm())) for each in HARMLESS),
    _row("http-429", "HTTP 429: too many requests", "", (Reply(429, chat.problem("queue full")),),
         outcome="skipped", stage="", say="HTTP 429", said="queue full"),
    _row("unknown-voice", "HTTP 400: a voice that the server does not have", "unknown_voice",
         (Reply(400, {"detail": "Voice 'alloy' not found"}),), say="HTTP 400", said="Voice 'alloy' not found"),
    _row("no-headers", "no answer at all", "no_audio", (Stall(),)),
    _row("no-body", "a head, and nothing behind it", "no_audio", (RAW, Stall())),
    _row("no-headers-of-second", "the second text gets no answer", "no_audio", speech.pcm(), (Stall(),),
         reached="segment"),
    _instead("html", "a page instead of audio", "text/html", b"<html><h1>Hello</h1></html>", "HTML"),
    _instead("json", "JSON instead of audio", "application/json", b'{"status": "queued"}', "JSON", "queued"),
    _instead("mp3", "MP3 instead of PCM", "audio/mpeg", b"ID3\x04\0\0\0\0\0\0" + bytes(100), "MP3"),
    _instead("mp3-as-pcm", "MP3, called PCM", "audio/pcm", b"\xff\xfb\x90\xc4" + bytes(100), "MP3"),
    _instead("float-wav", "a WAV file of 32-bit floats", "audio/wav", _wav(3, 1, 32),
             "WAV with 32-bit float, 1 channel(s) at 24000 Hz"),
    _instead("stereo-wav", "a WAV file in stereo", "audio/wav", _wav(1, 2, 16),
             "WAV with 16-bit PCM, 2 channel(s) at 24000 Hz"),
    _row("gzip", "audio in gzip, which nobody asked for", "wrong_format", gzipped(SAMPLES, "audio/pcm"), say="packed",
         said="gzip"),
    _row("endless-line", "an event without an end", "flood", ENDLESS_LINE, longest_s=5.0, say="an event"),
    _row("audio-flood", "more audio than anyone would listen to", "flood", (RAW, Repeat((Chunk(bytes(2**20)),))),
         reached="silent audio", longest_s=20.0),
    _row("empty", "an empty body", "no_audio", (RAW, LastChunk()), say="an empty body"),
    _row("wav-header-alone", "the header of a WAV file, and no sample", "no_audio",
         (speech.head("audio/wav"), Chunk(speech.wav_header()), LastChunk()), say="without any sample"),
    _row("half-wav", "half the header of a WAV file", "wrong_format",
         (speech.head("audio/wav"), Chunk(speech.wav_header()[:30]), LastChunk()), say="ends before its samples"),
    _row("error-in-stream", "an error inside of an event stream, and [DONE] behind it", "server_error",
         (*EVENTS, chat.error("CUDA out of memory"), *chat.END), reached="audio", say="it reported an error",
         said="CUDA out of memory"),
    _row("no-base64", "an event whose audio is no base64", "malformed",
         (*EVENTS, chat.event({"type": "speech.audio.delta", "audio": "!"}), LastChunk()), reached="audio"),
    _row("event-garbage", "an event that is no JSON", "malformed",
         (*EVENTS, Chunk(b"data: hello\n\n"), LastChunk()), reached="audio", say="not JSON", said="hello"),
    _row("short-body", "a body that is shorter than it says", "closed",
         (Head(200, {"Content-Type": "audio/pcm", "Content-Length": "100000"}), Body(SAMPLES), Drop()),
         reached="audio", say="in the middle of its response"),
    _row("odd-bytes", "an odd number of bytes", "odd_bytes", (RAW, Chunk(SAMPLES + b"\0"), LastChunk()),
         stage="audio", reached="second segment"),
    _row("silence", "nothing but digital silence", "silent", (RAW, Chunk(audio.silence(300)), LastChunk()),
         stage="audio", reached="second segment", without=("leading_silence_ms", "combined_ttfa_ms")),
    _harmless("odd-cuts", "samples that are cut in the middle", (RAW, *speech.pieces(SAMPLES, size=999), LastChunk())),
    _harmless("late-sound", "the header of a WAV file at once, its samples after 300 ms", speech.wav(first=0.3),
              at_least={"tts_ttfb_ms": 300.0}, longest_s=3.0),
    _harmless("late-priming", "an empty chunk of an event stream at once, the first samples after 300 ms",
              (EVENTS[0], Chunk(b": hello\n\n"), Wait(0.3), *EVENTS[1:], speech.DONE, LastChunk()),
              at_least={"tts_ttfb_ms": 300.0}, longest_s=3.0),
    _harmless("events", "an event stream", speech.sse()),
    _harmless("wav", "a WAV file without a size", speech.wav()),
    _harmless("other-rate", "another rate than the configured one", speech.pcm(rate=22_050)),
    _harmless("text-without-word", "a text without a word, which the server refuses",
              speech.pcm(), speech.pcm(), (Reply(500, chat.problem("nothing to speak")),),
              llm_url=serving(CHAT, chat.answer(*FIRST, " How", " are", " you?", " \U0001f60a"))),
    _harmless("two-at-once", "two requests at once, the second answered before the first",
              (RAW, Wait(0.1), *speech.pcm()[1:]), speech.pcm(), target="tts.concurrency = 2"),
    _row("one-at-a-time", "HTTP 429 for the second of two requests at once", "server_error",
         (Stall(),), (Reply(429, chat.problem("one at a time")),), target="tts.concurrency = 2",
         say="HTTP 429", said="one at a time"),
    _harmless("until-close", "a body that ends with its connection",
              (Head(200, {"Content-Type": "audio/pcm;rate=24000"}), Body(SAMPLES), Drop())),
    _harmless("closes-after-each", "closed after each answer without a word", (*speech.pcm(), Drop()), turns=2,
              longest_s=4.0),
)  # fmt: skip
