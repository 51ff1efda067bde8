"""Faults of vLLM-Omni's speech WebSocket."""

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
from probe.reference.faults.vllm_speech import (
    DONE,
    RATE,
    ScriptedVllmSpeech,
    VllmSpeechScript,
    end,
    error,
    sounds,
    start,
)
from probe.reference.faults.vllm_speech import speech as spoken

SAMPLES = speech.samples(300, 0, RATE)
BEGUN: Steps = (start(), *sounds(SAMPLES))
SPEAKS = 'tts.protocol = "vllm_speech"'


def serving(script: VllmSpeechScript) -> Url:
    @asynccontextmanager
    async def serve(_stage: Stage) -> AsyncIterator[str]:
        async with ScriptedVllmSpeech(script) as server:
            yield server.url

    return serve


@asynccontextmanager
async def refusing(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"ws://127.0.0.1:{port}/v1/audio/speech/stream"


def _of(name: str, injected: str, reason: str, script: VllmSpeechScript, **parts: Any) -> Row:
    values: dict[str, Any] = {
        "where": "TTS, vLLM-Omni", "stage": "tts", "reached": "text", "target": SPEAKS, "tts_url": serving(script),
    }  # fmt: skip
    return Row(name=f"vllm-{name}", injected=injected, reason=reason, **(values | parts))


def _row(name: str, injected: str, reason: str, *answers: Steps, **parts: Any) -> Row:
    return _of(name, injected, reason, VllmSpeechScript(answers=answers), **parts)


def _in_the_middle(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*BEGUN, *steps), **({"reached": "audio"} | parts))


def _harmless(name: str, injected: str, *answers: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *answers, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


ROWS = (
    _of("refused", "nothing listens", "refused", VllmSpeechScript(), stage="connect", reached="nothing",
        tts_url=refusing, say="is the server running?"),
    _of("not-found", "404: a server without this path", "not_found", VllmSpeechScript(on_handshake=(Http(404),)),
        stage="connect", reached="nothing", say="check the path"),
    _of("config-refused", "an error about the configuration, and closed behind it", "closed",
        VllmSpeechScript(on_config=(error("no such model"), Drop())), said="no such model"),
    _row("no-answer", "no answer at all", "no_audio", (Stall(),)),
    _row("no-audio", "a beginning, and nothing behind it", "no_audio", (start(), Stall())),
    _row("drop", "closed instead of an answer", "closed", (Drop(),), say="ended the connection"),
    _row("reset", "a reset (RST) instead of an answer", "closed", (Reset(),)),
    _row("error", "an error instead of audio", "server_error", (error("ran out of memory"), end(error=True), DONE),
         say="reported an error", said="ran out of memory"),
    _row("unknown-voice", "an error about the voice", "unknown_voice", (error("Voice nobody not found"), DONE),
         target=f'{SPEAKS}\ntts.voice = "nobody"', said="nobody"),
    _row("failed", "audio that failed, without a word why", "server_error", (start(), end(error=True), DONE),
         say="its audio failed"),
    _row("empty", "an end without audio", "no_audio", (start(), end(), DONE), say="no audio for a text"),
    _row("wav", "WAV, though PCM was asked for", "wrong_format", (start(form="wav"),), say="another format"),
    _row("stereo", "audio in stereo", "wrong_format", (start(channels=2),), say="2 channel(s)"),
    _row("no-rate", "audio at 0 Hz", "wrong_format", (start(rate=0),), say="at 0 Hz"),
    _row("no-json", "a frame that is no JSON", "malformed", (Text("hello"), Stall()), say="not JSON", said="hello"),
    _row("no-type", "an event without a type", "malformed", (Json({}), Stall()), say="without a type"),
    _row("huge-frame", "a frame of a terabyte is announced", "flood", (ENDLESS_FRAME,)),
    _in_the_middle("stall", "silence in the middle", "timeout", Stall()),
    _in_the_middle("close", "closed in the middle, with a close frame", "closed", Close(1011, "ran out of memory"),
                   said="ran out of memory"),
    _in_the_middle("no-end", "audio that is done, and no end of the utterance", "timeout", end(), Stall()),
    _row("audio-flood", "more audio than anyone would listen to", "flood", (start(), Repeat((Binary(bytes(2**20)),))),
         reached="silent audio", longest_s=20.0),
    _row("silence", "nothing but digital silence", "silent", (start(), Binary(audio.silence(300)), end(), DONE),
         stage="audio", reached="second segment", without=("leading_silence_ms", "combined_ttfa_ms")),
    _row("odd-bytes", "an odd number of bytes", "odd_bytes", (start(), Binary(SAMPLES + b"\0"), end(), DONE),
         stage="audio", reached="second segment"),
    _harmless("old", "neither a rate nor channels, as older servers write it",
              (start(None, None), *sounds(SAMPLES), end(), DONE)),
    _harmless("sentences", "a text in two sentences", (*BEGUN, end(), *BEGUN, end(), DONE)),
    _harmless("closes-after-each", "closed after each answer", (*spoken(), Drop()), turns=2, longest_s=4.0),
    _harmless("odd-cuts", "samples that are cut in the middle", (start(), *sounds(SAMPLES, size=999), end(), DONE)),
    _harmless("late-sound", "the start at once, the first samples after 300 ms",
              (start(), *sounds(SAMPLES, first=0.3), end(), DONE), at_least={"tts_ttfb_ms": 300.0}, longest_s=3.0),
    _harmless("two-turns", "two turns on one connection", spoken(), turns=2),
)  # fmt: skip
