"""What the rows of both OpenAI-compatible protocols have in common: their servers, and how HTTP itself goes wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from fault_matrix.row import Stage, Url
from probe.reference.faults import (
    CHAT,
    CONTINUE,
    ENDLESS_CHUNK,
    ENDLESS_HEADER,
    ENDLESS_HEADERS,
    HEADERS_OF_NOTHING,
    NO_CHUNK_SIZE,
    OVERFULL_CHUNK,
    Drop,
    HalfClose,
    Head,
    HttpScript,
    Raw,
    Reply,
    Reset,
    ScriptedHttp,
    Stall,
    chat,
    redirect,
)
from probe.reference.faults.connection import Steps

# Ten tokens are the first chunk; what comes behind them is the second one.
FIRST = (" Good", " morning,", " my", " dear", " old", " friend,", " it", " is", " me", " again.")
ANSWER = chat.answer(*FIRST, " How", " are", " you?")


def serving(path: str, *answers: Steps) -> Url:
    """A server with these answers at a path; the last one repeats."""

    @asynccontextmanager
    async def serve(stage: Stage) -> AsyncIterator[str]:
        async with ScriptedHttp(HttpScript(answers={CHAT: (ANSWER,)} | {path: answers})) as server:
            stage.http.append(server)
            yield server.url

    return serve


class Answering(NamedTuple):
    """An answer that HTTP itself spoils: what is written in place of the answer, or behind its first piece."""

    name: str
    injected: str
    reason: str
    steps: Steps
    say: str = ""
    said: str = ""


def _refusal(status: int, message: str, reason: str) -> Answering:
    body = chat.problem(message)
    what = f"HTTP {status}"
    return Answering(f"http-{status}", f"{what}: {message!r}", reason, (Reply(status, body),), what, message)


# In place of an answer.
REFUSALS = (
    _refusal(400, "context too long", "server_error"),
    _refusal(401, "Invalid API Key", "unauthorized"),
    _refusal(403, "not for you", "unauthorized"),
    _refusal(404, "no such model", "not_found"),
    _refusal(500, "out of memory", "server_error"),
    _refusal(502, "no backend", "unavailable"),
    _refusal(503, "overloaded", "unavailable"),
    Answering("loading", "HTTP 503 while the model is loaded", "loading",
              (Reply(503, chat.problem("Loading model")),), "HTTP 503", "Loading model"),
    Answering("stalled-error", "HTTP 500, and half of the words in it", "server_error",
              (Head(500, {"Content-Length": "100"}), Raw(b"out of mem"), Stall()), "HTTP 500", "out of mem"),
    Answering("html-error", "HTTP 502 with a page", "unavailable",
              (Reply(502, b"<html><h1>Bad Gateway</h1>", {"Content-Type": "text/html"}),), "HTTP 502"),
    Answering("redirect", "a redirect", "not_found", (redirect("/elsewhere"),), "it redirects",
              "redirects to /elsewhere"),
    Answering("endless-headers", "headers without an end", "flood", ENDLESS_HEADERS, "a head of more than"),
    Answering("endless-header", "a header without an end", "flood", ENDLESS_HEADER, "a head of more than"),
    Answering("headers-of-nothing", "3,900 headers of one letter, and no end", "flood", HEADERS_OF_NOTHING,
              "lines in a head"),
    Answering("no-http", "an answer that is no HTTP", "malformed", (Raw(b"+OK ready\r\n\r\n"),), "broke HTTP",
              "OK ready"),
    Answering("drop-at-once", "closed instead of an answer", "closed", (Drop(),), "before its response"),
    Answering("reset-at-once", "reset (RST) instead of an answer", "closed", (Reset(),), "before its response"),
)  # fmt: skip
# In the middle of an answer whose body is chunked.
CUTS = (
    Answering("no-chunk-size", "a chunk without a size", "malformed", (NO_CHUNK_SIZE,), "broke HTTP"),
    Answering("overfull-chunk", "a chunk that is longer than it says", "malformed", (OVERFULL_CHUNK,), "broke HTTP"),
    Answering("trailers", "3,900 trailers of one letter, and no end", "flood",
              (Raw(b"0\r\n" + b"a:\r\n" * 3900), Stall()), "lines in a head"),
    Answering("endless-chunk", "a chunk of a terabyte, and nothing of it", "timeout", (ENDLESS_CHUNK, Stall())),
    Answering("stall", "silence in the middle", "timeout", (Stall(),)),
    Answering("drop", "closed in the middle", "closed", (Drop(),), "in the middle of its response"),
    Answering("reset", "a reset (RST) in the middle", "closed", (Reset(),), "in the middle of its response"),
    Answering("half-close", "half closed (FIN) in the middle", "closed", (HalfClose(),),
              "in the middle of its response"),
)  # fmt: skip
HARMLESS = (
    Answering("continue", "HTTP 100 before the answer", "", (CONTINUE,)),
)  # fmt: skip
