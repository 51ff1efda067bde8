"""Faults of an STT server that speaks Wyoming, and of the recording that is played to it."""

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fault_matrix.row import Row, Stage, Url
from probe.reference.faults import (
    Chunk,
    Drop,
    HttpScript,
    LastChunk,
    Raw,
    Repeat,
    Reply,
    Reset,
    ScriptedHttp,
    Stall,
    Wait,
    audio,
    refusing_port,
    speech,
)
from probe.reference.faults.connection import Steps
from probe.reference.faults.wyoming import Event, error
from probe.reference.faults.wyoming_hearing import STOPPED, HearingScript, ScriptedHearing, transcript

RATE = audio.RATE
TRANSCRIPTIONS = "/v1/audio/transcriptions"
SAID = transcript("Where does Quartermaine live?")
# It finds the end of the speech itself.
FINDS_END = 'stt.endpointing = "server"'


def recorded(pcm: bytes) -> bytes:
    """A WAV file."""
    return speech.wav_header(RATE, size=len(pcm)) + pcm


SPEECH = recorded(audio.silence(40) + audio.tone(200) + audio.silence(40))
# The same person, with the pause in the text, and the speech made by TTS.
PAUSED = "Where does [pause 600ms] Quartermaine live?"
# As a person who thinks in the middle of a sentence.
HESITANT = recorded(audio.tone(150) + audio.silence(400) + audio.tone(150))


def serving(*answers: Steps, **script: Any) -> Url:
    """A server with these answers; the last one repeats."""

    @asynccontextmanager
    async def serve(_stage: Stage) -> AsyncIterator[str]:
        given: dict[str, Any] = {"answers": answers} if answers else {}
        async with ScriptedHearing(HearingScript(**given, **script)) as server:
            yield server.url

    return serve


