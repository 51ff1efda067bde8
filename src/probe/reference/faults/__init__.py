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

Where answers go:

- `Script`, both servers: on_accept, on_handshake, on_connected, on_client_close, on_http.
- `LlmScript`: turns (for each stream, an answer for each of its chunks), on_end, slots, cooldown_s.
  `ScriptedLlm.active_streams` are the streams that hold a slot, on whatever connection they came; a test may add one.
- `TtsScript`: generation, turns of `TtsTurn` (on_init, an answer for each segment, after_segment, on_close), voices,
  target_audio_ms, idle_s.

A server's `script` may be replaced while it runs: new connections follow the new one. A mistake in a script raises when
the server's context ends. `refusing_port()` is a port where nobody answers.
"""

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
    "ENDLESS_FRAME",
    "RESERVED_OPCODE",
    "SSH_BANNER",
    "Binary",
    "Close",
    "Drop",
    "Entry",
    "Http",
    "Json",
    "LlmScript",
    "Log",
    "Raw",
    "Repeat",
    "Reset",
    "Script",
    "ScriptedLlm",
    "ScriptedTts",
    "Stall",
    "Text",
    "TtsScript",
    "TtsTurn",
    "Value",
    "Wait",
    "refusing_port",
]
