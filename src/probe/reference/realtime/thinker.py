"""The LLM: a conversation in, its answer piece by piece, by llama.cpp's own server."""

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from aiohttp import ClientError, ClientSession

_DATA = b"data: "


class ThinkerError(Exception):
    """llama.cpp did not answer; the message says why."""


class Thinker:
    """llama.cpp's HTTP server at `url`."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self._url = url
        self._session = session

    async def answer(
        self, messages: Sequence[dict[str, str]], temperature: float, max_tokens: int
    ) -> AsyncGenerator[str]:
        """Yield the answer's text as it comes. Raises ThinkerError. Dropping the generator frees the slot."""
        body: dict[str, Any] = {"messages": [*messages], "stream": True, "temperature": temperature}
        body |= {"max_tokens": max_tokens} if max_tokens else {}
        try:
            async with self._session.post(f"{self._url}/v1/chat/completions", json=body) as answer:
                if not answer.ok:
                    raise ThinkerError(f"llama.cpp answers {answer.status}")
                async for line in answer.content:
                    if text := _piece(line):
                        yield text
        except ClientError as error:
            raise ThinkerError(f"llama.cpp does not answer: {error}") from error


def _piece(line: bytes) -> str:
    if not line.startswith(_DATA + b"{"):
        return ""
    choices = json.loads(line.removeprefix(_DATA)).get("choices") or [{}]
    return str(choices[0].get("delta", {}).get("content") or "")


def cut(text: str) -> tuple[str, str]:
    """Cut the first sentence off, as soon as one is seen to be over: it, and the rest; an empty one before that."""
    for at, mark in enumerate(text[:-1], 1):
        if (mark in ".!?" and text[at].isspace()) or (mark == "\n" and text[:at].strip()):
            return text[:at], text[at:]
    return "", text
