"""Faults of an OpenAI-compatible LLM server."""

from typing import Any

from fault_matrix.over_http import ANSWER, CUTS, FIRST, HARMLESS, REFUSALS, serving
from fault_matrix.row import Row
from probe.reference.faults import (
    CHAT,
    ENDLESS_LINE,
    SPEECH,
    Body,
    Chunk,
    Drop,
    Head,
    LastChunk,
    Repeat,
    Reply,
    Stall,
    Wait,
    chat,
    gzipped,
    speech,
)
from probe.reference.faults.connection import Steps

BEGUN: Steps = (chat.HEAD, chat.role(), *chat.tokens(" Good", " morning,"))
SPOKEN: Steps = (chat.HEAD, chat.role(), *chat.tokens(*FIRST, " How"))


def _row(name: str, injected: str, reason: str, answer: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "LLM over HTTP", "stage": "llm", "reached": "nothing"}
    pair = {"llm_url": serving(CHAT, answer), "tts_url": serving(SPEECH, speech.pcm())}
    return Row(name=f"chat-{name}", injected=injected, reason=reason, **(values | pair | parts))


def _harmless(name: str, injected: str, answer: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", answer, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


def _in_the_middle(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*BEGUN, *steps), **({"reached": "first token"} | parts))


def _document(content: str) -> dict[str, object]:
    message = {"role": "assistant", "content": content}
    return {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}


def _data(answer: Steps) -> bytes:
    """The body of a chunked answer."""
    return b"".join(step.data for step in answer if isinstance(step, Chunk))


ROWS = (
    *(_row(each.name, each.injected, each.reason, each.steps, say=each.say, said=each.said) for each in REFUSALS),
    *(_in_the_middle(each.name, each.injected, each.reason, *each.steps, say=each.say) for each in CUTS),
    *(_harmless(each.name, each.injected, (*each.steps, *ANSWER)) for each in HARMLESS),
    _row("http-429", "HTTP 429: too many requests", "", (Reply(429, chat.problem("queue full")),),
         outcome="skipped", stage="", say="HTTP 429", said="queue full"),
    _row("no-headers", "no answer at all", "timeout", (Stall(),)),
    _row("no-body", "a head, and nothing behind it", "timeout", (chat.HEAD, Stall())),
    _row("no-token", "the event before the first token, and nothing behind it", "timeout",
         (chat.HEAD, chat.role(), Stall())),
    _in_the_middle("stall-in-token", "silence in the middle of an event", "timeout",
                   Chunk(b'data: {"choices":[{"delta":{"content":" my'), Stall()),
    _row("html", "a page instead of an answer", "malformed",
         (Reply(200, b"<html>hello", {"Content-Type": "text/html"}),), say="HTTP 200 with HTML",
         said="text/html"),
    _row("wrong-json", "JSON that is not an answer", "malformed", (Reply(200, {"hello": "world"}),), say="not an",
         said="world"),
    _row("json-error", "HTTP 200 with an error", "server_error", (Reply(200, chat.problem("no such model")),),
         say="it reported an error", said="no such model"),
    _row("gzip", "an answer in gzip, which nobody asked for", "malformed",
         gzipped(b"data: [DONE]\n\n", "text/event-stream"), say="packed", said="gzip"),
    _row("endless-line", "a line without an end", "flood", ENDLESS_LINE, say="a line of the answer"),
    _row("comments-only", "signs of life, and no token", "run_deadline",
         (chat.HEAD, *((Chunk(b": keep-alive\n\n"), Wait(0.05)) * 200)), limits={"run_s": 1.5}, longest_s=3.0),
    _row("text-flood", "an answer that is longer than anyone listens to", "flood",
         (chat.HEAD, *(chat.token("na " * 10_000),) * 9), reached="first token", longest_s=5.0, say="characters"),
    _row("token-flood", "more tokens than any answer has", "flood",
         (chat.HEAD, Repeat((Chunk(chat.token("na").data * 500),))), reached="text", longest_s=5.0,
         tts_url=serving(SPEECH, (Stall(),)), say="tokens"),
    _in_the_middle("garbage", "an event that is no JSON", "malformed", Chunk(b"data: hello\n\n"), *chat.END,
                   say="not JSON", said="hello"),
    _in_the_middle("wrong-type-content", "a token whose content is a number", "malformed",
                   chat.delta({"content": 7}), *chat.END),
    _in_the_middle("error-in-stream", "an error inside of the stream, and [DONE] behind it", "server_error",
                   chat.error("out of memory"), *chat.END, say="it reported an error", said="out of memory"),
    _row("error-behind-chunk", "an error while the first chunk is spoken", "server_error",
         (*SPOKEN, Wait(0.05), chat.error("out of memory"), *chat.END), said="out of memory", reached="text",
         say="it reported an error", tts_url=serving(SPEECH, (Stall(),))),
    _in_the_middle("no-finish", "the response ends, the answer does not", "closed", LastChunk(), say="end of its"),
    _in_the_middle("aborted", "finish_reason abort", "server_error", chat.finish("abort"), *chat.END, say="abort"),
    _row("reasoning-only", "reasoning, and no answer", "no_answer",
         (chat.HEAD, chat.role(), chat.reasoning("Let me think."), chat.finish("length"), *chat.END),
         reached="first token", without=("llm_ttfat_ms",), say="1 reasoning token"),
    _row("tool-call", "the model calls a tool", "no_answer",
         (chat.HEAD, chat.delta({"tool_calls": [{"index": 0, "function": {"name": "x", "arguments": ""}}]}),
          chat.finish("tool_calls"), *chat.END), say="tool"),
    _row("empty", "an answer without a token", "empty_response", chat.answer(), reached="text",
         without=("llm_ttft_ms", "llm_ttfat_ms", "tts_wait_ms", "probe_delay_ms")),
    _harmless("reasoning-first", "reasoning before the answer",
              (chat.HEAD, chat.role(), chat.reasoning("Let me think."), *ANSWER[1:])),
    _harmless("reasoning-unopened", "reasoning as answer, whose end alone is marked",
              (chat.HEAD, chat.role(), chat.token("Hm, well"), chat.token("</think>"), *ANSWER[1:])),
    _row("reasoning-spoken", "the same, when some of it has been spoken already", "malformed",
         (*SPOKEN, Wait(0.05), chat.token("</think>"), *ANSWER[1:]), reached="text", say="opens_reasoning",
         tts_url=serving(SPEECH, (Stall(),))),
    _harmless("done-without-finish", "[DONE], and no finish_reason before it",
              (*SPOKEN, *chat.END)),
    _harmless("finish-without-done", "finish_reason, and no [DONE] behind it",
              (*SPOKEN, chat.finish(), LastChunk())),
    _harmless("one-document", "a whole answer in one document",
              (Reply(200, _document(" Good morning.")),), reached="segment"),
    _harmless("bytes", "every byte of the answer in a chunk of its own",
              (chat.HEAD, *(Chunk(bytes([each])) for each in _data(ANSWER)), LastChunk())),
    _harmless("until-close", "an answer that ends with its connection",
              (Head(200, {"Content-Type": "text/event-stream"}), Body(_data(ANSWER)), Drop())),
    _harmless("no-end", "finish_reason, and a response that never ends", (*SPOKEN, chat.finish(), Stall()), turns=2,
              longest_s=6.0),
    _harmless("closes-after-each", "closed after each answer without a word", (*ANSWER, Drop()), turns=2,
              longest_s=4.0),
)  # fmt: skip
