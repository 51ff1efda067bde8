"""A client of the chunked LLM server that is made for tests."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect

SECONDS = 60
JOKE = [{"role": "user", "content": "Say hi."}]
STORY = [{"role": "user", "content": "Tell me a very long story about a dragon, a knight and a castle by the sea."}]

Fields = dict[str, Any]


class Talk:
    """One connection; every wait ends after SECONDS."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, **fields: object) -> None:
        await self.send_frame(json.dumps(fields))

    async def send_frame(self, frame: str | bytes) -> None:
        async with asyncio.timeout(SECONDS):
            await self.socket.send(frame)

    async def receive(self) -> Fields:
        async with asyncio.timeout(SECONDS):
            reply: Fields = json.loads(await self.socket.recv())
        return reply

    async def ask(self, **fields: object) -> Fields:
        """Return the one frame that answers a request."""
        await self.send(**fields)
        return await self.receive()

    async def chunk(self, **fields: object) -> tuple[list[str], Fields]:
        """Return the token frames' contents and the frame after them."""
        await self.send(**fields)
        return await self.rest_of_chunk()

    async def rest_of_chunk(self) -> tuple[list[str], Fields]:
        tokens: list[str] = []
        while (frame := await self.receive()).get("type") == "token":
            tokens.append(frame["content"])
        return tokens, frame

    async def dropped(self) -> bool:
        """Wait for the end of the connection; return whether it came without a close frame."""
        async with asyncio.timeout(SECONDS):
            await self.socket.wait_closed()
        return self.socket.protocol.close_rcvd is None


@asynccontextmanager
async def talk_to(url: str) -> AsyncIterator[Talk]:
    async with connect(url, compression=None, proxy=None, open_timeout=SECONDS, close_timeout=1) as socket:
        yield Talk(socket)


async def wait_until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110 - the condition is in another process
            await asyncio.sleep(0.01)


async def fetch(url: str) -> str:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


async def health_of(url: str) -> Fields:
    """Return `/health` of the server whose WebSocket is at `url`."""
    fields: Fields = json.loads(await fetch(url.replace("ws://", "http://").removesuffix("/ws") + "/health"))
    return fields
