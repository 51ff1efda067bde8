"""Faults of an agent, behind OpenAI Realtime: one server that thinks and speaks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fault_matrix.row import Row, Stage, Url
from probe.reference.faults import (
    BAD_UTF8,
    ENDLESS_FRAME,
    Binary,
    Close,
    Drop,
    Http,
    Repeat,
    Reset,
    Stall,
    Text,
    Wait,
    audio,
    refusing_port,
    speech,
)
from probe.reference.faults.connection import Steps
from probe.reference.faults.realtime import (
    BETA_SESSION,
    CREATED,
    RATE,
    RATE_LIMITS,
    RealtimeScript,
    ScriptedRealtime,
    all_words,
    answer,
    beta_session,
    done,
    error,
    event,
    failed,
    session,
    sound,
    sound_done,
    sounds,
    words,
)

SAMPLES = speech.samples(400, 0, RATE)
TOLD: Steps = (CREATED, words(" Hello"), words(" there."))
BEGUN: Steps = (*TOLD, *sounds(SAMPLES))
END: Steps = (sound_done(), all_words(" Hello there."), done())

# What an agent that shows no text has not.
UNSEEN = ("llm_ttft_ms", "llm_ttfat_ms", "llm_gen_time_ms", "tts_ttfb_ms")


def serving(script: RealtimeScript) -> Url:
    @asynccontextmanager
    async def serve(_stage: Stage) -> AsyncIterator[str]:
        async with ScriptedRealtime(script) as server:
            yield server.url

    return serve


@asynccontextmanager
async def refusing(_stage: Stage) -> AsyncIterator[str]:
    with refusing_port() as port:
        yield f"ws://127.0.0.1:{port}/v1/realtime"


def _of(name: str, injected: str, reason: str, script: RealtimeScript, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "agent", "stage": "tts", "reached": "nothing", "agent_url": serving(script)}
    return Row(name=f"agent-{name}", injected=injected, reason=reason, **(values | parts))


def _row(name: str, injected: str, reason: str, *answers: Steps, **parts: Any) -> Row:
    return _of(name, injected, reason, RealtimeScript(answers=answers), **({"stage": "llm"} | parts))


def _told(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*TOLD, *steps), **({"stage": "tts", "reached": "first token"} | parts))


def _in_the_middle(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*BEGUN, *steps), **({"stage": "tts", "reached": "audio"} | parts))


def _heard(name: str, injected: str, reason: str, pcm: bytes, **parts: Any) -> Row:
    return _row(name, injected, reason, (*TOLD, sound(pcm), *END), **({"stage": "audio", "reached": "segment"} | parts))


def _harmless(name: str, injected: str, *answers: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *answers, **({"outcome": "ok", "stage": "", "reached": "segment"} | parts))


def _begins(name: str, injected: str, *, greeting: Steps, word: Steps, **parts: Any) -> Row:
    """A session that begins in another way than most."""
    script = RealtimeScript(on_connected=greeting, on_update=word)
    return _of(name, injected, "", script, **({"outcome": "ok", "stage": "", "reached": "segment"} | parts))


ROWS = (
    _of("refused", "nothing listens", "refused", RealtimeScript(), stage="connect", agent_url=refusing,
        say="is the server running?"),
    _of("not-found", "404 instead of a WebSocket", "not_found", RealtimeScript(on_handshake=(Http(404),)),
        stage="connect", say="check the path"),
    _of("unauthorized", "401 instead of a WebSocket", "unauthorized", RealtimeScript(on_handshake=(Http(401),)),
        stage="connect"),
    _of("busy-handshake", "429 instead of a WebSocket", "", RealtimeScript(on_handshake=(Http(429),)), stage="",
        outcome="skipped"),
    _of("session-limit", "all its sessions are taken: an error, and closed behind it", "",
        RealtimeScript(on_connected=(event("error", error={"type": "session_limit_reached", "message": "Only one"}),
                                     Close(1008, "Only one concurrent session"))),
        stage="", outcome="skipped", say="sessions are taken", said="Only one"),
    _of("silent-session", "no word, neither before nor after session.update", "no_stream",
        RealtimeScript(on_connected=(), on_update=(Stall(),)), longest_s=3.0, say="it did not become ready"),
    _of("session-refused", "an error, and no confirmation of the session", "server_error",
        RealtimeScript(on_update=(error("no such voice"),)), longest_s=3.0, say="reported an error",
        said="no such voice"),
    _of("unknown-voice", "an error about the voice of the session", "unknown_voice",
        RealtimeScript(on_update=(error("nobody", param="session.audio.output.voice"),)), longest_s=3.0,
        target='agent.voice = "nobody"', said="nobody"),
    _of("other-audio", "a session with G.711 audio", "wrong_format",
        RealtimeScript(on_update=(session("updated", audio={"output": {"format": {"type": "audio/pcmu"}}}),)),
        say="instead of 16-bit mono PCM"),
    _of("drop-at-once", "closed before a session", "closed", RealtimeScript(on_connected=(Drop(),)),
        say="ended the connection"),
    _row("drop", "closed instead of an answer", "closed", (Drop(),), say="ended the connection"),
    _row("reset", "reset (RST) instead of an answer", "closed", (Reset(),)),
    _row("no-answer", "no answer at all", "timeout", (Stall(),), say="nothing from the agent server"),
    _row("created-only", "a response begins, and nothing comes of it", "timeout", (CREATED, Stall())),
    _row("error", "an error instead of an answer", "server_error", (error("ran out of memory"), Stall()),
         say="reported an error", said="ran out of memory"),
    _row("failed", "a response that failed", "server_error", (CREATED, failed("server_error", "CUDA")), said="CUDA"),
    _row("model-missing", "a response that failed: the model is not there", "not_found",
         (CREATED, failed("model_not_found", "no model"))),
    _row("rate-limited", "a response that failed: too many requests", "", (CREATED, failed("rate_limit_exceeded", "x")),
         stage="", outcome="skipped", say="too many requests"),
    _row("cancelled", "a response that the server itself cancelled", "server_error", (CREATED, done("cancelled")),
         say="cancelled its response by itself"),
    _row("empty", "a response without a word or a sound", "empty_response", (CREATED, done()),
         say="neither a word nor a sound"),
    _row("another-response", "only events of another response", "timeout",
         (CREATED, event("response.output_audio.delta", response_id="other", delta="AAAA"), Stall())),
    _told("stall-after-text", "text, and then silence", "no_audio", Stall(), say="no audio for a text of 12"),
    _told("text-only", "text, the end, and no audio", "missing", done(), stage="audio", reached="text",
          say="sent no audio"),
    _told("failed-after-text", "a response that failed after its text", "server_error", failed("server_error", "CUDA"),
          said="CUDA"),
    _told("ogg", "Opus in Ogg instead of samples", "wrong_format", sound(b"OggS" + SAMPLES), say="Ogg"),
    _told("not-base64", "audio that is no base64", "malformed", event("response.output_audio.delta", delta="?!"),
          say="not base64"),
    _told("no-json", "a frame that is no JSON", "malformed", Text("hello"), say="not JSON", said="hello"),
    _told("binary", "a binary frame", "malformed", Binary(SAMPLES), say="a binary message"),
    _told("bad-utf8", "a text frame that is no UTF-8", "malformed", BAD_UTF8),
    _told("huge-frame", "a frame of a terabyte is announced", "flood", ENDLESS_FRAME),
    _told("huge-text", "an event of more than 64 KiB that is no audio", "flood", words("a" * 70_000),
          say="a piece of text of more than 64 KiB"),
    _told("huge-event", "an event of more than 64 KiB without its audio", "flood", words("a", more="a" * 70_000),
          say="without its audio"),
    _told("endless-text", "text without an end", "flood", Repeat((words(" word"),)), stage="llm", longest_s=5.0,
          say="more than 5000 tokens"),
    _in_the_middle("stall", "silence in the middle of the audio", "timeout", Stall()),
    _in_the_middle("close", "closed in the middle, with a close frame", "closed", Close(1011, "ran out of memory"),
                   said="ran out of memory"),
    _in_the_middle("no-end", "an error in the middle, and no end", "timeout", error("ran out of memory"), Stall(),
                   say="before that: it reported an error", said="ran out of memory"),
    _told("audio-flood", "more audio than anyone would listen to", "flood", Repeat((sound(bytes(2**19)),)),
          reached="silent audio", longest_s=20.0),
    _row("only-signs-of-life", "events that say nothing, and no answer", "run_deadline",
         ((RATE_LIMITS, Wait(0.05)) * 200), limits={"run_s": 1.5}, longest_s=3.0),
    _heard("silence", "nothing but digital silence", "silent", audio.silence(400),
           without=("leading_silence_ms", "combined_ttfa_ms")),
    _heard("odd-bytes", "an odd number of bytes", "odd_bytes", SAMPLES + b"\0"),
    _heard("noise", "full-scale noise", "noise", audio.noise(400)),
    _row("unseen-silence", "nothing but digital silence, and no text", "silent",
         (CREATED, sound(audio.silence(400)), *END[::2]), stage="audio", reached="segment",
         without=("leading_silence_ms", "combined_ttfa_ms", *UNSEEN)),
    _begins("greets-late", "no greeting: it says nothing before session.update", greeting=(),
            word=(session("updated"),), longest_s=3.0),
    _begins("never-confirms", "no confirmation of the session", greeting=(session(),), word=(), longest_s=3.0),
    _begins("complains", "an error about one thing in the session, which is confirmed", greeting=(session(),),
            word=(error("not supported"), session("updated"))),
    _begins("beta", "a session of the dialect of before", greeting=(beta_session(),),
            word=(beta_session("updated", **BETA_SESSION),)),
    _harmless("beta-names", "a response with the names of before", answer(dialect="beta")),
    _harmless("two-turns", "two answers on one connection", answer(), turns=2),
    _harmless("closes-between", "closed after each answer", (*answer(), Drop()), turns=2, longest_s=5.0),
    _harmless("odd-cuts", "samples that are cut in the middle",
              (*TOLD, sound(SAMPLES[:999]), sound(SAMPLES[999:]), *END)),
    _harmless("one-event", "all audio in one event", (*TOLD, sound(SAMPLES * 5), *END)),
    _harmless("limits", "events that nobody needs", (RATE_LIMITS, *BEGUN, event("played"), *END)),
    _harmless("incomplete", "an answer that ran into the limit of its tokens",
              (*BEGUN, sound_done(), done("incomplete", status_details={"reason": "max_output_tokens"}))),
    _harmless("sentences", "text that comes as whole sentences, as speech-to-speech writes it",
              (CREATED, all_words("Hello."), *sounds(SAMPLES), all_words("There you are."), sound_done(), done())),
    _harmless("no-text", "no text at all", (CREATED, *sounds(SAMPLES), sound_done(), done()),
              without=UNSEEN),
    _harmless("late-text", "the text after the sound", (CREATED, *sounds(SAMPLES), all_words("Hello there."), done()),
              without=("tts_ttfb_ms",)),
)  # fmt: skip
