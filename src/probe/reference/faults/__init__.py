"""Scripted servers: they do exactly what a script says, right or wrong, and log the truth about it.

A script is data. A step is one thing that a server does (`Wait`, `Json`, `Binary`, `Raw`, `Drop`, `Stall`, ...), a
tuple of steps is an answer, and the modules `llm` and `tts` have constructors for the common answers:

    from probe.reference.faults import Drop, LlmScript, ScriptedLlm, llm

    turn = (llm.chunk(" Hello", " there.", first=0.2), (*llm.tokens(" I"), Drop()))
    async with ScriptedLlm(LlmScript(turns=(turn,))) as server:
        ...  # a client talks to server.url, "ws://127.0.0.1:<free port>/ws"; server.http_url is the same for HTTP
    server.log.sent("text")      # every text frame with `data` and `at_ns`: time.monotonic_ns() just before its write
    server.log.received("text")  # every text frame that came, stamped when it was read
    await server.log.until(lambda entry: entry.kind == "lost")  # wait for something to happen, with a deadline

The same over HTTP/1.1: the steps `Head`, `Chunk`, `LastChunk`, `Body`, `Reply`, and answers in `chat`, `ollama` and
`speech`:

    slow = speech.wav(500, first=0.3, gap=0.02)
    broken = (chat.HEAD, chat.role(), *chat.tokens(" I", gap=0.1), Reset())
    async with ScriptedHttp(HttpScript(answers={SPEECH: (slow,), CHAT: (broken, chat.answer(" Hello."))})) as server:
        ...  # a client talks to server.url, "http://127.0.0.1:<free port>/v1"
    server.log.sent("chunk")     # every chunk of a body, without its framing; `head` and `body` are the others
    server.log.received("http")  # the head of every request; `body` is what came with it, and has its `json`

Where answers go:

- `Script`, both WebSocket servers: on_accept, on_handshake, on_connected, on_client_close, on_http.
- `HttpScript`: on_accept, and answers by path, one for each request. `ScriptedHttp.answering` counts those that go on.
- `LlmScript`: turns (for each stream, an answer for each of its chunks), on_end, slots, cooldown_s.
  `ScriptedLlm.active_streams` are the streams that hold a slot, on whatever connection they came; a test may add one.
- `TtsScript`: generation, turns of `TtsTurn` (on_init, an answer for each segment, after_segment, on_close), voices,
  target_audio_ms, idle_s.

A server's `script` may be replaced while it runs: new connections follow the new one. A mistake in a script raises when
the server's context ends. `refusing_port()` is a port where nobody answers.
"""

from probe.reference.faults.http_server import CHAT, SPEECH, HttpScript, ScriptedHttp
from probe.reference.faults.http_steps import (
    CONTINUE,
    ENDLESS_CHUNK,
    ENDLESS_HEADER,
    ENDLESS_HEADERS,
    ENDLESS_LINE,
    HEADERS_OF_NOTHING,
    NO_CHUNK_SIZE,
    OVERFULL_CHUNK,
    Body,
    Chunk,
    HalfClose,
    Head,
    LastChunk,
    Reply,
    gzipped,
    redirect,
)
from probe.reference.faults.llm import LlmScript, ScriptedLlm
from probe.reference.faults.log import Entry, Log
from probe.reference.faults.server import Script, refusing_port
from probe.reference.faults.steps import (
    BAD_UTF8,
    ENDLESS_FRAME,
    RESERVED_OPCODE,
    SSH_BANNER,
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
    Value,
    Wait,
)
from probe.reference.faults.tts import ScriptedTts, TtsScript, TtsTurn

__all__ = [
    "BAD_UTF8",
    "CHAT",
    "CONTINUE",
    "ENDLESS_CHUNK",
    "ENDLESS_FRAME",
    "ENDLESS_HEADER",
    "ENDLESS_HEADERS",
    "ENDLESS_LINE",
    "HEADERS_OF_NOTHING",
    "NO_CHUNK_SIZE",
    "OVERFULL_CHUNK",
    "RESERVED_OPCODE",
    "SPEECH",
    "SSH_BANNER",
    "Binary",
    "Body",
    "Chunk",
    "Close",
    "Drop",
    "Entry",
    "HalfClose",
    "Head",
    "Http",
    "HttpScript",
    "Json",
    "LastChunk",
    "LlmScript",
    "Log",
    "Raw",
    "Repeat",
    "Reply",
    "Reset",
    "Script",
    "ScriptedHttp",
    "ScriptedLlm",
    "ScriptedTts",
    "Stall",
    "Text",
    "TtsScript",
    "TtsTurn",
    "Value",
    "Wait",
    "gzipped",
    "redirect",
    "refusing_port",
]
