"""Faults of an STT server that is a Riva server, over gRPC."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fault_matrix.of_stt import FINDS_END, HESITANT, PAUSED, SPEECH, TEXT
from fault_matrix.row import Row, Stage, Url
from probe.reference.faults import Drop, Raw, Repeat, Reset, Stall, Wait, refusing_port
from probe.reference.faults import http2_steps as h2
from probe.reference.faults.connection import Steps
from probe.reference.faults.http2_steps import DATA, GRPC, HEAD, OK, Frame, Headers, refused, status
from probe.reference.faults.riva_hearing import Result, RivaHearingScript, ScriptedRivaHearing, transcript

FINAL = Result(f"{TEXT} ")
SAID: Steps = (FINAL, OK)
PARTIAL = Result("Where does", final=False)
METHOD = "StreamingRecognize"


def serving(*answers: Steps, **script: Any) -> Url:
    """A server with these answers; the last one repeats."""

    @asynccontextmanager
    async def serve(_stage: Stage) -> AsyncIterator[str]:
        given: dict[str, Any] = {"answers": answers} if answers else {}
        async with ScriptedRivaHearing(RivaHearingScript(**given, **script)) as server:
            yield server.url

    return serve


@asynccontextmanager
async def refusing(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"grpc://127.0.0.1:{port}"


def _row(name: str, injected: str, reason: str, *answers: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {
        "where": "STT, Riva", "stage": "stt", "reached": "nothing", "stt_url": serving(*answers),
        "recording": SPEECH, "longest_s": 3.0,
    }  # fmt: skip
    return Row(name=f"stt-riva-{name}", injected=injected, reason=reason, **(values | parts))


def _harmless(name: str, injected: str, *answers: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *answers, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


def _finding(name: str, injected: str, reason: str, *on_silence: Any, **parts: Any) -> Row:
    """A server that finds the end of the speech itself."""
    return _row(name, injected, reason, target=FINDS_END,
                **({"stt_url": serving(silence_ms=200.0, on_silence=on_silence)} | parts))  # fmt: skip


def _status(number: int, name: str, reason: str, words: str = "out of patience") -> Row:
    """A call that ends at once, with a status and its words."""
    return _row(
        f"status-{number}",
        f"status {number} ({name}): {words!r}",
        reason,
        stt_url=serving(on_begin=(refused(number, words),)),
        say=f"{name} from {METHOD}",
        said=words,
    )


ROWS = (
    _row("refused", "nothing listens", "refused", stage="connect", stt_url=refusing, say="is the server running?"),
    _row("no-answer", "no result at all", "timeout", (Stall(),), say="nothing from the STT server"),
    _row("no-head", "not even the head of an answer", "timeout", stt_url=serving((Stall(),), on_begin=())),
    _row("no-room", "it takes 4 KiB of the audio, and no more", "timeout", stt_url=serving(room=4096),
         say="nothing from the STT server"),
    _row("no-end", "the final result, and no end of the call", "timeout", (FINAL, Stall()),
         say="nothing from the STT server"),
    _row("drop", "closed instead of a result", "closed", (Drop(),), say="ended the connection"),
    _row("reset", "a reset (RST) instead of a result", "closed", (Reset(),)),
    _row("drop-in-speech", "closed while the speech is played", "closed",
         stt_url=serving(on_begin=(HEAD, Wait(0.1), Drop()))),
    _row("drop-in-result", "closed in the middle of a result", "closed",
         (Frame(DATA, h2.prefixed(b"\x0a\x10")[:6]), Drop())),
    _row("stream-reset", "the call is reset", "closed", (PARTIAL, h2.RESET_INTERNAL), say="INTERNAL_ERROR"),
    _row("goaway", "the server goes away with an error", "closed", (PARTIAL, h2.goaway(2)), say="goes away"),
    _status(3, "INVALID_ARGUMENT", "server_error", "no model, no voice"),
    _status(5, "NOT_FOUND", "not_found"),
    _status(12, "UNIMPLEMENTED", "not_found"),
    _status(13, "INTERNAL", "server_error"),
    _status(14, "UNAVAILABLE", "unavailable"),
    _status(16, "UNAUTHENTICATED", "unauthorized"),
    _row("loading", "status 14, whose words say that it is loading", "loading",
         stt_url=serving(on_begin=(refused(14, "model is not ready"),)), said="model is not ready"),
    _row("busy", "status 8 (RESOURCE_EXHAUSTED): it has no slot", "", outcome="skipped", stage="",
         stt_url=serving(on_begin=(refused(8, "no slot"),))),
    _row("status-behind", "a status behind the final result", "server_error", (FINAL, status(13, "the decoder died")),
         said="the decoder died"),
    _row("no-status", "the call ends without a status", "malformed", (FINAL, Headers({"x": "y"}, ends=True)),
         say="without the status of its call"),
    _row("page", "a page instead of gRPC", "malformed",
         stt_url=serving(on_begin=(Headers({":status": "200", "content-type": "text/html"}),
                                   Frame(DATA, b"<html>", h2.END_STREAM))),
         say="HTML instead of gRPC"),
    _row("proxy", "HTTP 502 of a proxy", "unavailable",
         stt_url=serving(on_begin=(Headers({":status": "502", **GRPC}, ends=True),)), say="HTTP 502"),
    _row("cut-message", "the call ends within a message", "malformed",
         (Frame(DATA, h2.prefixed(b"\x0a\x10")[:6]), OK), say="within a message"),
    _row("compressed", "a compressed message", "malformed", (Frame(DATA, h2.prefixed(b"x", flag=1)),),
         say="a compressed message"),
    _row("no-protobuf", "a message that is no protobuf", "malformed", (Frame(DATA, h2.prefixed(b"\xff" * 12)),),
         say="a message that is none"),
    _row("no-http2", "a server that speaks no HTTP/2", "malformed",
         stt_url=serving(on_accept=(Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),))),
    _row("huge", "a message of 1 GiB is announced", "flood", (Frame(DATA, b"\0\x40\0\0\0"),),
         say="more than 64 KiB"),
    _row("result-flood", "more results than anyone needs", "flood", longest_s=6.0, say="messages in one answer",
         stt_url=serving((Repeat((Frame(DATA, h2.prefixed(b"") * 1000),)),))),
    _row("empty", "OK, and no result", "no_transcript", (OK,), say="understood nothing"),
    _row("never-final", "results that are never final", "no_transcript", (PARTIAL, OK), say="understood nothing"),
    _row("no-word", "a final result of punctuation", "no_transcript", transcript("..."), say="understood nothing"),
    _row("another-language", "a transcript without a word of what was said", "not_understood",
         transcript("Wo wohnt er denn nun?"), say="none of the 4 words"),
    _row("cut-at-pause", "the probe ends the audio, and the transcript has nothing from a pause on", "ended_early",
         transcript("Where does"), asked=PAUSED, recording=None, say="from a pause of 600 ms on"),
    _row("too-soon", "the call is ended before the end of the speech", "ended_early",
         stt_url=serving(on_begin=(HEAD, Wait(0.2), *SAID)), recording=HESITANT,
         say="transcribed the speech before it was"),
    _row("only-signs-of-life", "interim results, and no end of the call", "run_deadline",
         (PARTIAL, Wait(0.05)) * 200, limits={"run_s": 1.5}, longest_s=4.0),
    _finding("never-ended", "it never finds the end of the speech", "never_ended", stt_url=serving(silence_ms=None),
             say="did not find the end of the speech"),
    _finding("no-room-for-silence", "it takes 4 KiB of the audio, and no more", "never_ended",
             stt_url=serving(silence_ms=200.0, room=4096), say="did not find the end of the speech"),
    _finding("ended-early", "it finds the end of the speech in a pause of a person who thinks", "ended_early", FINAL,
             recording=HESITANT, say="transcribed the speech before it was over"),
    _finding("cut-in-pause", "it takes a pause of 600 ms, written into the text, for the end of the speech",
             "ended_early", Result("Where does"), asked=PAUSED, recording=None, say="ms into a pause of 600 ms"),
    _finding("noise-as-speech", "a transcript of the noise before the speech", "false_trigger",
             stt_url=serving(on_begin=(HEAD, Result("Thank you."))), recording=HESITANT, say="before it had begun"),
    _finding("ends-without-words", "it ends the call itself, without a result", "no_transcript", OK,
             say="understood nothing"),
    _finding("error-in-silence", "an error while it listens to the silence", "server_error",
             status(2, "the model failed"), said="the model failed"),
    _harmless("transcribed", "nothing: the final result after 100 ms", (PARTIAL, Wait(0.1), *SAID)),
    _harmless("parts", "nothing: a final result for each part of the speech",
              (Result("Where does"), Wait(0.05), Result("Quartermaine live?"), OK)),
    _harmless("found-end", "nothing: it finds the end itself", target=FINDS_END,
              stt_url=serving(silence_ms=200.0, on_silence=(PARTIAL, FINAL))),
    _harmless("empty-final", "a final result without a word before the one with all of them", target=FINDS_END,
              stt_url=serving(silence_ms=100.0, on_silence=(Result(""), Wait(0.1), FINAL))),
    _harmless("closes-after-each", "closed after each final result", turns=2, longest_s=5.0, target=FINDS_END,
              stt_url=serving(silence_ms=100.0, on_silence=(FINAL, Drop()))),
    _harmless("never-ends-the-call", "it finds the end, and never ends its call", turns=2, longest_s=5.0,
              target=FINDS_END, stt_url=serving(silence_ms=100.0, on_silence=(FINAL,), on_end=(Stall(),))),
    _harmless("misheard", "a transcript with a wrong word", transcript("Where does quarter main live")),
    _harmless("other-fields", "fields and a stream of HTTP/2 that nobody needs",
              (Frame(DATA, h2.message({2: b"x", 100: b"\x0a\x01x"})), Frame(h2.PING, bytes(8)), *SAID)),
)  # fmt: skip
