"""Faults of the TTS server."""

import base64
import random
import struct
from array import array
from dataclasses import replace
from typing import Any

from fault_matrix.row import ONE_CHUNK, Row, llm_says, tts_says
from probe.reference.faults import (
    BAD_UTF8,
    ENDLESS_FRAME,
    RESERVED_OPCODE,
    Binary,
    Close,
    Drop,
    Http,
    Json,
    Raw,
    Repeat,
    Reset,
    Stall,
    Text,
    TtsScript,
    TtsTurn,
    Wait,
    audio,
    llm,
    tts,
    wire,
)
from probe.reference.faults.connection import Steps

SPEECH = tts.speech(200)
MARKER = Json({"type": "segment_complete", "segment": 1, "audio_ms": 200})
SLOW_SECOND = llm_says(llm.chunk(" Hello there."), llm.last_chunk(" How are you?", first=0.6))
THREE_CHUNKS = llm_says(llm.chunk(" Hello there."), llm.chunk(" How are you?"), llm.last_chunk(" I am fine."))
EIGHT_WORDS = llm_says(llm.chunk(" Why did the unicorn cross the wide road"), llm.last_chunk(", my dear?"))
KEEPING = TtsScript(generation="older", target_audio_ms=4000, turns=(TtsTurn(segments=(SPEECH,)),))
VOICES = "/v1/audio/config"
ORDINALS = ("first", "second", "third")


def _constant(value: int) -> Steps:
    return tts.pcm(array("h", [value] * 6600).tobytes())


def _floats() -> bytes:
    """Speech as 32-bit floats, which somebody forgot to convert."""
    chance = random.Random(1)
    return b"".join(struct.pack("<f", chance.uniform(-0.3, 0.3)) for _ in range(6600))


def _row(name: str, injected: str, reason: str, *segments: Steps, **parts: Any) -> Row:
    given = {key: parts.pop(key) for key in ("generation", "on_init", "after_segment", "on_close") if key in parts}
    script = tts_says(*segments, **given)
    values: dict[str, Any] = {"where": "TTS", "stage": "tts", "reached": "text", "tts": script}
    return Row(name=name, injected=injected, reason=reason, **(values | parts))


def _harmless(name: str, injected: str, *segments: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"outcome": "ok", "stage": "", "reached": "second segment"}
    return _row(name, injected, "", *segments, **(values | parts))


def _frame(name: str, injected: str, step: Any, **parts: Any) -> Row:
    return _row(name, injected, "malformed", (*SPEECH, step, Stall()), reached="audio", **parts)


def _sound(name: str, injected: str, reason: str, steps: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"stage": "audio", "reached": "second segment"}
    return _row(name, injected, reason, steps, **(values | parts))


def _doubtful(name: str, injected: str, *segments: Steps, **parts: Any) -> Row:
    return _harmless(name, injected, *segments, **({"outcome": "suspect"} | parts))


def _stall(ms: int) -> Row:
    steps = (*SPEECH, Wait(ms / 1000), *SPEECH)
    return _harmless(f"stall-{ms}", f"a stall of {ms} ms inside a marked segment", steps)


def _unmarked_stall(ms: int) -> Row:
    """Nothing marks the segment's end, so that a stall longer than the gap looks like it; the rest is still its own."""
    steps = (*SPEECH, Wait(ms / 1000), *SPEECH)
    injected = f"a stall of {ms} ms inside a segment without a marker"
    return _harmless(f"unmarked-stall-{ms}", injected, steps, tts.speech(200), generation="older", llm=SLOW_SECOND,
                     longest_s=3.0)  # fmt: skip


def _ends(first: Steps, generation: Any = "newer") -> TtsScript:
    """A server whose first stream ends with its first segment, without having been asked to."""
    after = () if generation == "newer" else None
    ended = TtsTurn(segments=(first,), after_segment=after)
    return TtsScript(generation=generation, turns=(ended, TtsTurn(segments=(SPEECH,))))


# An older server does the same, and must come to the same.
OF_BOTH_GENERATIONS = (
    "no-stream-created", "drop-at-init", "no-audio", "unknown-voice", "fatal-error", "complaint-and-silence",
    "done-in-the-middle", "tts-garbage", "tts-drop-in-segment", "close-at-once",
)  # fmt: skip


def _older(row: Row) -> Row:
    injected = f"{row.injected}, older server"
    script = replace(row.tts, generation="older")
    return replace(row, name=f"{row.name}-older", injected=injected, tts=script, longest_s=row.longest_s + 1)


