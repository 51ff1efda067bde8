"""What an Ollama server answers to `POST /api/chat`, line by line, and to what else it is asked."""

import json
from collections.abc import Mapping
from itertools import chain

from probe.reference.faults.connection import Steps
from probe.reference.faults.http_steps import CHUNKED, Chunk, Head, LastChunk, Reply
from probe.reference.faults.steps import Wait

CHAT = "/api/chat"
MODEL = "scripted"
HEAD = Head(200, {"Content-Type": "application/x-ndjson"} | CHUNKED)
PAGES: Mapping[str, tuple[Steps]] = {
    path: ((Reply(200, body),),)
    for path, body in {
        "/api/version": {"version": "0.40.8"},
        "/api/tags": {"models": [{"name": f"{MODEL}:latest", "model": f"{MODEL}:latest", "digest": "0"}]},
        "/api/ps": {"models": [{"name": f"{MODEL}:latest", "model": f"{MODEL}:latest", "size_vram": 1}]},
    }.items()
}


def line(payload: object) -> Chunk:
    """Make one line of the stream, in a chunk of its own."""
    return Chunk(json.dumps(payload, ensure_ascii=False).encode() + b"\n")


def token(content: str) -> Chunk:
    return _message({"content": content})


def thinking(content: str) -> Chunk:
    """Make a line that must not be spoken."""
    return _message({"content": "", "thinking": content})


def tokens(*contents: str, first: float = 0.0, gap: float = 0.0) -> Steps:
    """Make a line for each token, `first` seconds before the first and `gap` between."""
    waits = (Wait(gap if position else first) for position in range(len(contents)))
    return tuple(chain.from_iterable(zip(waits, map(token, contents), strict=True)))


def last(tokens: int, *, reason: str = "stop", load_ms: float = 20.0) -> Chunk:
    """Make the line that ends an answer; the server's times are in nanoseconds."""
    times = {"total_duration": 900.0, "load_duration": load_ms, "prompt_eval_duration": 100.0, "eval_duration": 780.0}
    account = {name: round(value * 1e6) for name, value in times.items()}
    end = {"done": True, "done_reason": reason, "prompt_eval_count": 20, "eval_count": tokens, **account}
    return line(_same() | {"message": {"role": "assistant", "content": ""}} | end)


def answer(*contents: str, first: float = 0.0, gap: float = 0.0, load_ms: float = 20.0) -> Steps:
    """Make a healthy answer, from its head to its end."""
    return (HEAD, *tokens(*contents, first=first, gap=gap), last(len(contents), load_ms=load_ms), LastChunk())


def problem(message: str) -> dict[str, object]:
    """Make the body of a refusal, or a line that is one."""
    return {"error": message}


def _message(fields: Mapping[str, object]) -> Chunk:
    return line(_same() | {"message": {"role": "assistant", **fields}, "done": False})


def _same() -> dict[str, object]:
    return {"model": MODEL, "created_at": "2026-11-29T12:00:00.0Z"}
