"""Floods of servers that are sent speech: of a person, or of answers that they write down after the runs."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from flood_parts import (
    EVENTS,
    JSON,
    KIB,
    MIB,
    SMALL,
    TONE,
    Flood,
    behind,
    chunks,
    endless,
    frames,
    nested,
    said,
    sse,
)
from floods_of_others import typed

from probe.reference.faults import Chunk, Head, HttpScript, LastChunk, ScriptedHttp, audio, speech, wire
from probe.reference.faults import http2_steps as h2
from probe.reference.faults.connection import Steps
from probe.reference.faults.realtime import COMMITTED, STOPPED, RealtimeScript, ScriptedRealtime, answer
from probe.reference.faults.riva_hearing import Result, RivaHearingScript, ScriptedRivaHearing, response
from probe.reference.faults.wyoming import Event, chunk
from probe.reference.faults.wyoming_hearing import HearingScript, ScriptedHearing

# What is said to them, and a recording of it.
SAID = "Where does Quartermaine live?"
SPEECH = audio.silence(40) + audio.tone(200) + audio.silence(40)
RECORDING = speech.wav_header(audio.RATE, size=len(SPEECH)) + SPEECH
TRANSCRIPTIONS = "/v1/audio/transcriptions"
PLAIN = Head(200, {"Content-Type": "text/plain", "Transfer-Encoding": "chunked"})
WAV = Head(200, {"Content-Type": "audio/wav", "Transfer-Encoding": "chunked"})
TRANSCRIPT = "conversation.item.input_audio_transcription"
BUFFER = "input_audio_buffer"
# More different names than anybody remembers.
NAMES = 300


def spoken_to(protocol: str, steps: Steps, where: str = "answers") -> Flood:
    return Flood(protocol, steps, where=where, hears="speech")


def recogniser(protocol: str, steps: Steps) -> Flood:
    return Flood(protocol, steps, hears="answers")


def piece(text: str) -> bytes:
    return Event("transcript-chunk", {"text": text}).written()


def transcript(data: object) -> bytes:
    return behind("transcript", json.dumps({"text": data}).encode())


def delta_of(text: str) -> bytes:
    return sse(json.dumps({"type": "transcript.text.delta", "delta": text}))


def named(kind: str, size: int) -> Steps:
    """This event about one item after the other, each with a name of so many characters."""
    each = (json.dumps({"type": kind, "item_id": f"{number}{'x' * size}"}).encode() for number in range(NAMES))
    return endless(b"".join(wire.frame(wire.TEXT, event) for event in each))


def both(*kinds: str) -> Steps:
    """These events one after the other, again and again."""
    return endless(b"".join(wire.frame(wire.TEXT, json.dumps({"type": kind}).encode()) for kind in kinds))


def whole(head: Head, body: bytes) -> Steps:
    return head, Chunk(body), LastChunk()


def results(message: bytes) -> Steps:
    """These messages of a Riva server's answer, each behind its head again and again."""
    data = h2.prefixed(message)
    parts = b"".join(h2.frame(h2.DATA, 0, 1, part) for part in audio.frames(data, 2**14))
    return endless(parts)


