"""The LLM server's users come first: ask whether they hold its slots, and wait for them for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from probe.protocols.base import Inquiry

ASK_TIMEOUT_S = 2.0
FIRST_POLL_S = 1.0
LONGEST_POLL_S = 5.0

# Asks a server how many users it has, with a time limit in seconds; None where it does not say.
Ask = Callable[[Inquiry[int | None], float], Awaitable[int | None]]


async def wait_for_users(
    inquiries: Sequence[Inquiry[int | None]],
    ask: Ask,
    max_wait_s: float,
    stop: asyncio.Event,
    now: Callable[[], float] = time.monotonic,
) -> str | None:
    """Wait until no server has users; returns why not, where that takes longer than `max_wait_s`.

    None also where there is no answer: a server that is down is not busy, and a run will say what is wrong with it.
    """
    gives_up = now() + max_wait_s
    pause = FIRST_POLL_S
    while users := await _most_users(inquiries, ask):
        left = gives_up - now()
        if left <= 0 or stop.is_set():
            return f"{users} {'stream' if users == 1 else 'streams'} in use, still so after {max_wait_s:g} s"
        await _sleep(min(pause, left), stop)
        pause = min(pause * 2, LONGEST_POLL_S)
    return None


async def _most_users(inquiries: Sequence[Inquiry[int | None]], ask: Ask) -> int:
    """The most that any of them reports: one user may show on several servers."""
    answers = [await ask(each, ASK_TIMEOUT_S) for each in inquiries]
    return max((users for users in answers if users is not None), default=0)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