@asynccontextmanager
async def refusing(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"tcp://127.0.0.1:{port}"


def _row(name: str, injected: str, reason: str, *answers: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {
        "where": "STT, Wyoming", "stage": "stt", "reached": "nothing", "stt_url": serving(*answers),
        "recording": SPEECH, "longest_s": 3.0,
    }  # fmt: skip
    return Row(name=f"stt-{name}", injected=injected, reason=reason, **(values | parts))


def _harmless(name: str, injected: str, *answers: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *answers, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


def _unplayable(name: str, injected: str, recording: bytes, say: str) -> Row:
    return _row(name, injected, "user_audio", (SAID,), stage="internal", recording=recording, say=say)


def uploading(*steps: Any) -> Url:
    """A server of `/v1/audio/transcriptions` that answers so."""

    @asynccontextmanager
    async def serve(_stage: Stage) -> AsyncIterator[str]:
        async with ScriptedHttp(HttpScript(answers={TRANSCRIPTIONS: (steps,)})) as server:
            yield server.url

    return serve


def _upload(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(f"http-{name}", injected, reason, **({"where": "STT over HTTP", "stt_url": uploading(*steps)} | parts))


def _uploaded(name: str, injected: str, *steps: Any, **parts: Any) -> Row:
    good: dict[str, Any] = {"outcome": "ok", "stage": "", "reached": "second segment"}
    return _upload(name, injected, "", *steps, **(good | parts))


def event(kind: str, **fields: str) -> Chunk:
    """One of a streamed transcript."""
    return Chunk(b"data: " + json.dumps({"type": kind, **fields}).encode() + b"\n\n")


EVENTS = speech.head("text/event-stream")
TEXT = "Where does Quartermaine live?"
STREAMS = "stt.stream = true"

ROWS = (
    _row("refused", "nothing listens", "refused", stage="connect", stt_url=refusing, say="is the server running?"),
    _row("no-answer", "no transcript at all", "timeout", (Stall(),), say="nothing from the STT server"),
    _row("drop", "closed instead of a transcript", "closed", (Drop(),), say="ended the connection"),
    _row("reset", "a reset (RST) instead of a transcript", "closed", (Reset(),)),
    _row("drop-in-speech", "closed while the speech is played", "closed",
         stt_url=serving(on_begin=(Wait(0.1), Drop()))),
    _row("error", "an error instead of a transcript", "server_error",
         (error("ran out of CUDA memory", "RuntimeError"),), say="reported an error",
         said="RuntimeError: ran out of CUDA memory"),
    _row("empty", "an empty transcript", "no_transcript", (transcript(" "),), say="understood nothing"),
    _row("no-word", "a transcript of punctuation", "no_transcript", (transcript("..."),), say="understood nothing"),
    _row("another-language", "a transcript without a word of what was said", "not_understood",
         (transcript("Wo wohnt er denn nun?"),), say="none of the 4 words"),
    _row("never-ended", "it never finds the end of the speech", "never_ended", stt_url=serving(silence_ms=None),
         target=FINDS_END, say="did not find the end of the speech"),
    _row("ended-early", "it finds the end of the speech in a pause of a person who thinks", "ended_early",
         (SAID,), stt_url=serving((SAID,), silence_ms=200.0), recording=HESITANT, target=FINDS_END,
         say="took the speech for finished before it was over"),
    _row("cut-in-pause", "it takes a pause of 600 ms, written into the text, for the end of the speech", "ended_early",
         stt_url=serving((SAID,), silence_ms=200.0), asked=PAUSED, recording=None, target=FINDS_END,
         say="ms into a pause of 600 ms"),
    _row("cut-at-pause", "the probe ends the audio, and the transcript has nothing from a pause on", "ended_early",
         (transcript("Where does"),), asked=PAUSED, recording=None, say="from a pause of 600 ms on"),
    _row("first-words", "a transcript that has only the first words", "ended_early",
         stt_url=serving((transcript("Where does"),), silence_ms=100.0), target=FINDS_END,
         say="the last 2 are missing"),
    _row("too-soon", "a transcript before the end of the speech", "ended_early",
         stt_url=serving(on_begin=(Wait(0.2), SAID)), recording=HESITANT, say="transcribed the speech before it was"),
    _row("noise-as-speech", "it takes the noise before the speech for all of it", "false_trigger",
         stt_url=serving(on_begin=(STOPPED, SAID)), recording=HESITANT, target=FINDS_END,
         say="before it had begun"),
    _row("transcript-of-noise", "a transcript of the noise before the speech", "false_trigger",
         stt_url=serving(on_begin=(transcript("Thank you."),)), say="before it had begun"),
    _row("garbage", "a line that is no JSON", "malformed", (Raw(b"hello\n"),), say="not JSON", said="hello"),
    _row("no-text", "a transcript without a text", "malformed", (Event("transcript", {"text": 7}),),
         say="without a text"),
    _row("huge", "a transcript of a gigabyte is announced", "flood",
         (Raw(b'{"type": "transcript", "data_length": 1000000000}\n'),), say="with data of more than"),
    _row("event-flood", "more events than anyone needs", "flood", (Repeat((Raw(Event("pong").written() * 500),)),),
         longest_s=6.0, say="events on one connection"),
    _row("only-signs-of-life", "events that say nothing, and no transcript", "run_deadline",
         ((Event("pong"), Wait(0.05)) * 200), limits={"run_s": 1.5}, longest_s=4.0),
    _unplayable("no-wav", "the recording is no WAV file", b"ID3\x04" + bytes(100), "not a WAV file"),
    _unplayable("cut-wav", "the recording ends in its header", SPEECH[:30], "without a format"),
    _unplayable("silent", "the recording is silent", recorded(audio.silence(300)), "nothing in it can be heard"),
    _unplayable("hiss", "the recording is quiet hiss", recorded(audio.hiss(300, -60)), "nothing in it can be heard"),
    _unplayable("odd-wav", "the recording is of a format that nobody has",
                SPEECH[:20] + struct.pack("<H", 85) + SPEECH[22:],
                "a kind that is not read"),
    _upload("no-answer", "no answer to the upload", "timeout", Stall(), say="nothing from the STT server"),
    _upload("drop", "closed instead of an answer, on each connection", "closed", Drop()),
    _upload("error", "an error (500)", "server_error", Reply(500, {"error": {"message": "CUDA is out of memory"}}),
            say="HTTP 500 for /v1/audio/transcriptions", said="CUDA is out of memory"),
    _upload("not-found", "no such path (404)", "not_found", Reply(404, {"detail": "Not Found"})),
    _upload("unauthorized", "it wants credentials (401)", "unauthorized", Reply(401, {"error": "no key given"}),
            say="no credentials were sent"),
    _upload("busy", "too many requests (429)", "", Reply(429, {"error": "too many"}), outcome="skipped", stage=""),
    _upload("error-document", "an error in an answer that says 200", "server_error",
            Reply(200, {"error": {"message": "the decoder has no weights"}}), said="the decoder has no weights"),
    _upload("page", "a page instead of a transcript", "malformed",
            Reply(200, b"<html>", {"Content-Type": "text/html"}), say="HTML instead of a transcript"),
    _upload("no-text", "JSON without a text", "malformed", Reply(200, {"task": "transcribe"}),
            say="without a text"),
    _upload("empty", "an empty transcript", "no_transcript", Reply(200, {"text": ""})),
    _upload("cut-at-pause", "a transcript that has nothing from a pause on", "ended_early",
            Reply(200, {"text": "Where does"}), asked=PAUSED, recording=None, say="from a pause of 600 ms on"),
    _upload("another-language", "a transcript without a word of what was said", "not_understood",
            Reply(200, {"text": "Wo wohnt er denn nun?"}), say="none of the 4 words"),
    _upload("flood", "a transcript without an end", "flood", EVENTS,
            Repeat((event("transcript.text.delta", delta="x" * 2000),)), target=STREAMS),
    _upload("cut-stream", "closed in the middle of a streamed transcript", "closed", EVENTS,
            event("transcript.text.delta", delta="Where"), Drop(), target=STREAMS),
    _upload("error-in-stream", "an error in the middle of a streamed transcript", "server_error", EVENTS,
            event("transcript.text.delta", delta="Where"), event("error", error="the decoder died"), LastChunk(),
            target=STREAMS, said="the decoder died"),
    _uploaded("transcribed", "nothing: the transcript after 100 ms", Wait(0.1), Reply(200, {"text": TEXT})),
    _uploaded("plain", "plain text instead of JSON", Reply(200, TEXT.encode())),
    _uploaded("streamed", "a streamed transcript", EVENTS, event("transcript.text.delta", delta="Where does "),
              event("transcript.text.done", text=TEXT), Chunk(b"data: [DONE]\n\n"), LastChunk(), target=STREAMS),
    _uploaded("no-done", "a streamed transcript that ends without a word", EVENTS,
              event("transcript.text.delta", delta=TEXT), LastChunk(), target=STREAMS),
    _harmless("transcribed", "nothing: the transcript after 100 ms", (Wait(0.1), SAID)),
    _harmless("found-end", "nothing: it finds the end itself, and says so", stt_url=serving((SAID,), silence_ms=200.0),
              target=FINDS_END),
    _harmless("no-word-of-the-end", "the transcript, and no word of the end of the speech", target=FINDS_END,
              stt_url=serving(silence_ms=200.0, on_silence=(SAID,))),
    _harmless("misheard", "a transcript with a wrong word", (transcript("Where does quarter main live"),)),
    _harmless("closes-after-each", "closed after each transcript", (SAID, Drop()), turns=2, longest_s=5.0),
    _harmless("streamed", "a transcript in pieces before the whole one",
              (Event("transcript-start"), Event("transcript-chunk", {"text": "Where"}), SAID)),
    _harmless("other-events", "events that nobody needs, and voice-stopped although it was not asked to find the end",
              (Event("voice-started"), STOPPED, Event("pong"), SAID)),
)  # fmt: skip
