"""The LLM server's users come first: ask whether they hold its slots, and wait for them for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

ASK_TIMEOUT_S = 2.0
FIRST_POLL_S = 1.0
LONGEST_POLL_S = 5.0

Get = Callable[[str, float], Awaitable[bytes | None]]


@dataclass(frozen=True, slots=True)
class Question:
    """Where a server tells of its users, and how many an answer means; None where it does not say."""

    url: str
    users: Callable[[bytes], int | None]


async def wait_for_users(
    questions: Sequence[Question],
    get: Get,
    max_wait_s: float,
    stop: asyncio.Event,
    now: Callable[[], float] = time.monotonic,
) -> str | None:
    """Wait until no server has users; returns why not, where that takes longer than `max_wait_s`.

    None also where there is no answer: a server that is down is not busy, and a run will say what is wrong with it.
    """
    gives_up = now() + max_wait_s
    pause = FIRST_POLL_S
    while users := await _most_users(questions, get):
        left = gives_up - now()
        if left <= 0 or stop.is_set():
            return f"{users} {'stream' if users == 1 else 'streams'} in use, still so after {max_wait_s:g} s"
        await _sleep(min(pause, left), stop)
        pause = min(pause * 2, LONGEST_POLL_S)
    return None


async def _most_users(questions: Sequence[Question], get: Get) -> int:
    """The most that any of them tells: one user may show on several servers."""
    answers = [each.users(await get(each.url, ASK_TIMEOUT_S) or b"") for each in questions]
    return max((users for users in answers if users is not None), default=0)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
