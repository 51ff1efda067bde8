"""A connected socket to a host: its addresses are tried one after the other, and the first that connects is taken.

An address that swallows what it is sent does not hold up the next one ("happy eyeballs", RFC 8305).
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from probe.transport.stamped_socket import StampedSocket
from probe.transport.threads import in_a_thread

HEAD_START_S = 0.25
# As `socket.getaddrinfo` returns it: family, kind, protocol, canonical name, address.
Address = tuple[int, int, int, str, Any]
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
_Attempt = asyncio.Task[StampedSocket]


async def resolved(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host, the preferred one first. Raises OSError."""
    # An address needs no thread to look it up, and as bytes no 7 ms for importing how international names are encoded.
    with suppress(UnicodeError, socket.gaierror):
        return socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return await in_a_thread((host, port), partial(_looked_up, host, port))


def _looked_up(host: str, port: int) -> Sequence[Address]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"no host has such a name ({error})") from error


async def connected(
    host: str, port: int, resolve: Resolve = resolved, head_start_s: float = HEAD_START_S
) -> StampedSocket:
    """Connect to the first of a host's addresses that answers. Raises OSError, the last address's, where none does.

    An address is tried as soon as the one before it failed, or `head_start_s` after it was tried.
    """
    addresses = await resolve(host, port)
    if not addresses:
        raise OSError(f"{host} has no address")
    if len(addresses) == 1:
        return await _connected(addresses[0])
    attempts: list[_Attempt] = []
    try:
        winner = await _race(addresses, head_start_s, attempts)
    except BaseException:
        _give_up(attempts)
        raise
    _give_up(attempt for attempt in attempts if attempt is not winner)
    return winner.result()


async def _race(addresses: Sequence[Address], head_start_s: float, attempts: list[_Attempt]) -> _Attempt:
    """The first attempt that has connected. Keeps `attempts` up to date; raises OSError where all have failed."""
    while True:
        if len(attempts) < len(addresses):
            attempts.append(asyncio.ensure_future(_connected(addresses[len(attempts)])))
        patience = head_start_s if len(attempts) < len(addresses) else None
        if running := [attempt for attempt in attempts if not attempt.done()]:
            await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for attempt in attempts:
            if attempt.done() and attempt.exception() is None:
                return attempt
        if len(attempts) == len(addresses) and all(attempt.done() for attempt in attempts):
            attempts[-1].result()


def _give_up(attempts: Iterable[_Attempt]) -> None:
    for attempt in attempts:
        attempt.cancel()
        attempt.add_done_callback(_close)


def _close(attempt: _Attempt) -> None:
    """Close what connected anyway."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _connected(address: Address) -> StampedSocket:
    family, kind, protocol, _, where = address
    candidate = StampedSocket(family, kind, protocol)
    try:
        candidate.setblocking(False)
        await asyncio.get_running_loop().sock_connect(candidate, where)
    except BaseException:
        candidate.close()
        raise
    return candidate
