"""A chunk of an LLM's answer: where it pauses, why it ends and what is reported to the client. No I/O of its own."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum

MOST_TOKENS_TO_SENTENCE = 200
MOST_TOKENS = 500
CLOSERS = "\"'”’“»›)]}」』）】》"  # noqa: RUF001 - typographic quotes are meant
# Of Latin script, Chinese and Japanese, Hindi, Arabic and Urdu.
ENDS = (".", "!", "?", "。", "．", "！", "？", "।", "॥", "؟", "۔")  # noqa: RUF001 - meant


class Reason(StrEnum):
    """Why a chunk ended."""

    MAX_TOKENS = "max_tokens"
    SENTENCE_BOUNDARY = "sentence_boundary"
    SENTENCE_BOUNDARY_EOS = "sentence_boundary_eos"
    EOS = "eos"
    STOP_WORD = "stop_word"
    EMPTY_RESPONSE = "empty_response"
    ALREADY_DONE = "already_done"
    CONNECTION_ERROR = "connection_error"


PAUSES = frozenset({Reason.MAX_TOKENS, Reason.SENTENCE_BOUNDARY})


@dataclass(frozen=True, slots=True)
class Pause:
    """Where to pause: after `most_tokens` tokens, and at the first sentence boundary if `at_sentence`."""

    most_tokens: int = MOST_TOKENS
    at_sentence: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The last event of a completion: the model or the engine has no more to say."""

    reason: Reason


Completion = AsyncGenerator[str | End]
"""Tokens, each one's text (which can be empty), then an `End`."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One chunk; times in milliseconds from the request to the engine, `ttft_ms` None if no token came."""

    text: str
    tokens: int
    reason: Reason
    ttft_ms: float | None
    elapsed_ms: float

    @property
    def paused(self) -> bool:
        return self.reason in PAUSES


def ends_sentence(text: str) -> bool:
    """Return whether `text` ends in a full stop, ! or ? of any script, closing quotes and brackets allowed after it."""
    return text.rstrip(CLOSERS).endswith(ENDS)


async def take_chunk(
    completion: Completion,
    pause: Pause,
    on_token: Callable[[str], Awaitable[None]],
    clock: Callable[[], float] = time.monotonic,
) -> Chunk:
    """Take tokens up to the pause, hand each to `on_token` at once, and close the completion.

    At a sentence boundary one more token with text is taken (the peek), so that an answer which is over is not paused.
    """
    started = clock()
    first_token: float | None = None
    text, tokens, at_boundary = "", 0, False
    reason: Reason | None = None
    async with aclosing(completion):
        async for event in completion:
            if isinstance(event, End):
                reason = _end_reason(event.reason, at_boundary=at_boundary)
                break
            first_token = clock() if first_token is None else first_token
            text, tokens = text + event, tokens + 1
            await on_token(event)
            if at_boundary and event:
                reason = Reason.SENTENCE_BOUNDARY
                break
            at_boundary = pause.at_sentence and ends_sentence(text)
            if tokens == pause.most_tokens:
                reason = Reason.SENTENCE_BOUNDARY if at_boundary else Reason.MAX_TOKENS
                break
    return Chunk(
        text=text,
        tokens=tokens,
        reason=reason or (Reason.CONNECTION_ERROR if tokens else Reason.EMPTY_RESPONSE),
        ttft_ms=None if first_token is None else _milliseconds(first_token - started),
        elapsed_ms=_milliseconds(clock() - started),
    )


def _end_reason(reason: Reason, *, at_boundary: bool) -> Reason:
    if at_boundary and reason in {Reason.EOS, Reason.STOP_WORD}:
        return Reason.SENTENCE_BOUNDARY_EOS
    if at_boundary and reason is Reason.MAX_TOKENS:
        return Reason.SENTENCE_BOUNDARY
    return reason


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def already_done() -> Chunk:
    """Return the chunk of a stream that was asked to go on after its end."""
    return Chunk(text="", tokens=0, reason=Reason.ALREADY_DONE, ttft_ms=None, elapsed_ms=0.0)


def token_reply(content: str) -> dict[str, object]:
    return {"type": "token", "content": content}


def streamed_reply(chunk: Chunk) -> dict[str, object]:
    """Return the frame after a chunk's last token frame."""
    return {
        "type": "paused" if chunk.paused else "done",
        "reason": chunk.reason,
        "text": chunk.text,
        "tokens": chunk.tokens,
        "ttft_ms": chunk.ttft_ms,
        "elapsed_ms": chunk.elapsed_ms,
    }


def buffered_reply(stream_id: str, chunk: Chunk, full_text: str) -> dict[str, object]:
    """Return a chunk's only frame where tokens are not streamed; `full_text` is all chunks' text so far."""
    return {
        "stream_id": stream_id,
        "status": "started",
        "text": chunk.text,
        "tokens": chunk.tokens,
        "paused": chunk.paused,
        "reason": chunk.reason,
        "done": not chunk.paused,
        "ttft_ms": chunk.ttft_ms,
        "full_text": full_text,
    }
