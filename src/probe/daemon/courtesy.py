"""The servers' users come first: ask whether they hold a server, and wait for them for a while."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

FIRST_POLL_S = 1.0
LONGEST_POLL_S = 5.0

# What is asked of one server, whatever that is.
T = TypeVar("T")
# Asks one server how many users it has; None where it does not say.
Ask = Callable[[T], Awaitable[int | None]]


@dataclass(frozen=True, slots=True)
class Finding:
    """`reason`: why to leave the servers alone; None where a run may begin.

    `unknown`: nobody is known to use them, but one of them does not say.
    """

    reason: str | None = None
    unknown: bool = False


async def wait_for_users(
    servers: Sequence[T],
    ask: Ask[T],
    max_wait_s: float,
    stop: asyncio.Event,
    now: Callable[[], float] = time.monotonic,
) -> Finding:
    """Wait until no server is known to have users, for `max_wait_s` at most."""
    return await _wait(servers, ask, max_wait_s, stop, now, _in_use)


async def wait_for_certainty(
    servers: Sequence[T],
    ask: Ask[T],
    max_wait_s: float,
    stop: asyncio.Event,
    now: Callable[[], float] = time.monotonic,
) -> Finding:
    """Wait until every server is known to have no users, for `max_wait_s` at most."""
    return await _wait(servers, ask, max_wait_s, stop, now, _in_use_or_unknown)


async def at_this_moment(servers: Sequence[T], ask: Ask[T]) -> Finding:
    """What speaks against work that can wait for long: users, or a server that does not say whether it has any."""
    answers = [await ask(each) for each in servers]
    return Finding(_in_use_or_unknown(answers), None in answers and not _most(answers))


async def _wait(
    servers: Sequence[T],
    ask: Ask[T],
    max_wait_s: float,
    stop: asyncio.Event,
    now: Callable[[], float],
    objection: Callable[[Sequence[int | None]], str | None],
) -> Finding:
    gives_up = now() + max_wait_s
    pause = FIRST_POLL_S
    while True:
        answers = [await ask(each) for each in servers]
        unknown = None in answers and not _most(answers)
        why = objection(answers)
        left = gives_up - now()
        if why is None or left <= 0 or stop.is_set():
            return Finding(why and f"{why}, still so after {max_wait_s:g} s", unknown)
        await _sleep(min(pause, left), stop)
        pause = min(pause * 2, LONGEST_POLL_S)


def _most(answers: Sequence[int | None]) -> int:
    """The most that any of them reports: one user may show on several servers."""
    return max((users for users in answers if users is not None), default=0)


def _in_use(answers: Sequence[int | None]) -> str | None:
    users = _most(answers)
    return f"{users} {'stream' if users == 1 else 'streams'} in use" if users else None


def _in_use_or_unknown(answers: Sequence[int | None]) -> str | None:
    return _in_use(answers) or ("a server does not say whether it is in use" if None in answers else None)


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
