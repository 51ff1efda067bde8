"""Faults of the LLM server."""

import json
from typing import Any

from fault_matrix.row import Row, llm_says, tts_says
from probe.reference.faults import (
    BAD_UTF8,
    ENDLESS_FRAME,
    RESERVED_OPCODE,
    Binary,
    Close,
    Drop,
    Json,
    LlmScript,
    Raw,
    Repeat,
    Reset,
    Stall,
    Text,
    Wait,
    llm,
    wire,
)
from probe.reference.faults.connection import Steps

HELLO = llm.tokens(" Hello", " there.")
LAST = llm.last_chunk(" How", " are", " you?")
# What does not exist although an answer's end was reached.
_NO_TOKEN = ("llm_ttft_ms", "llm_ttfat_ms")
_NO_TEXT = (*_NO_TOKEN, "tts_wait_ms", "probe_delay_ms")


def _row(name: str, injected: str, reason: str, *chunks: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "LLM", "stage": "llm", "reached": "nothing", "llm": llm_says(*chunks)}
    return Row(name=name, injected=injected, reason=reason, **(values | parts))


def _harmless(name: str, injected: str, *chunks: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", *chunks, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


def _frame(name: str, injected: str, step: Any, **parts: Any) -> Row:
    """A frame in the middle of a chunk that is not the protocol."""
    values = {"reached": "first token"} | parts
    return _row(name, injected, "malformed", (*llm.tokens(" Hello"), step), **values)


def _too_long(name: str, injected: str, step: Any, say: str) -> Row:
    return _row(name, injected, "flood", (*llm.tokens(" Hello"), step), reached="first token", say=say)


def _closing(code: int, meaning: str) -> Row:
    steps = (*llm.tokens(" Hello"), Close(code, meaning))
    return _row(f"llm-close-{code}", f"close {code} ({meaning}) in the middle", "closed", steps,
                reached="first token", say=str(code))  # fmt: skip


def _token_frame(content: Any) -> Json:
    return Json({"type": "token", "content": content})


ROWS = (
    _row("no-token", "no answer at all", "timeout", (Stall(),)),
    _row("stall-in-generation", "silence after two tokens", "timeout", (*HELLO, Stall()), reached="first token"),
    _row(
        "no-token-in-continuation", "the second chunk never begins", "timeout", llm.chunk(" Hello."), (Stall(),),
        reached="segment",
    ),
    _row(
        "endless-tokens", "tokens for ever", "run_deadline", llm.endless("na ", gap=0.05),
        reached="first token", limits={"run_s": 1.5}, longest_s=3.0,
    ),
    _row(
        "token-flood", "more tokens than any answer has", "flood",
        (Repeat((Raw(wire.frame(wire.TEXT, b'{"type":"token","content":"na"}') * 500),)),),
        reached="first token", longest_s=5.0,
    ),
    _row(
        "byte-flood", "unknown frames, more bytes than any answer has", "flood",
        (Repeat((Raw(wire.frame(wire.TEXT, json.dumps({"type": "x", "pad": "x" * 2**15}).encode()) * 99),)),),
        longest_s=10.0,
    ),
    _frame("llm-garbage", "a text frame that is no JSON", Text("<html>502 Bad Gateway</html>"), say="not JSON",
           said="502 Bad Gateway"),
    _frame("truncated-json", "JSON that was cut", Text('{"type": "token", "content": " the')),
    _frame("json-array", "JSON, and no object", Json([1, 2]), say="not a JSON object", said="[1,"),
    _frame("nested-json", "JSON nested 60,000 deep", Text("[" * 60_000)),
    _frame("wrong-type-content", "a token whose content is a number", _token_frame(7)),
    _frame("null-content", "a token whose content is null", _token_frame(None)),
    _frame("llm-binary", "a binary frame", Binary(b"\x00\x01")),
    _frame("bad-utf8", "text that is no UTF-8", BAD_UTF8),
    _frame("reserved-opcode", "a frame that WebSocket does not know", RESERVED_OPCODE),
    _too_long("endless-frame", "the header of a frame of a terabyte", ENDLESS_FRAME, say="more than 4 MiB"),
    _too_long("huge-frame", "a frame of 5 MiB", Raw(wire.frame(wire.TEXT, bytes(5 * 2**20))), say="more than 4 MiB"),
    _too_long("long-message", "a token of 70 kB", _token_frame("x" * 70_000), say="more than 64 KiB"),
    _too_long("long-error", "an error of 1 MB", Json({"error": "x" * 10**6}), say="more than 64 KiB"),
    _too_long("wide-json", "1 MB of empty lists", Json({"type": "x", "y": [[]] * 300_000}), say="more than 64 KiB"),
    _row(
        "text-flood", "tokens of 60 kB each, more text than any chunk has", "flood", (_token_frame("x" * 60_000),) * 3,
        reached="first token", say="65536 characters",
    ),
    _row("error-frame", "an error with a type", "server_error",
         (Json({"type": "error", "message": "context too long"}),), say="it reported an error",
         said="context too long"),
    _row("error-without-type", "an error without a type", "server_error",
         (llm.error("context too long"),), say="it reported an error", said="context too long"),
    _row("error-object", "an error that is an object", "server_error",
         (Json({"error": {"code": 500, "message": "kaput"}}),), say="it reported an error", said="kaput"),
    _row("error-in-generation", "an error after two tokens", "server_error",
         (*HELLO, llm.error("out of memory")), say="it reported an error", said="out of memory",
         reached="first token"),
    _row("stream-not-found", "the stream is unknown at the continuation", "server_error",
         llm.chunk(" Hello."), (llm.error("Stream not found"),), say="it reported an error",
         said="Stream not found", reached="segment"),
    _row(
        "other-stream", "tokens of another stream only", "timeout",
        (Repeat((Json({"stream_id": "other", "type": "token", "content": "x"}),), 3), Stall()),
    ),
    _row("no-slot", "all slots are taken", "", outcome="skipped", stage="", llm=LlmScript(slots=0),
         say="all its slots are taken", said="No slots available"),
    _row("empty-response", "the model says nothing", "empty_response", (llm.done(reason="empty_response"),),
         reached="text", without=_NO_TEXT),
    _row("eos-at-once", "done with an empty text", "empty_response", (llm.done(),),
         reached="text", without=_NO_TEXT),
    _row("white-space", "nothing but white space", "empty_response", llm.last_chunk(" \n", "\n"), reached="text",
         without=("tts_wait_ms", "probe_delay_ms")),
    _row("markup", "nothing but markup", "empty_response", llm.last_chunk("</think>"), reached="text",
         without=("tts_wait_ms", "probe_delay_ms"), say="no word to speak"),
    _row("dead-backend", "llama.cpp has died", "connection_error", (llm.done(reason="connection_error"),),
         reached="text", without=_NO_TEXT, say="is its model up?"),
    _row("paused-for-ever", "paused again and again without a word", "no_progress",
         *((llm.paused("", reason="max_tokens"),),) * 30, reached="text", without=_NO_TEXT),
    _row("talks-for-ever", "one chunk after the other", "run_deadline", *(llm.chunk(" Hello.", first=0.02),) * 500,
         or_stage="tts", reached="second segment", limits={"run_s": 2.0}, longest_s=4.0),
    _row("late-start", "the answer begins after the deadline", "timeout", llm.last_chunk(" Hello.", first=30.0),
         longest_s=3.0),
    _frame("masked-frame", "a frame that is masked, as a client's are", Raw(b"\x81\x82\0\0\0\0{}")),
    _frame("reserved-bit", "a compressed frame, and compression was never agreed on", Raw(b"\xc1\x02{}")),
    _frame("lone-continuation", "the rest of a message that never began", Raw(wire.frame(wire.CONTINUATION, b"{}"))),
    _frame("two-messages-at-once", "a message begins in the middle of another", Raw(b"\x01\x01{" + b"\x81\x02{}")),
    _frame("long-ping", "a ping that is too long", Raw(wire.frame(wire.PING, bytes(126)))),
    _frame("close-code-1005", "a close code that nobody may send", Raw(wire.frame(wire.CLOSE, b"\x03\xed"))),
    _frame("close-bad-utf8", "a close reason that is no UTF-8", Raw(wire.frame(wire.CLOSE, b"\x03\xe8\xff"))),
    _row("close-reason-lines", "a close reason of two lines", "closed", (*HELLO, Close(1011, "CUDA\r\n\x1b[2Jlost")),
         reached="first token", say="close frame 1011 (internal error)", said="CUDA [2Jlost"),
    _row("ping-flood", "empty pings, more than anyone counts", "flood",
         (Repeat((Raw(wire.frame(wire.PING, b"") * 4000),)),), longest_s=10.0),
    _row("no-slot-in-continuation", "no slot for a stream that has one", "server_error",
         llm.chunk(" Hello."), (llm.error("No slots available (max 1)"),), say="slots are taken", said="No slots",
         reached="segment"),
    _row("slot-of-turn-before", "the slot of the first turn is not released", "server_error", turns=2,
         llm=LlmScript(on_end=()), slot_kept=True, longest_s=6.0, reached="second segment",
         say="not released the slot of turn 1", said="No slots available"),
    _harmless("answer-before-question", "a whole answer before anything was asked for",
              llm=LlmScript(on_connected=(*llm.chunk(" Early."), *llm.last_chunk(" birds.")))),
    _harmless("one-segment", "a chunk's frames in one piece",
              (Raw(wire.frame(wire.TEXT, b'{"type":"token","content":" Hello."}')
                   + wire.frame(wire.TEXT, b'{"type":"paused","reason":"eos","text":" Hello."}')),), LAST),
    _harmless("uncountable", "a count of 26 digits, and a time before the start",
              (Json({"type": "done", "text": " Hello there.", "tokens": 10**25, "ttft_ms": -5}),),
              reached="segment", without=_NO_TOKEN),
    _harmless("tokens-after-done", "tokens after done", (*llm.last_chunk(" Hello."), *HELLO), reached="segment"),
    _harmless("two-dones", "done twice", (*llm.last_chunk(" Hello."), llm.done()), reached="segment"),
    _harmless("two-pauses", "paused twice", (*llm.chunk(" Hello."), llm.paused("")), LAST,
              reached="second segment"),
    _harmless("text-without-tokens", "a text, and no token before it", (llm.done(" Hello there."),),
              reached="segment", without=_NO_TOKEN),
    _harmless("buffered-reply", "one reply without tokens", (llm.buffered(" Hello there."),),
              reached="segment", without=_NO_TOKEN),
    _harmless("wrong-type-figures", "a count and a time that are texts",
              (*HELLO, Json({"type": "done", "reason": 5, "text": " Hello there.", "tokens": "two", "ttft_ms": "x"})),
              reached="segment"),
    _harmless("text-left-out", "paused without its text", (*HELLO, Json({"type": "paused", "reason": "max_tokens"})),
              LAST),
    _harmless("unknown-frames", "frames that nobody knows", (Json({"type": "weather"}), *llm.chunk(" Hello.")), LAST),
    _harmless("half-a-character", "a token with half a character",
              (Text(r'{"type": "token", "content": " Hello \ud83d"}'), *llm.chunk(" there.")), LAST),
    _harmless("spoken-thinking", "a model whose thinking is part of its answer",
              llm.chunk("<think>", " A joke.", "</think>"), LAST, outcome="suspect", say="the model's thinking"),
    _harmless("spoken-chat-markup", "the marks of the chat's template in the answer",
              llm.chunk(" Hello.", "<|im_end|>"), LAST, outcome="suspect", say="chat markup"),
    _harmless("spoken-tool-call", "a tool call as the answer's text",
              llm.chunk('{"name": "weather", "arguments": {}}'), LAST, outcome="suspect", say="a tool call"),
    _harmless("spoken-markdown", "markdown in the answer", llm.chunk(" **Hello**."), LAST, outcome="suspect",
              say="markdown"),
    _harmless("pings", "the server pings", (Raw(wire.frame(wire.PING, b"hi")), *llm.chunk(" Hello.")), LAST),
    _harmless("fragments", "a token in two fragments",
              (Raw(b"\x01\x10" + b'{"type":"token",'), Wait(0.01), Raw(b"\x80\x0f" + b'"content":"Hi"}'),
               *llm.chunk(" there.")), LAST),
    _closing(1000, "normal"),
    _closing(1001, "going away"),
    _closing(1008, "policy"),
    _closing(1011, "internal error"),
    _row("llm-close-1006", "the connection ends without a close frame", "closed", (*HELLO, Drop()),
         reached="first token", say="without a close frame"),
    _row("llm-reset", "a reset (RST) in the middle", "closed", (*HELLO, Reset()), reached="first token"),
    _row("llm-drop-at-once", "closed right after the handshake", "closed",
         llm=LlmScript(on_connected=(Drop(),))),
    _row("llm-drop-while-speaking", "closed while the TTS server speaks", "closed",
         (*llm.chunk(" Hello."), Wait(0.05), Drop()), LAST, reached="text",
         tts=tts_says((Stall(),))),
    _row("llm-half-open", "frozen: no frame, no pong, no answer to a close frame", "timeout",
         llm=LlmScript(turns=(((*HELLO, Stall()),),), on_client_close=(Stall(),)),
         reached="first token", longest_s=4.0),
    _harmless("close-after-done", "closed as soon as the answer is done", (*llm.last_chunk(" Hello."), Drop()),
              reached="segment"),
    _harmless("end-ignored", "end_stream is not answered, and frees nothing",
              llm=LlmScript(on_end=()), slot_kept=True, longest_s=5.0, limits={"release_s": 1.0}),
    _harmless("end-answered-late", "end_stream is answered after 300 ms",
              llm=LlmScript(on_end=(Wait(0.3), llm.ENDED))),
)  # fmt: skip
