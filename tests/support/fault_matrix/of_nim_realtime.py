"""Faults of the realtime WebSocket of NVIDIA's speech NIM."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fault_matrix.row import Row, Stage, Url
from probe.reference.faults import (
    ENDLESS_FRAME,
    Binary,
    Close,
    Drop,
    Http,
    Json,
    Repeat,
    Reset,
    Stall,
    Text,
    audio,
    refusing_port,
    speech,
)
from probe.reference.faults.connection import Steps
from probe.reference.faults.nim_realtime import (
    COMPLETED,
    RATE,
    NimRealtimeScript,
    ScriptedNimRealtime,
    error,
    sound,
    sounds,
)
from probe.reference.faults.nim_realtime import speech as spoken

SAMPLES = speech.samples(300, 0, RATE)
BEGUN = sounds(SAMPLES)
SPEAKS = 'tts.protocol = "nim_realtime"'


def serving(script: NimRealtimeScript) -> Url:
    @asynccontextmanager
    async def serve(_stage: Stage) -> AsyncIterator[str]:
        async with ScriptedNimRealtime(script) as server:
            yield server.url

    return serve


@asynccontextmanager
async def refusing(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"ws://127.0.0.1:{port}/v1/realtime"


def _of(name: str, injected: str, reason: str, script: NimRealtimeScript, **parts: Any) -> Row:
    values: dict[str, Any] = {
        "where": "TTS, NIM", "stage": "tts", "reached": "text", "target": SPEAKS, "tts_url": serving(script),
    }  # fmt: skip
    return Row(name=f"nim-realtime-{name}", injected=injected, reason=reason, **(values | parts))


def _row(name: str, injected: str, reason: str, *answers: Steps, **parts: Any) -> Row:
    return _of(name, injected, reason, NimRealtimeScript(answers=answers), **parts)


def _in_the_middle(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*BEGUN, *steps), **({"reached": "audio"} | parts))


def _harmless(name: str, injected: str, *answers: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *answers, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


ROWS = (
    _of("refused", "nothing listens", "refused", NimRealtimeScript(), stage="connect", reached="nothing",
        tts_url=refusing, say="is the server running?"),
    _of("not-found", "404 instead of a WebSocket", "not_found", NimRealtimeScript(on_handshake=(Http(404),)),
        stage="connect", reached="nothing", say="check the path"),
    _of("no-greeting", "no word at all", "no_stream", NimRealtimeScript(on_connected=(Stall(),)), reached="nothing",
        say="it did not become ready"),
    _of("not-updated", "no word on who is to speak", "no_stream", NimRealtimeScript(on_update=(Stall(),)),
        reached="nothing", say="it did not become ready"),
    _of("unknown-voice", "an error about the voice", "unknown_voice",
        NimRealtimeScript(on_update=(error("voice nobody not found"),)), reached="nothing", said="nobody",
        target=f'{SPEAKS}\ntts.voice = "nobody"'),
    _row("no-answer", "no answer at all", "no_audio", (Stall(),)),
    _row("drop", "closed instead of an answer", "closed", (Drop(),), say="ended the connection"),
    _row("reset", "a reset (RST) instead of an answer", "closed", (Reset(),)),
    _row("error", "an error instead of audio", "server_error", (error("ran out of memory"), Stall()),
         say="reported an error", said="ran out of memory"),
    _row("empty", "an end without audio", "no_audio", (COMPLETED,), say="no audio for a text"),
    _row("ogg", "Opus in Ogg instead of samples", "wrong_format", (sound(b"OggS" + SAMPLES),), say="Ogg"),
    _row("not-base64", "audio that is no base64", "malformed",
         (Json({"type": "conversation.item.speech.data", "audio": "?!"}), Stall()), say="not base64"),
    _row("no-json", "a frame that is no JSON", "malformed", (Text("hello"), Stall()), say="not JSON", said="hello"),
    _row("binary", "a binary frame", "malformed", (Binary(SAMPLES), Stall()), say="a binary message"),
    _row("huge-frame", "a frame of a terabyte is announced", "flood", (ENDLESS_FRAME,)),
    _row("huge-event", "an event of more than 64 KiB without its audio", "flood",
         (Json({"type": "x", "more": "a" * 70_000}), Stall()), say="without its audio"),
    _in_the_middle("stall", "silence in the middle", "timeout", Stall()),
    _in_the_middle("close", "closed in the middle, with a close frame", "closed", Close(1011, "ran out of memory"),
                   said="ran out of memory"),
    _in_the_middle("error-in-audio", "an error in the middle of the audio", "server_error", error("CUDA"), Stall(),
                   said="CUDA"),
    _row("audio-flood", "more audio than anyone would listen to", "flood", (Repeat((sound(bytes(2**19)),)),),
         reached="silent audio", longest_s=20.0),
    _row("silence", "nothing but digital silence", "silent", (sound(audio.silence(300)), COMPLETED), stage="audio",
         reached="second segment", without=("leading_silence_ms", "combined_ttfa_ms")),
    _row("odd-bytes", "an odd number of bytes", "odd_bytes", (sound(SAMPLES + b"\0"), COMPLETED), stage="audio",
         reached="second segment"),
    _harmless("odd-cuts", "samples that are cut in the middle", (*sounds(SAMPLES, size=999), COMPLETED)),
    _harmless("late-sound", "the first samples after 300 ms", (*sounds(SAMPLES, first=0.3), COMPLETED),
              at_least={"tts_ttfb_ms": 300.0}, longest_s=3.0),
    _harmless("two-turns", "two turns, each on a connection of its own", spoken(), turns=2),
)  # fmt: skip
