"""Client of llama.cpp's own HTTP server."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from probe.reference.llm_prompt import STOP
from probe.reference.llm_stream import End, Reason

CONNECT_SECONDS = 5
HEALTH_SECONDS = 2
HTTP_OK = 200
REFUSALS = (
    401,
    403,
    503,
)  # a wrong key, a model that is still loaded: the client gets the reason; any other failure is no answer
LONGEST_EVENT = 2**22  # bytes; a completion's last event repeats the prompt
LONGEST_REFUSAL = 500  # characters
SAMPLING = {"top_p": 0.95, "top_k": 40, "repeat_penalty": 1.1, "stop": [STOP], "cache_prompt": True}
END_REASONS = {"eos": Reason.EOS, "word": Reason.STOP_WORD, "limit": Reason.MAX_TOKENS}

log = logging.getLogger(__name__)


class LlamaError(Exception):
    """llama.cpp is there and answers no completion: the message has its status and its own words."""


class Llama:
    """llama.cpp at `url`; `silence_seconds` is how long it may stay silent within a completion."""

    def __init__(self, url: str, session: aiohttp.ClientSession, silence_seconds: float) -> None:
        self.url = url
        self.session = session
        self.timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)

    async def healthy(self) -> bool:
        timeout = aiohttp.ClientTimeout(total=HEALTH_SECONDS)
        try:
            async with self.session.get(f"{self.url}/health", timeout=timeout) as answer:
                return answer.status == HTTP_OK
        except (aiohttp.ClientError, OSError):
            return False

    async def complete(
        self, prompt: str, *, most_tokens: int, temperature: float, slot: int
    ) -> AsyncGenerator[str | End]:
        """Yield tokens, then an End, also for llama.cpp's faults. Closing it cancels the work in llama.cpp.

        Raises LlamaError where it refuses to begin (`REFUSALS`).
        """
        body = SAMPLING | {
            "prompt": prompt,
            "n_predict": most_tokens,
            "temperature": temperature,
            "id_slot": slot,
            "stream": True,
        }
        tokens = 0
        try:
            async with self.session.post(f"{self.url}/completion", json=body, timeout=self.timeout) as answer:
                if answer.status in REFUSALS:
                    raise LlamaError(refusal(answer.status, await answer.text(errors="replace")))
                if answer.status != HTTP_OK:
                    raise ValueError(refusal(answer.status, await answer.text(errors="replace")))  # noqa: TRY301
                async for line in answer.content:
                    for event in decode(line, tokens):
                        tokens += isinstance(event, str)
                        yield event
        except ValueError as error:
            log.warning("llama.cpp at %s: %s", self.url, error)
            yield End(Reason.EMPTY_RESPONSE)
        except (aiohttp.ClientError, OSError) as error:
            log.warning("llama.cpp at %s: %s", self.url, str(error) or type(error).__name__)
            yield End(Reason.CONNECTION_ERROR)


@asynccontextmanager
async def connect(url: str, silence_seconds: float) -> AsyncIterator[Llama]:
    """Yield a client of the llama.cpp server at `url`; connections are made as they are needed.

    Each request has its own: llama.cpp closes idle ones, and a request that meets the closing would fail.
    """
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=LONGEST_EVENT) as session:
        yield Llama(url, session, silence_seconds)


def refusal(status: int, body: str) -> str:
    """Say what a status and the body behind it mean: llama.cpp's own message, where there is one."""
    try:
        words = json.loads(body)["error"]["message"]
    except (ValueError, LookupError, TypeError):
        words = body
    return f"llama.cpp answers HTTP {status}: {str(words)[:LONGEST_REFUSAL].strip() or 'without a word'}"


def decode(line: bytes, tokens_before: int) -> list[str | End]:
    """Return the tokens and the End in one line of a completion; ValueError if it is not llama.cpp's format.

    llama.cpp holds text back until its characters are whole and it is no stop word: tokens whose text came later, with
    another's, are empty. The end-of-message token is no token of the text.
    """
    field, _, data = line.partition(b":")
    if field not in {b"data", b"error"}:
        return []
    event = json.loads(data)
    match event:
        case {"content": str(content), "tokens_predicted": int(predicted)}:
            stop_type = event.get("stop_type") if event.get("stop") else None
        case _:
            raise ValueError(f"not a completion: {data[:500]!r}")
    new = predicted - tokens_before
    has_token = content or (stop_type == "limit" and new > 0)
    tokens = [""] * (new - 1) + [content] if has_token else []
    return [*tokens, End(END_REASONS.get(stop_type, Reason.EOS))] if stop_type else [*tokens]
