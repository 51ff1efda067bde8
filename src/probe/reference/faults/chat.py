"""What an OpenAI-compatible LLM server answers to `POST /v1/chat/completions`, event by event."""

import json
from collections.abc import Mapping
from itertools import chain

from probe.reference.faults.connection import Steps
from probe.reference.faults.http_steps import CHUNKED, Chunk, Head, LastChunk
from probe.reference.faults.steps import Repeat, Wait

MODEL = "scripted"
HEAD = Head(200, {"Content-Type": "text/event-stream"} | CHUNKED)


def event(payload: object) -> Chunk:
    """Make one event of the stream, in a chunk of its own."""
    return Chunk(b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n")


DONE = Chunk(b"data: [DONE]\n\n")
END: Steps = (DONE, LastChunk())


def delta(fields: Mapping[str, object], *, finish: str | None = None, **rest: object) -> Chunk:
    """Make a chunk of the answer with these fields in its delta; `rest` stands beside its choices."""
    return event(_chunk([{"index": 0, "delta": dict(fields), "finish_reason": finish}], rest))


def role() -> Chunk:
    """Make the event before the first token, which is none."""
    return delta({"role": "assistant", "content": ""})


def token(content: str) -> Chunk:
    return delta({"content": content})


def reasoning(content: str, *, key: str = "reasoning_content") -> Chunk:
    """Make an event that must not be spoken; servers differ in its key."""
    return delta({key: content})


def tokens(*contents: str, first: float = 0.0, gap: float = 0.0) -> Steps:
    """Make an event for each token, `first` seconds before the first and `gap` between."""
    waits = (Wait(gap if position else first) for position in range(len(contents)))
    return tuple(chain.from_iterable(zip(waits, map(token, contents), strict=True)))


def endless(content: str, *, gap: float) -> Steps:
    """Repeat one token for ever, `gap` seconds after each."""
    return (Repeat((token(content), Wait(gap))),)


def finish(reason: str = "stop", **rest: object) -> Chunk:
    """Make the event that says why there is no more; `rest` may be llama.cpp's `timings`."""
    return delta({}, finish=reason, **rest)


def usage(completion: int, *, prompt: int = 20) -> Chunk:
    """Make the event that counts tokens, which has no choices."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event(_chunk([], {"usage": counts}))


def problem(message: str, *, kind: str = "server_error", code: object = None) -> dict[str, object]:
    """Make the body of a refusal."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error(message: str) -> Chunk:
    """Make an error inside a stream that began well."""
    return event(problem(message))


def answer(*contents: str, first: float = 0.0, gap: float = 0.0, reason: str = "stop") -> Steps:
    """Make a healthy answer, from its head to its end."""
    spoken = tokens(*contents, first=first, gap=gap)
    return (HEAD, role(), *spoken, finish(reason), usage(len(contents)), *END)


def _chunk(choices: list[dict[str, object]], rest: Mapping[str, object]) -> dict[str, object]:
    same = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
    return same | {"choices": choices} | dict(rest)
