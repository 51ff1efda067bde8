"""Faults of a Riva server, over gRPC, and of a TTS NIM's HTTP side."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fault_matrix.over_http import ANSWER, CUTS, HARMLESS, REFUSALS, Answering
from fault_matrix.over_http import serving as serving_http
from fault_matrix.row import Row, Stage, Url
from probe.reference.faults import (
    CHAT,
    Drop,
    HalfClose,
    Raw,
    Repeat,
    Reply,
    Reset,
    Stall,
    Wait,
    audio,
    chat,
    refusing_port,
)
from probe.reference.faults import http2_steps as h2
from probe.reference.faults import speech as http_speech
from probe.reference.faults.connection import Steps
from probe.reference.faults.http2_steps import DATA, Frame, Headers, Samples, refused, status
from probe.reference.faults.riva import RivaScript, ScriptedRiva

SAMPLES = http_speech.samples(300, rate=h2.RATE)
BEGUN: Steps = (h2.HEAD, *h2.parts(SAMPLES))
NIM = "/v1/audio/synthesize_online"
STITCHED = 'tts.mode = "stitched"\ntts.gap_ms = 100'
PUSH_PROMISE, CONTINUATION = 5, 9
STATUS, LONG = h2.head_block({":status": "200"}), b"\x3f\x01" * 8000
MANY_SETTINGS = h2.frame(h2.SETTINGS, 0, 0, b"".join(struct.pack(">HI", each, 1) for each in range(1000, 3700)))
RAW = http_speech.head("application/octet-stream")


def serving(*answers: Steps, on_accept: Steps = (), on_end: Steps = ()) -> Url:
    """A server with these answers; the last one repeats."""

    @asynccontextmanager
    async def serve(_stage: Stage) -> AsyncIterator[str]:
        async with ScriptedRiva(RivaScript(answers=answers, on_accept=on_accept, on_end=on_end)) as server:
            yield server.url

    return serve


@asynccontextmanager
async def refusing(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"grpc://127.0.0.1:{port}"


def _row(name: str, injected: str, reason: str, *answers: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "TTS, Riva", "stage": "tts", "reached": "text", "tts_url": serving(*answers)}
    return Row(name=f"riva-{name}", injected=injected, reason=reason, **(values | parts))


def _harmless(name: str, injected: str, *answers: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *answers, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


def _in_the_middle(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*BEGUN, *steps), **({"reached": "audio"} | parts))


def _status(number: int, name: str, reason: str, words: str = "out of patience") -> Row:
    """A call that ends at once, with a status and its words."""
    return _row(f"status-{number}", f"status {number} ({name}): {words!r}", reason, (refused(number, words),),
                say=f"{name} from SynthesizeOnline", said=words)  # fmt: skip


def _over_http(each: Answering) -> dict[str, Any]:
    return {"injected": each.injected, "reason": each.reason, "say": each.say, "said": each.said}


def _nim(name: str, answer: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "TTS, NIM over HTTP", "stage": "tts", "reached": "text"}
    urls = {"llm_url": serving_http(CHAT, ANSWER), "tts_url": serving_http(NIM, answer)}
    target = 'tts.protocol = "riva_http"'
    return Row(name=f"nim-{name}", target=target, **(values | urls | parts))


NIM_REFUSALS = [each for each in REFUSALS if each.name in ("http-401", "http-404", "http-500", "loading", "no-http")]
NIM_CUTS = [each for each in CUTS if each.name in ("stall", "drop", "no-chunk-size")]

ROWS = (
    _row("refused", "nothing listens", "refused", stage="connect", reached="nothing", tts_url=refusing,
         say="is the server running?"),
    _row("no-http2", "an HTTP/1.1 server answers", "malformed", say="broke HTTP/2", said="HTTP/1.1",
         tts_url=serving((), on_accept=(Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Drop()))),
    _row("drop-at-once", "closed instead of an answer, on each connection", "closed", (Drop(),),
         say="before its response"),
    _row("reset-at-once", "reset (RST) instead of an answer", "closed", (Reset(),)),
    _row("no-answer", "no answer at all", "no_audio", (Stall(),)),
    _row("no-audio", "a head, and nothing behind it", "no_audio", (h2.HEAD, Stall())),
    _row("no-answer-to-second", "the second text gets no answer", "no_audio", h2.speech(), (Stall(),),
         reached="segment"),
    _in_the_middle("stall", "silence in the middle", "timeout", Stall()),
    _in_the_middle("stall-in-message", "silence in the middle of a message", "timeout",
                   Frame(DATA, h2.message({1: SAMPLES})[:500]), Stall()),
    _in_the_middle("no-end", "all audio, and no status behind it", "timeout", Stall()),
    _in_the_middle("drop", "closed in the middle", "closed", Drop(), say="in the middle of its response"),
    _in_the_middle("reset", "a reset (RST) in the middle", "closed", Reset()),
    _in_the_middle("half-close", "half closed (FIN) in the middle", "closed", HalfClose()),
    _in_the_middle("stream-reset", "the stream is reset, the connection stays", "closed", h2.RESET_INTERNAL, Stall(),
                   say="the stream was reset (INTERNAL_ERROR)"),
    _in_the_middle("goes-away", "the server goes away in the middle, because it was called too often", "closed",
                   h2.goaway(11, words=b"too_many_pings"), say="ENHANCE_YOUR_CALM", said="too_many_pings"),
    _status(1, "CANCELLED", "server_error"),
    _status(2, "UNKNOWN", "server_error"),
    _status(3, "INVALID_ARGUMENT", "server_error"),
    _status(4, "DEADLINE_EXCEEDED", "no_audio"),
    _status(5, "NOT_FOUND", "not_found"),
    _status(7, "PERMISSION_DENIED", "unauthorized"),
    _status(12, "UNIMPLEMENTED", "not_found"),
    _status(13, "INTERNAL", "server_error"),
    _status(14, "UNAVAILABLE", "unavailable"),
    _status(16, "UNAUTHENTICATED", "unauthorized"),
    _row("unknown-status", "a status that gRPC does not have", "server_error", (refused(99, "strange"),),
         say="an unknown status", said="strange"),
    _row("loading", "UNAVAILABLE while the model is loaded", "loading", (refused(14, "model is loading"),),
         said="model is loading"),
    _row("busy", "RESOURCE_EXHAUSTED: others are being served", "", (refused(8, "too many streams"),),
         outcome="skipped", stage="", say="RESOURCE_EXHAUSTED", said="too many streams"),
    _row("too-large", "RESOURCE_EXHAUSTED: its own message is too large", "server_error",
         (refused(8, "Sent message larger than max (5000000 vs. 4194304)"),), say="RESOURCE_EXHAUSTED",
         said="larger than max"),
    _row("unknown-voice", "INVALID_ARGUMENT: a voice that it does not have", "unknown_voice",
         (refused(3, "voice Nobody not found"),), target='tts.voice = "Nobody"', said="voice Nobody not found"),
    _row("voice-not-listed", "OK without audio, and a voice that it does not list", "unknown_voice",
         (h2.HEAD, h2.OK), target='tts.voice = "Nobody"', say="no voice 'Nobody' among its 2", said="Scripted.Aria"),
    _row("empty", "OK, and no audio", "no_audio", (h2.HEAD, h2.OK), say="OK without any audio"),
    _row("empty-messages", "messages without samples, and OK", "no_audio", (h2.HEAD, Samples(b""), h2.OK)),
    _in_the_middle("status-behind", "INTERNAL behind the audio", "server_error", status(13, "out of memory"),
                   say="INTERNAL", said="out of memory"),
    _in_the_middle("percent", "a status whose words are percent-encoded", "server_error",
                   status(2, "caf%C3%A9%20is%20full"), say="UNKNOWN", said="café is full"),
    _in_the_middle("no-status", "trailers without a status", "malformed", Headers({"x": "1"}, ends=True),
                   say="without the status"),
    _in_the_middle("strange-status", "a status that is no number", "malformed", status(0), say="without the status",
                   tts_url=serving((*BEGUN, Headers({"grpc-status": "ok"}, ends=True)))),
    _row("http-404", "HTTP 404 instead of gRPC", "not_found", (Headers({":status": "404"}, ends=True),),
         say="HTTP 404"),
    _row("http-502", "HTTP 502 of a proxy, with words", "unavailable",
         (Headers({":status": "502", "content-type": "text/plain"}), Frame(DATA, b"no backend", h2.END_STREAM)),
         say="HTTP 502", said="no backend"),
    _row("page", "a page instead of gRPC", "malformed",
         (Headers({":status": "200", "content-type": "text/html"}), Frame(DATA, b"<html>Hello"), Stall()),
         say="HTML instead of gRPC", said="<html>Hello"),
    _in_the_middle("compressed", "a compressed message, which nobody asked for", "malformed",
                   Frame(DATA, h2.prefixed(b"x" * 20, flag=1)), say="compressed"),
    _in_the_middle("no-message", "bytes that are no message", "malformed", Frame(DATA, b"hello world"),
                   say="no gRPC message"),
    _in_the_middle("no-protobuf", "a message that is no protobuf", "malformed", Frame(DATA, h2.prefixed(b"\xff" * 20)),
                   say="a message that is none"),
    _in_the_middle("cut-message", "OK in the middle of a message", "malformed",
                   Frame(DATA, h2.message({1: SAMPLES})[:500]), h2.OK, say="within a message"),
    _in_the_middle("huge-message", "a message of a gigabyte is announced", "flood",
                   Frame(DATA, b"\0" + struct.pack(">I", 2**30)), Stall(), say="a message of more than 4 MiB"),
    _in_the_middle("huge-frame", "a frame of 16 MiB is announced", "malformed", Raw(b"\xff\xff\xff\0\0\0\0\0\1"),
                   Stall(), say="broke HTTP/2"),
    _in_the_middle("bad-headers", "trailers that are no HPACK", "malformed",
                   Frame(h2.HEADERS, b"\xff" * 20, h2.END_HEADERS | h2.END_STREAM), say="broke HTTP/2"),
    _in_the_middle("endless-headers", "headers without an end", "flood", Frame(h2.HEADERS, b"", 0),
                   Repeat((Frame(CONTINUATION, h2.head_block({"x": "y" * 1000})),)), say="a head of more than"),
    _in_the_middle("push", "a stream of its own, which was forbidden", "malformed",
                   Frame(PUSH_PROMISE, b"\0\0\0\2" + h2.head_block({":path": "/x"}), h2.END_HEADERS), Stall(),
                   say="broke HTTP/2"),
    _row("takes-nothing", "no byte of a request is taken", "no_audio", tts_url=serving(
        (Stall(),), on_accept=(Raw(h2.frame(h2.SETTINGS, 0, 0, b"\0\4\0\0\0\0")),))),
    _in_the_middle("other-stream", "a frame of a stream that nobody opened", "malformed",
                   Raw(h2.frame(DATA, 0, 77, b"x")), Stall(), say="broke HTTP/2"),
    _row("message-flood", "more messages than anyone needs", "flood",
         (h2.HEAD, Repeat((Frame(DATA, h2.prefixed(b"") * 500),))), longest_s=5.0, say="messages in one answer"),
    _row("ping-flood", "nothing but pings", "flood", (Repeat((Raw(h2.frame(h2.PING, 0, 0, bytes(8)) * 500),)),),
         longest_s=10.0, say="frames on one connection"),
    _row("long-head", "a head of 32 KiB, which is decoded in one go", "flood",
         (Raw(h2.frame(h2.HEADERS, 0, 1, STATUS + LONG) + h2.frame(CONTINUATION, h2.END_HEADERS, 1, LONG)), Stall()),
         say="a head of more than 16 KiB"),
    _row("settings", "a setting for each of 2,700 numbers", "flood", (Raw(MANY_SETTINGS), Stall()),
         say="settings of a connection"),
    _row("audio-flood", "more audio than anyone would listen to", "flood",
         (h2.HEAD, Repeat((Samples(bytes(2**18)),))), reached="silent audio", longest_s=20.0),
    _row("odd-bytes", "an odd number of bytes", "odd_bytes", (h2.HEAD, Samples(SAMPLES + b"\0"), h2.OK),
         stage="audio", reached="second segment"),
    _row("silence", "nothing but digital silence", "silent", (h2.HEAD, Samples(audio.silence(300)), h2.OK),
         stage="audio", reached="second segment", without=("leading_silence_ms", "combined_ttfa_ms")),
    _harmless("one-message", "all audio in one message, of several frames", (h2.HEAD, Samples(SAMPLES), h2.OK)),
    _harmless("small-frames", "messages that are cut in the middle", (
        h2.HEAD, *(Frame(DATA, part) for part in audio.frames(h2.message({1: SAMPLES}), 777)), h2.OK)),
    _harmless("odd-cuts", "samples that are cut in the middle", (h2.HEAD, *h2.parts(SAMPLES, size=999), h2.OK)),
    _harmless("other-fields", "fields that nobody needs",
              (h2.HEAD, Frame(DATA, h2.message({1: SAMPLES, 2: b"\x0a\x05hello", 100: b""})), h2.OK)),
    _harmless("late-sound", "the head at once, an empty message, the first samples after 300 ms",
              (h2.HEAD, Samples(b""), *h2.parts(SAMPLES, first=0.3), h2.OK), at_least={"tts_ttfb_ms": 300.0},
              longest_s=3.0),
    _harmless("pings", "pings between the messages",
              (h2.HEAD, Raw(h2.frame(h2.PING, 0, 0, bytes(8))), *BEGUN[1:], h2.OK)),
    _harmless("goes-away-softly", "the server announces in the middle that it takes no more calls, and ends this one",
              (*BEGUN, h2.goaway(), Wait(0.01), h2.OK), longest_s=3.0),
    _harmless("goes-away-between", "the server takes no more calls after each answer, and keeps the connection",
              (*h2.speech(), h2.goaway()), turns=2, longest_s=4.0),
    _harmless("two-at-once", "two calls at once, the second answered before the first",
              (h2.HEAD, Wait(0.1), *h2.speech()[1:]), h2.speech(), target="tts.concurrency = 2",
              llm_url=serving_http(CHAT, ANSWER)),
    _harmless("stitched", "all texts of a turn in one call, and nothing between what is said of each",
              tts_url=serving(BEGUN, BEGUN[1:], on_end=(h2.OK,)), target=STITCHED, longest_s=4.0),
    _row("stitched-silent", "stitched: the second text gets no answer", "no_audio", BEGUN, (Stall(),), target=STITCHED,
         reached="segment"),
    _row("stitched-status", "stitched: INTERNAL in the middle", "server_error", (*BEGUN, status(13, "out of memory")),
         target=STITCHED, reached="audio", say="INTERNAL", said="out of memory"),
    _row("stitched-ends-early", "stitched: OK before all texts were sent", "ended_early", (*BEGUN, h2.OK),
         target=STITCHED, reached="segment"),
    _row("stitched-late", "stitched: audio after a pause in the last text", "", outcome="suspect", stage="",
         tts_url=serving(BEGUN, BEGUN[1:], on_end=(Wait(0.4), *BEGUN[1:], h2.OK)), target=STITCHED,
         reached="second segment", longest_s=4.0, say="gap_ms"),
    _harmless("closes-after-each", "closed after each answer without a word", (*h2.speech(), Drop()), turns=2,
              longest_s=4.0),
    *(_nim(each.name, each.steps, **_over_http(each)) for each in NIM_REFUSALS),
    *(_nim(each.name, (RAW, *http_speech.pieces(SAMPLES), *each.steps), reached="audio", **_over_http(each))
      for each in NIM_CUTS),
    *(_nim(each.name, (*each.steps, *http_speech.pcm(rate=h2.RATE)), outcome="ok", **(_over_http(each) | {
        "stage": "", "reached": "second segment"})) for each in HARMLESS),
    _nim("unknown-voice", (Reply(400, {"error": "voice Nobody not found"}),), injected="HTTP 400: an unknown voice",
         reason="unknown_voice", say="HTTP 400", said="voice Nobody not found"),
    _nim("busy", (Reply(429, chat.problem("queue full")),), injected="HTTP 429: too many requests", outcome="skipped",
         stage="", say="HTTP 429", said="queue full"),
    _nim("json", (Reply(200, {"status": "queued"}),), injected="JSON instead of audio", reason="wrong_format",
         say="JSON instead of", said="queued"),
    _nim("empty", (RAW, http_speech.pcm()[-1]), injected="no audio", reason="no_audio", say="an empty body"),
    _nim("wav", http_speech.wav(rate=h2.RATE), injected="a WAV file instead of raw samples", outcome="ok", stage="",
         reached="second segment"),
    _nim("called-wav", (http_speech.head("audio/wav"), *http_speech.pcm(rate=h2.RATE)[1:]),
         injected="raw samples that are called a WAV file", outcome="ok", stage="", reached="second segment"),
)  # fmt: skip
