"""Faults of a Wyoming server, over plain TCP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fault_matrix.row import Row, Stage, Url
from probe.reference.faults import Drop, HalfClose, Raw, Repeat, Reset, Stall, Wait, audio, refusing_port, speech
from probe.reference.faults.connection import Steps
from probe.reference.faults.wyoming import (
    STOP,
    Event,
    ScriptedWyoming,
    WyomingScript,
    chunk,
    chunks,
    error,
    start,
    streamed,
)
from probe.reference.faults.wyoming import speech as spoken

SAMPLES = speech.samples(300, rate=22_050)
BEGUN: Steps = (start(), *chunks(SAMPLES))
STREAMED = 'tts.mode = "streamed"'
# A text that goes as it comes waits for nothing.
NO_WAIT = ("tts_wait_ms",)


DESCRIBED = WyomingScript().info


def serving(*answers: Steps, info: Steps = DESCRIBED) -> Url:
    """A server with these answers; the last one repeats."""

    @asynccontextmanager
    async def serve(_stage: Stage) -> AsyncIterator[str]:
        async with ScriptedWyoming(WyomingScript(answers=answers, info=info)) as server:
            yield server.url

    return serve


@asynccontextmanager
async def refusing(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"tcp://127.0.0.1:{port}"


def _row(name: str, injected: str, reason: str, *answers: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "TTS, Wyoming", "stage": "tts", "reached": "text", "tts_url": serving(*answers)}
    return Row(name=f"wyoming-{name}", injected=injected, reason=reason, **(values | parts))


def _harmless(name: str, injected: str, *answers: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *answers, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


def _in_the_middle(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*BEGUN, *steps), **({"reached": "audio"} | parts))


def _other_format(name: str, injected: str, say: str, **form: int) -> Row:
    answer: Steps = (start(**form), chunk(SAMPLES, **form), STOP)
    return _row(name, injected, "wrong_format", answer, say=f"{say} instead of 16-bit mono PCM")


def _broken(name: str, injected: str, data: bytes, say: str, said: str = "", reason: str = "malformed") -> Row:
    return _in_the_middle(name, injected, reason, Raw(data), Stall(), say=say, said=said)


def _undescribed(name: str, injected: str, say: str, *info: Any, reason: str = "no_stream") -> Row:
    """Of a server that is to take a stream of text."""
    return _row(
        name, injected, reason, target=STREAMED, reached="nothing", say=say, tts_url=serving(spoken(), info=info)
    )


def _bytes(*events: Event) -> Steps:
    data = b"".join(each.written() for each in events)
    return tuple(Raw(bytes([each])) for each in data)


ROWS = (
    _row("refused", "nothing listens", "refused", stage="connect", reached="nothing", tts_url=refusing,
         say="is the server running?"),
    _row("drop-at-once", "closed instead of an answer, on each connection", "closed", (Drop(),),
         say="ended the connection"),
    _row("reset-at-once", "reset (RST) instead of an answer", "closed", (Reset(),)),
    _row("no-answer", "no answer at all, as while it speaks for another client", "no_audio", (Stall(),)),
    _row("no-audio", "an audio-start, and nothing behind it", "no_audio", (start(), Stall())),
    _row("no-answer-to-second", "the second text gets no answer", "no_audio", spoken(), (Stall(),), reached="segment"),
    _in_the_middle("stall", "silence in the middle", "timeout", Stall()),
    _in_the_middle("stall-in-chunk", "silence in the middle of a chunk", "timeout",
                   Raw(chunk(SAMPLES).written()[:500]), Stall()),
    _in_the_middle("drop", "closed in the middle", "closed", Drop()),
    _in_the_middle("reset", "a reset (RST) in the middle", "closed", Reset()),
    _in_the_middle("half-close", "half closed (FIN) in the middle", "closed", HalfClose()),
    _row("error", "an error instead of an answer, and closed behind it", "server_error",
         (error("ran out of CUDA memory", "RuntimeError"), Drop()), say="reported an error",
         said="RuntimeError: ran out of CUDA memory"),
    _in_the_middle("error-in-audio", "an error in the middle of the audio", "server_error", error("ran out of memory"),
                   Drop(), say="reported an error", said="ran out of memory"),
    _row("unknown-voice", "an error: a voice that it does not have", "unknown_voice",
         (error("nobody", "VoiceNotFoundError"), Drop()), target='tts.voice = "nobody"',
         said="VoiceNotFoundError: nobody"),
    _row("voice-not-listed", "an end without audio, and a voice that it does not list", "unknown_voice", (STOP,),
         target='tts.voice = "nobody"', say="no voice 'nobody' among its 2", said="aria, leo"),
    _row("empty", "an end without a start", "no_audio", (STOP,), say="no audio for a text"),
    _row("start-and-stop", "a start, an end, and no audio between them", "no_audio", (start(), STOP),
         say="no audio for a text"),
    _other_format("stereo", "audio in stereo", "16-bit PCM, 2 channel(s) at 22050 Hz", channels=2),
    _other_format("8-bit", "8-bit audio", "8-bit PCM, 1 channel(s) at 22050 Hz", width=1),
    _other_format("no-rate", "audio at 0 Hz", "16-bit PCM, 1 channel(s) at 0 Hz", rate=0),
    _row("no-format", "a chunk without a start, and without a format", "wrong_format",
         (Event("audio-chunk", {}, SAMPLES), STOP), say="not stated"),
    _in_the_middle("another-rate", "the rate changes within a text", "wrong_format", chunk(SAMPLES, rate=16_000), STOP,
                   say="from 22050 to 16000 Hz"),
    _row("http", "an HTTP server answers", "malformed", (Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Drop()),
         say="not JSON", said="Bad Request"),
    _broken("garbage", "a line that is no JSON", b"hello\n", "not JSON", "hello"),
    _broken("no-object", "a line that is a list", b"[1]\n", "not a JSON object"),
    _broken("no-type", "a line without a type", b'{"data_length": 2}\n{}', "announces no event"),
    _broken("negative-length", "a length below 0", b'{"type": "x", "payload_length": -1}\n', "announces no event"),
    _broken("data-garbage", "data that is no JSON", b'{"type": "audio-chunk", "data_length": 5}\nhello', "not JSON",
            "hello"),
    _broken("huge-data", "data of a terabyte is announced", b'{"type": "info", "data_length": 1000000000}\n',
            "with data of more than", reason="flood"),
    _broken("huge-payload", "a payload of a terabyte is announced",
            b'{"type": "audio-chunk", "payload_length": 1000000000}\n', "a payload of more than", reason="flood"),
    _row("endless-line", "a line without an end", "flood", (Repeat((Raw(b"x" * 4096),)),), say="a line is longer"),
    _row("event-flood", "more events than anyone needs", "flood", (Repeat((Raw(Event("pong").written() * 500),)),),
         longest_s=5.0, say="events on one connection"),
    _row("audio-flood", "more audio than anyone would listen to", "flood",
         (start(), Repeat((chunk(bytes(2**20)),))), reached="silent audio", longest_s=20.0),
    _row("only-signs-of-life", "events that say nothing, and no audio", "run_deadline",
         ((Event("pong"), Wait(0.05)) * 200), limits={"run_s": 1.5}, longest_s=3.0),
    _row("odd-bytes", "an odd number of bytes", "odd_bytes", (start(), chunk(SAMPLES + b"\0"), STOP), stage="audio",
         reached="second segment"),
    _row("silence", "nothing but digital silence", "silent", (start(), chunk(audio.silence(300)), STOP), stage="audio",
         reached="second segment", without=("leading_silence_ms", "combined_ttfa_ms")),
    _row("streamed-stop", "a streamed answer that ends with audio-stop, and never says that it is over", "timeout",
         spoken(), target=STREAMED, reached="audio", without=NO_WAIT),
    _row("streamed-drop", "closed in the middle of a streamed answer", "closed", (*spoken(), Drop()), target=STREAMED,
         reached="audio", without=NO_WAIT),
    _row("streamed-error", "an error in the middle of a streamed answer", "server_error",
         (*spoken(), error("ran out of memory"), Drop()), target=STREAMED, reached="audio", without=NO_WAIT,
         said="ran out of memory"),
    _undescribed("no-streams", "its info says nothing of streams, and the target wants one", "takes no stream of text",
                 Event("info", {"tts": [{"name": "old", "installed": True}]})),
    _undescribed("no-info", "closed instead of an info, and the target wants a stream", "instead of describing itself",
                 Drop()),
    _undescribed("no-info-in-time", "no info, and the target wants a stream", "it did not become ready", Stall()),
    _undescribed("info-garbage", "no JSON instead of an info, and the target wants a stream", "not JSON",
                 Raw(b"hello\n"), reason="malformed"),
    _harmless("bytes", "every byte of the answer in a write of its own", _bytes(start(), chunk(SAMPLES), STOP)),
    _harmless("one-chunk", "all audio in one chunk", (start(), chunk(SAMPLES), STOP)),
    _harmless("inline", "data in the line itself, as older servers write it",
              (Event("audio-start", start().data, inline=True), *chunks(SAMPLES), STOP)),
    _harmless("no-start", "no audio-start: the chunks say the same", (*chunks(SAMPLES), STOP)),
    _harmless("odd-cuts", "samples that are cut in the middle", (start(), *chunks(SAMPLES, size=999), STOP)),
    _harmless("other-rate", "another rate than the usual one", spoken(rate=16_000)),
    _harmless("other-events", "events that nobody needs", (Event("pong"), *BEGUN, Event("played"), STOP)),
    _harmless("late-sound", "the start at once, the first chunk after 300 ms",
              (start(), *chunks(SAMPLES, first=0.3), STOP), at_least={"tts_ttfb_ms": 300.0}, longest_s=3.0),
    _harmless("empty-chunk", "an empty chunk at once, the first samples after 300 ms",
              (start(), chunk(b""), *chunks(SAMPLES, first=0.3), STOP), at_least={"tts_ttfb_ms": 300.0}, longest_s=3.0),
    _harmless("closes-after-each", "closed after each answer without a word", (*spoken(), Drop()), turns=2,
              longest_s=4.0),
    _harmless("sentences", "a streamed answer in two stretches of audio", streamed(spoken(), spoken()),
              target=STREAMED, reached="segment", without=NO_WAIT),
)  # fmt: skip