NEWER = (
    _row("no-stream-created", "init is not answered", "no_stream", on_init=(Stall(),), reached="nothing"),
    _row("drop-at-init", "closed in answer to init", "closed", on_init=(Drop(),), reached="nothing"),
    _row("error-at-init", "a fatal error in answer to init", "server_error",
         on_init=(tts.error("model not loaded", fatal=True),), reached="nothing", say="it reported an error",
         said="model not loaded"),
    _row("complaint-at-init", "an error that is not fatal, and no stream", "no_stream",
         on_init=(tts.error("warming up", fatal=False), Stall()), reached="nothing",
         say="before that: it reported an error", said="warming up"),
    _harmless("second-init-ignored", "the connection takes one init, and is dropped after done",
              generation="older", turns=2, reached="second segment", longest_s=6.0),
    _harmless("second-init-unanswered", "the connection takes one init, and stays open",
              generation="older", on_close=(tts.DONE,), turns=2, longest_s=6.0),
    _harmless("audio-before-stream", "audio before stream_created", SPEECH, on_init=(*SPEECH, tts.CREATED)),
    _harmless("audio-before-text", "audio before the first text", SPEECH, on_init=(tts.CREATED, *SPEECH)),
    _harmless("two-streams-created", "stream_created twice", SPEECH, on_init=(tts.CREATED, tts.CREATED)),
    _row("no-audio", "a text gets no audio", "no_audio", (Stall(),)),
    _row("no-audio-of-second", "the second text gets no audio", "no_audio", SPEECH, (Stall(),), reached="segment"),
    _row("unknown-voice", "the server does not have the voice", "unknown_voice", target='voice = "nobody"',
         reached="nothing", say="no voice 'nobody' among its", said="aria"),
    _row("unknown-voice-unlisted", "the server does not have the voice, and lists none", "no_audio",
         target='voice = "nobody"', tts=TtsScript(on_http={VOICES: (Http(404),)})),
    _harmless("voices-unanswered", "the server never answers when it is asked for its voices",
              tts=TtsScript(on_http={VOICES: (Stall(),)}), longest_s=4.0),
    *(_stall(ms) for ms in (100, 149, 151, 400)),
    *(_unmarked_stall(ms) for ms in (100, 400)),
    _row("stall-for-ever", "silence in the middle of the first segment, and nothing after it", "no_audio",
         (*SPEECH, Stall()), reached="segment"),
    _row("stall-for-ever-marked", "silence in the middle of the second segment, and no done", "timeout",
         SPEECH, (*SPEECH, Stall()), reached="second segment", say="no done"),
    _row("stall-for-ever-unmarked", "silence in the middle of the last segment, and no done", "timeout",
         (*SPEECH, Stall()), generation="older", llm=ONE_CHUNK, reached="segment"),
    _harmless("drip", "frames of one byte", tts.pcm(audio.tone(50), size=1)),
    _harmless("slow-drip", "a frame of forty samples every 10 ms", tts.pcm(audio.tone(60), size=80, gap=0.01)),
    _harmless("priming-frame", "20 ms of silence at once, the speech later",
              (*tts.pcm(audio.silence(20)), *tts.speech(200, first=0.1))),
    _harmless("hiss-before", "hiss at -60 dBFS before the speech", tts.pcm(audio.hiss(100, -60) + audio.tone(200))),
    _harmless("huge-audio-frame", "two seconds in one frame", tts.pcm(audio.tone(2000), size=10**6)),
    _harmless("empty-frames", "frames without a byte", (Binary(b""), *SPEECH, Binary(b""))),
    _sound("odd-bytes", "an odd number of bytes", "odd_bytes", tts.pcm(audio.tone(200) + b"\0")),
    _sound("silence", "nothing but digital silence", "silent", tts.pcm(audio.silence(300)),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("dither", "nothing but dither", "silent", tts.pcm(array("h", [3, -3] * 3300).tobytes()),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("full-scale-noise", "white noise at full scale", "noise", tts.pcm(audio.noise(300))),
    _sound("nan-as-int", "NaN, converted to the lowest integer", "noise", _constant(-32768),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("nan-pattern", "NaN's own bits", "noise", _constant(0x7FC0),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("constant", "a constant", "silent", _constant(12000),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("floats", "32-bit floats where 16-bit integers belong", "noise", tts.pcm(_floats())),
    _sound("misaligned", "speech cut one byte too late", "noise", tts.pcm(audio.tone(300)[1:] + b"\0")),
    _sound("misaligned-quietly", "a quiet voice (-50 dB) cut one byte too late", "noise",
           tts.pcm(audio.tone(300, amplitude=120)[1:] + b"\0")),
    _sound("silence-of-second", "the second segment is silent", "silent", SPEECH, reached="second segment",
           tts=tts_says(SPEECH, tts.pcm(audio.silence(200))), say="chunk 2"),
    _row("silence-then-no-audio", "a silent turn, and in the next one no audio", "no_audio", turns=2,
         tts=TtsScript(turns=(TtsTurn(segments=(tts.pcm(audio.silence(200)),)), TtsTurn(segments=((Stall(),),)))),
         reached="second segment", without=("leading_silence_ms", "combined_ttfa_ms"), longest_s=3.0,
         say="before that, turn 1, chunk 1: the TTS server sent nothing but silence"),
    _harmless("leading-silence", "300 ms of silence first", tts.speech(200, leading_silence_ms=300)),
    _row("done-without-audio", "done in answer to a text", "ended_early", (tts.DONE,), after_segment=(),
         limits={"tts_s": 0.5}),
    _harmless("done-crosses-text", "done when the next text is on its way, which has a stream of its own anyway",
              (*SPEECH, MARKER, Wait(0.1), tts.DONE), (tts.CREATED, *SPEECH, MARKER), after_segment=(),
              llm=THREE_CHUNKS),
    _row("done-in-the-middle", "done in the middle of a segment", "ended_early", (*SPEECH, tts.DONE),
         reached="segment"),
    _row("done-for-each-text", "done in answer to the second text, too", "ended_early",
         tts=TtsScript(turns=(TtsTurn(segments=((*SPEECH, MARKER, tts.DONE),), after_segment=()),
                              TtsTurn(segments=((tts.DONE,),), after_segment=()))),
         llm=THREE_CHUNKS, reached="segment", limits={"tts_s": 0.5}),
    _harmless("done-with-marker", "done right after the first segment", tts=_ends((*SPEECH, MARKER, tts.DONE))),
    _harmless("done-while-llm-thinks", "done while the LLM server makes the second text",
              tts=_ends((*SPEECH, MARKER, Wait(0.1), tts.DONE)), llm=SLOW_SECOND, longest_s=3.0),
    _harmless("done-and-drop-while-llm-thinks", "done, and the end of the connection, while the LLM server does",
              tts=_ends((*SPEECH, MARKER, Wait(0.1), tts.DONE, Drop())), llm=SLOW_SECOND, longest_s=3.0),
    _harmless("done-while-llm-thinks-unmarked", "the same, older server",
              tts=_ends((*SPEECH, Wait(0.3), tts.DONE, Drop()), "older"), llm=SLOW_SECOND, longest_s=3.0),
    _harmless("done-before-first-text", "done before the first text",
              tts=replace(_ends(SPEECH), turns=(TtsTurn(on_init=(tts.CREATED, tts.DONE)), TtsTurn()))),
    _harmless("done-after-last-text", "done while the LLM server makes what nobody speaks",
              tts=_ends((*SPEECH, MARKER, Wait(0.1), tts.DONE)), reached="segment", longest_s=3.0,
              llm=llm_says(llm.chunk(" Hello there."), llm.last_chunk(" ...", first=0.6))),
    _harmless("text-without-word", "a text without a word, for which nothing comes", SPEECH, SPEECH, (Stall(),),
              llm=llm_says(llm.chunk(" Hello there."), llm.chunk(" ..."), llm.last_chunk(" How are you?"))),
    _harmless("last-text-without-word", "a last text without a word, for which nothing comes", SPEECH, (Stall(),),
              llm=llm_says(llm.chunk(" Hello there."), llm.last_chunk(" \U0001f60a")), reached="segment"),
    _harmless("text-kept", "an older server as it comes, which keeps the first eight words",
              tts=KEEPING, llm=EIGHT_WORDS, target='tts.generation = "older"', reached="segment"),
    _harmless("text-kept-by-unknown", "the same, of a server that is not known to do so", tts=KEEPING, llm=EIGHT_WORDS,
              limits={"hold_s": 0.3}, reached="segment"),
    _harmless("one-segment-tts", "audio and its marker in one piece",
              (Raw(b"".join(wire.frame(wire.BINARY, step.data) for step in SPEECH if isinstance(step, Binary))
                   + wire.frame(wire.TEXT, b'{"type":"segment_complete","segment":1}')),), after_segment=()),
    _harmless("fragments-tts", "audio in three fragments, cut within a sample, with a ping between",
              (Raw(b"\x02\x7e\x03\xe9" + b"\x10" * 1001), Raw(wire.frame(wire.PING, b"")),
               Raw(b"\0\0" + b"\x80\x01\x10"), *SPEECH)),
    _harmless("wav-header", "a WAV file's header in front of the samples",
              (Binary(b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)), *SPEECH), outcome="suspect", say="WAV header"),
    _sound("marker-without-audio", "the end of a segment, and nothing before it", "missing", (),
           reached="text"),
    _sound("complaint-instead-of-audio", "an error that is not fatal, and the end of the segment", "missing",
           (tts.error("phonemizer failed", fatal=False),), reached="text", say="before that: it reported an error",
           said="phonemizer failed"),
    _harmless("complaint", "an error that is not fatal, and then the audio",
              (tts.error("slow today", fatal=False), *SPEECH), said="slow today"),
    _row("complaint-and-silence", "an error that is not fatal, and no audio", "no_audio",
         (tts.error("CUDA out of memory", fatal=False), Stall()), say="before that: it reported an error",
         said="CUDA out of memory"),
    _row("fatal-error", "a fatal error in a segment", "server_error",
         (*SPEECH, tts.error("CUDA out of memory", fatal=True)), reached="audio", say="it reported an error",
         said="CUDA out of memory"),
    _row("error-without-fatal", "an error that does not say whether it is fatal", "server_error",
         (Json({"type": "error", "message": "oops"}),), say="it reported an error", said="oops"),
    _frame("tts-garbage", "a text frame that is no JSON", Text("garbage"), say="not JSON", said="garbage"),
    _frame("tts-truncated-json", "JSON that was cut", Text('{"type": "segment_comp')),
    _frame("tts-bad-utf8", "text that is no UTF-8", BAD_UTF8),
    _frame("tts-reserved-opcode", "a frame that WebSocket does not know", RESERVED_OPCODE),
    _row("tts-endless-frame", "the header of a frame of a terabyte", "flood", (*SPEECH, ENDLESS_FRAME, Stall()),
         reached="audio", say="more than 4 MiB"),
    _row("long-complaint", "an error of 1 MB that is not fatal", "flood",
         (*SPEECH, Json({"type": "error", "fatal": False, "message": "x" * 10**6}), Stall()), reached="audio",
         say="more than 64 KiB"),
    _harmless("tts-unknown-frames", "frames that nobody knows", (Json({"type": 7}), *SPEECH, Json({}))),
    _row("audio-flood", "more audio than anyone would listen to", "flood",
         (Repeat((Raw(wire.frame(wire.BINARY, bytes(2**20)) * 8),)),),
         reached="silent audio", longest_s=20.0,
         # However long its sender takes for the next frame, the first segment goes on.
         limits={"gap_ms": 10_000}),
    _harmless("late-audio", "audio of the last segment after its gap", (*SPEECH, Wait(0.25), *SPEECH),
              generation="older", llm=ONE_CHUNK, reached="segment"),
    _harmless("late-audio-of-last", "audio after the last marker", SPEECH, on_close=(*SPEECH, tts.DONE),
              outcome="suspect", say="audio after the end", llm=ONE_CHUNK, reached="segment"),
    _harmless("audio-after-done", "audio after done", SPEECH, on_close=(tts.DONE, *SPEECH)),
    _harmless("close-after-done-tts", "the connection ends with done", SPEECH, on_close=(tts.DONE, Drop())),
    _row("close-at-once", "the connection ends instead of done", "closed", on_close=(Drop(),),
         reached="second segment"),
    _row("no-done", "done never comes", "timeout", on_close=(Stall(),), reached="second segment", say="no done"),
    _row("tts-drop-at-once", "closed right after the handshake", "closed", tts=TtsScript(on_connected=(Drop(),)),
         reached="nothing"),
    _row("tts-drop-in-segment", "closed in the middle of a segment", "closed", (*SPEECH, Drop()), reached="audio"),
    _row("tts-reset", "a reset (RST) in the middle of a segment", "closed", (*SPEECH, Reset()), reached="audio"),
    _row("tts-close-1000", "close 1000 in the middle of a segment", "closed", (*SPEECH, Close(1000)),
         reached="audio", say="1000"),
    _row("tts-close-1011", "close 1011 in the middle of a segment", "closed", (*SPEECH, Close(1011, "CUDA")),
         reached="audio", say="1011 (internal error)", said="CUDA"),
    _row("tts-half-open", "frozen: no frame, no pong, no answer to a close frame", "no_audio",
         tts=TtsScript(turns=(TtsTurn(segments=((Stall(),),)),), on_client_close=(Stall(),)), longest_s=4.0),
    *(_harmless(f"marker-missing-{n + 1}", f"the marker of the {which} of three segments never comes",
                *((*SPEECH, MARKER) if n != each else SPEECH for each in range(3)), after_segment=(),
                llm=THREE_CHUNKS, outcome="suspect" if n < 2 else "ok", limits={"tts_s": 2.0}, longest_s=5.0,
                say="never marked the end of its audio" if n < 2 else "") for n, which in enumerate(ORDINALS)),
    _harmless("marker-twice", "a marker too many", after_segment=(tts.SEGMENT_COMPLETE, tts.SEGMENT_COMPLETE)),
    _harmless("done-twice", "done twice", on_close=(tts.DONE, tts.DONE)),
    _harmless("contradicting-duration", "a duration that contradicts the bytes", (*SPEECH,), outcome="suspect",
              after_segment=(Json({"type": "segment_complete", "segment": 1, "audio_ms": 5000}),),
              say="sample_rate"),
    _sound("base64", "base64 in binary frames", "text", tts.pcm(base64.b64encode(audio.tone(300)))),
    _sound("json-as-audio", "an error as JSON in a binary frame", "text", (Binary(b'{"error": "CUDA out of memory"}'),),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("page-as-audio", "a page that says what went wrong, as audio", "text",
           tts.pcm(b"<html><body>502 Bad Gateway</body></html>" * 30)),
    _sound("hiss", "hiss at -20 dBFS", "noise", tts.pcm(audio.hiss(1000, -20))),
    _sound("quiet-hiss", "hiss at -60 dBFS, and nothing else", "noise", tts.pcm(audio.hiss(1000, -60)),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("hum", "mains hum", "hum", tts.pcm(audio.hum(1000))),
    _sound("clicks", "a click every 50 ms", "clicks", tts.pcm(audio.clicks(1000)),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("one-sample", "one sample", "too_short", tts.pcm(b"\xb8\x0b"),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _sound("twenty-ms", "20 ms of sound for a text", "too_short", tts.pcm(audio.tone(20))),
    _sound("a-minute", "a minute of sound for two words", "too_long", tts.pcm(audio.tone(60_000), size=10**6)),
    _doubtful("long-for-its-text", "twelve seconds of sound for two words", tts.pcm(audio.tone(12_000), size=10**6),
              say="more than a voice needs"),
    _doubtful("hardly-any-sound", "40 ms of sound for a long word", tts.pcm(audio.tone(40)),
              llm=llm_says(llm.last_chunk(" Incomprehensibilities.")), reached="segment",
              say="less than a voice can do"),
    _doubtful("inaudible", "speech at -60 dBFS", tts.pcm(audio.tone(300, amplitude=40)), say="audible level",
              without=("leading_silence_ms", "combined_ttfa_ms")),
    _doubtful("steady-note", "the same note for four seconds", tts.pcm(audio.tone(4000), size=10**5),
              say="one steady note"),
    _doubtful("stereo", "two channels, read as one", tts.pcm(audio.stereo(audio.tone(300))), say="come in pairs"),
    _doubtful("rf64-header", "the header of an RF64 file in front of the samples",
              (Binary(b"RF64\xff\xff\xff\xffWAVEds64" + bytes(40)), *SPEECH), say="RF64 header"),
    _doubtful("second-header", "the header of another WAV file between the samples",
              (*SPEECH, Binary(b"RIFF\x24\0\0\0WAVEfmt " + bytes(28)), *SPEECH), say="header of another file"),
    _doubtful("wav-trailer", "a WAV file's titles behind the samples",
              (*SPEECH, Binary(b"LIST\x1a\0\0\0INFOISFT\x0e\0\0\0Lavf60.16.100\0")), say="titles"),
    _harmless("no-duration", "a marker without a duration", after_segment=(Json({"type": "segment_complete"}),)),
)  # fmt: skip

ROWS = (*NEWER, *(_older(row) for row in NEWER if row.name in OF_BOTH_GENERATIONS))
