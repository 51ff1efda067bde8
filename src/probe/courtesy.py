"""The LLM server's users come first: ask whether they hold its slots, and wait for them for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from probe.protocols.base import LlmCodec

ASK_TIMEOUT_S = 2.0
FIRST_POLL_S = 1.0
LONGEST_POLL_S = 5.0

Get = Callable[[str, float], Awaitable[bytes | None]]


async def wait_for_users(
    url: str,
    codec: LlmCodec,
    get: Get,
    max_wait_s: float,
    stop: asyncio.Event,
    now: Callable[[], float] = time.monotonic,
) -> str | None:
    """Wait until nobody uses the server at `url`; returns why not, where that takes longer than `max_wait_s`.

    None also where it gives no answer: a server that is down is not busy, and a run will say what is wrong with it.
    """
    health_url = codec.health_url(url)
    gives_up = now() + max_wait_s
    pause = FIRST_POLL_S
    while users := codec.users(await get(health_url, ASK_TIMEOUT_S) or b""):
        left = gives_up - now()
        if left <= 0 or stop.is_set():
            return f"{users} {'stream' if users == 1 else 'streams'} in use, still so after {max_wait_s:g} s"
        await _sleep(min(pause, left), stop)
        pause = min(pause * 2, LONGEST_POLL_S)
    return None


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
