"""Faults of an Ollama server, on its own API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fault_matrix.over_http import CUTS, FIRST, HARMLESS, REFUSALS
from fault_matrix.row import Row, Stage, Url
from probe.reference.faults import (
    Body,
    Chunk,
    Drop,
    Head,
    HttpScript,
    LastChunk,
    Repeat,
    Reply,
    ScriptedHttp,
    Stall,
    Wait,
    ollama,
)
from probe.reference.faults.connection import Steps

ANSWER = ollama.answer(*FIRST, " How", " are", " you?")
BEGUN: Steps = (ollama.HEAD, *ollama.tokens(" Good", " morning,"))
SPOKEN: Steps = (ollama.HEAD, *ollama.tokens(*FIRST, " How"))
END: Steps = (ollama.last(11), LastChunk())


def serving(*answers: Steps) -> Url:
    """A server with these answers; the last one repeats."""

    @asynccontextmanager
    async def serve(stage: Stage) -> AsyncIterator[str]:
        async with ScriptedHttp(HttpScript(answers={**ollama.PAGES, ollama.CHAT: answers})) as server:
            stage.http.append(server)
            yield server.http_url

    return serve


def _row(name: str, injected: str, reason: str, answer: Steps, **parts: Any) -> Row:
    values: dict[str, Any] = {"where": "LLM, Ollama", "stage": "llm", "reached": "nothing"}
    values |= {"llm_url": serving(answer), "target": f'llm.protocol = "ollama"\nllm.model = "{ollama.MODEL}"'}
    return Row(name=f"ollama-{name}", injected=injected, reason=reason, **(values | parts))


def _harmless(name: str, injected: str, answer: Steps, **parts: Any) -> Row:
    return _row(name, injected, "", answer, **({"outcome": "ok", "stage": "", "reached": "second segment"} | parts))


def _in_the_middle(name: str, injected: str, reason: str, *steps: Any, **parts: Any) -> Row:
    return _row(name, injected, reason, (*BEGUN, *steps), **({"reached": "first token"} | parts))


def _data(answer: Steps) -> bytes:
    """The body of a chunked answer."""
    return b"".join(step.data for step in answer if isinstance(step, Chunk))


ROWS = (
    *(_row(each.name, each.injected, each.reason, each.steps, say=each.say, said=each.said) for each in REFUSALS),
    *(_in_the_middle(each.name, each.injected, each.reason, *each.steps, say=each.say) for each in CUTS),
    *(_harmless(each.name, each.injected, (*each.steps, *ANSWER)) for each in HARMLESS),
    _row("no-model", "HTTP 404: a model that it does not have", "not_found",
         (Reply(404, ollama.problem("model 'scripted' not found")),), say="HTTP 404", said="not found"),
    _row("busy", "HTTP 503: its queue is full", "",
         (Reply(503, ollama.problem("server busy, please try again. maximum pending requests exceeded")),),
         outcome="skipped", stage="", say="HTTP 503", said="pending requests"),
    _row("no-headers", "no answer at all, as while a model is loaded for ever", "timeout", (Stall(),)),
    _row("no-body", "a head, and nothing behind it", "timeout", (ollama.HEAD, Stall())),
    _row("html", "a page instead of an answer", "malformed",
         (Reply(200, b"<html>hello", {"Content-Type": "text/html"}),), say="HTML"),
    _row("text", "text instead of lines", "malformed",
         (Reply(200, b"Ollama is running"),), say="text/plain"),
    _row("wrong-json", "JSON that is not an answer", "malformed", (Reply(200, {"status": "success"}),),
         say="not part of an answer"),
    _row("json-error", "HTTP 200 with an error", "server_error", (Reply(200, ollama.problem("out of memory")),),
         say="reported an error", said="out of memory"),
    _row("endless-line", "a line without an end", "flood",
         (ollama.HEAD, Repeat((Chunk(b"x" * 4096),))), say="a line of the answer"),
    _row("text-flood", "an answer that is longer than anyone listens to", "flood",
         (ollama.HEAD, *(ollama.token("na " * 10_000),) * 9), reached="first token", longest_s=5.0, say="characters"),
    _in_the_middle("stall-in-line", "silence in the middle of a line", "timeout",
                   Chunk(b'{"message":{"content":" my'), Stall()),
    _in_the_middle("garbage", "a line that is no JSON", "malformed", Chunk(b"hello\n"), *END,
                   say="not JSON", said="hello"),
    _in_the_middle("wrong-type-content", "a token whose content is a number", "malformed",
                   ollama.line({"message": {"content": 7}, "done": False}), *END),
    _in_the_middle("error-in-stream", "an error on a line of the stream", "server_error",
                   ollama.line(ollama.problem("an error was encountered while running the model")), LastChunk(),
                   say="reported an error", said="while running the model"),
    _in_the_middle("never-done", "the response ends, and no line says done", "closed", LastChunk(), say="end of its"),
    _row("thinking-only", "reasoning, and no answer", "no_answer",
         (ollama.HEAD, ollama.thinking("Let me think."), ollama.last(4, reason="length"), LastChunk()),
         reached="first token", without=("llm_ttfat_ms",), say="1 reasoning token"),
    _row("only-loaded", "done_reason load: the model was loaded, and nobody asked", "empty_response",
         (ollama.HEAD, ollama.last(0, reason="load"), LastChunk()), reached="text",
         without=("llm_ttft_ms", "llm_ttfat_ms", "tts_wait_ms", "probe_delay_ms")),
    _harmless("thinking-first", "reasoning before the answer",
              (ollama.HEAD, ollama.thinking("Let me think."), *ANSWER[1:])),
    _harmless("one-document", "a whole answer in one document",
              (Reply(200, {"message": {"role": "assistant", "content": " Good morning."}, "done": True}),),
              reached="segment"),
    _harmless("bytes", "every byte of the answer in a chunk of its own",
              (ollama.HEAD, *(Chunk(bytes([each])) for each in _data(ANSWER)), LastChunk())),
    _harmless("until-close", "an answer that ends with its connection, the last line without its end",
              (Head(200, {"Content-Type": "application/x-ndjson"}), Body(_data(ANSWER).rstrip()), Drop())),
    _harmless("closes-after-each", "closed after each answer without a word", (*ANSWER, Drop()), turns=2,
              longest_s=4.0),
    _harmless("late-first-line", "a head at once, the first line after 300 ms",
              (ollama.HEAD, Wait(0.3), *ANSWER[1:]), longest_s=3.0),
)  # fmt: skip