_OFTEN = b"\x0a\x00" * 30_000
_NUMBERS = (b"\x10" + b"\x80" * 8 + b"\x01") * 6000
_WIDE = f'{{"text": {nested(SMALL, deep=False)}}}'.encode()
ONE_LETTER_WORDS = "x " * (MIB // 2 - 100)
OF_HEARING: Mapping[str, Flood] = {
    "transcripts of 1 MiB": spoken_to("wyoming", endless(transcript(ONE_LETTER_WORDS))),
    "data of a transcript, nested": spoken_to(
        "wyoming", endless(behind("transcript", f'{{"text": {nested(MIB - 20, deep=False)}}}'.encode()))
    ),
    "pieces of a transcript, of one letter": spoken_to("wyoming", endless(piece("x"))),
    "pieces of a transcript, of 1 MiB": spoken_to(
        "wyoming", endless(behind("transcript-chunk", json.dumps({"text": "é " * (MIB // 8)}).encode()))
    ),
    "pieces of a transcript, while one speaks": spoken_to("wyoming", endless(piece("x")), "on_begin"),
    "ends of the speech": spoken_to("wyoming", endless(Event("voice-stopped").written()), "on_silence"),
    "audio from a server that hears": spoken_to("wyoming", endless(chunk((TONE * 64)[: 4 * MIB]).written())),
    "a transcript's line without an end": spoken_to("wyoming", endless(b"x" * SMALL), "on_begin"),
    "a document without an end": spoken_to("openai_transcriptions", (JSON, *chunks(b'{"text": "' + b"x" * SMALL))),
    "a document of bytes": spoken_to("openai_transcriptions", (JSON, *chunks(b"x"))),
    "a document, nested": spoken_to("openai_transcriptions", whole(JSON, _WIDE)),
    "a document of one-letter words": spoken_to(
        "openai_transcriptions", whole(JSON, json.dumps({"text": "x " * (30 * KIB)}).encode())
    ),
    "text without an end": spoken_to("openai_transcriptions", (PLAIN, *chunks("é ".encode() * (20 * KIB)))),
    "a sound file instead of a transcript": spoken_to("openai_transcriptions", (WAV, *chunks((TONE * 16)[:MIB]))),
    "pieces of 60 KiB": spoken_to("openai_transcriptions", (EVENTS, *chunks(delta_of("é" * (SMALL // 6))))),
    "pieces of one letter": spoken_to("openai_transcriptions", (EVENTS, *chunks(delta_of("x") * 64))),
    "pieces of nothing": spoken_to("openai_transcriptions", (EVENTS, *chunks(delta_of("") * 64))),
    "events that are not of a transcript": spoken_to(
        "openai_transcriptions", (EVENTS, *chunks(sse('{"type": "x"}') * 64))
    ),
    "events of a transcript, nested": spoken_to(
        "openai_transcriptions", (EVENTS, *chunks(sse(f'{{"type": {nested(SMALL, deep=False)}}}')))
    ),
    "lines of a transcript without an end": spoken_to("openai_transcriptions", (EVENTS, *chunks(b"x" * SMALL))),
    "results of nothing": spoken_to("riva", results(b"")),
    "interim results": spoken_to("riva", results(response(Result("Where does", final=False)))),
    "interim results, while one speaks": spoken_to(
        "riva", (h2.HEAD, *results(response(Result("Where does", final=False)))), "on_begin"
    ),
    "interim results of 60 KiB": spoken_to("riva", results(response(Result("x " * (30 * KIB - 30), final=False)))),
    "final results of one letter": spoken_to("riva", results(response(Result("x")))),
    "final results of 60 KiB": spoken_to("riva", results(response(Result("x " * (30 * KIB - 30))))),
    "a message of 30,000 results": spoken_to("riva", results(_OFTEN)),
    "a result of 30,000 alternatives": spoken_to("riva", results(h2.message({1: _OFTEN})[5:])),
    "a message of long numbers": spoken_to("riva", results(_NUMBERS)),
    "a result of 1 MiB": spoken_to("riva", results(h2.message({1: b"x" * MIB})[5:])),
    "final results of one who finds the end": spoken_to("riva", results(response(Result(SAID))), "on_silence"),
    "begins and ends of speech": spoken_to(
        "openai_realtime", both(f"{BUFFER}.speech_started", f"{BUFFER}.speech_stopped")
    ),
    "begins of speech, while one speaks": spoken_to("openai_realtime", both(f"{BUFFER}.speech_started"), "on_append"),
    "speech of ever other names": spoken_to("openai_realtime", named(f"{BUFFER}.speech_started", 100)),
    "speech of names of 60 KiB": spoken_to("openai_realtime", named(f"{BUFFER}.speech_started", SMALL), "on_append"),
    "pieces of what was said": spoken_to("openai_realtime", said(f"{TRANSCRIPT}.delta", delta="x")),
    "pieces of what was said, 60 KiB": spoken_to(
        "openai_realtime", said(f"{TRANSCRIPT}.delta", delta="é" * (SMALL // 2))
    ),
    "transcripts of what was said": spoken_to("openai_realtime", said(f"{TRANSCRIPT}.completed", transcript=SAID)),
    "transcripts of what was said, 60 KiB": spoken_to(
        "openai_realtime", said(f"{TRANSCRIPT}.completed", transcript="x " * (SMALL // 2)), "on_silence"
    ),
    "events while one speaks": spoken_to("openai_realtime", said("rate_limits.updated"), "on_append"),
    "events while one speaks, nested": spoken_to("openai_realtime", typed(nested(SMALL, deep=False)), "on_append"),
    "pings while one speaks": spoken_to("openai_realtime", frames(wire.PING, b"x" * 125), "on_append"),
    "responses that begin": spoken_to("openai_realtime", said("response.created", response={"id": "x" * 200})),
    "pieces of an answer that is written down": recogniser("wyoming", endless(piece("x"))),
    "an answer written down in 1 MiB": recogniser("wyoming", endless(transcript(ONE_LETTER_WORDS))),
    "an answer written down without an end": recogniser("openai_transcriptions", (PLAIN, *chunks(b"x " * (20 * KIB)))),
    "an answer written down in results of one letter": recogniser("riva", results(response(Result("x")))),
    "an answer written down in pieces of one letter": recogniser(
        "openai_transcriptions", (EVENTS, *chunks(delta_of("x") * 64))
    ),
}


@asynccontextmanager
async def hearing(flood: Flood) -> AsyncIterator[dict[str, str]]:
    """The server that is spoken to, as the lines of its target's table say where it is."""
    match flood.protocol:
        case "openai_realtime":
            script: dict[str, Any] = {"silence_ms": 100.0, "on_silence": (STOPPED, COMMITTED), "answers": (answer(),)}
            script |= {flood.where: (flood.steps,) if flood.where == "answers" else flood.steps}
            async with ScriptedRealtime(RealtimeScript(**script)) as agent:
                yield {
                    "objective_measure": "voice_to_voice", "agent.protocol": "openai_realtime",
                    "agent.url": agent.url, "agent.endpointing": "server", "agent.transcription_model": "whisper",
                }  # fmt: skip
        case "openai_transcriptions":
            async with ScriptedHttp(HttpScript(answers={TRANSCRIPTIONS: (flood.steps,)})) as uploads:
                yield {"stt.protocol": "openai_transcriptions", "stt.url": uploads.url}
        case protocol:
            finds_end = {"silence_ms": 100.0} if flood.where == "on_silence" else {}
            script = {flood.where: (flood.steps,) if flood.where == "answers" else flood.steps, **finds_end}
            riva = protocol == "riva"
            server = (
                ScriptedRivaHearing(RivaHearingScript(**script)) if riva else ScriptedHearing(HearingScript(**script))
            )
            async with server as stt:
                yield {
                    "stt.protocol": protocol, "stt.url": stt.url,
                    **({"stt.endpointing": "server"} if finds_end else {}),
                }  # fmt: skip


def _scripted(protocol: str, script: Mapping[str, Any]) -> ScriptedHearing | ScriptedRivaHearing:
    if protocol == "riva":
        return ScriptedRivaHearing(RivaHearingScript(**script))
    return ScriptedHearing(HearingScript(**script))
