"""Which of a host's addresses is taken, over real sockets."""

import asyncio
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
from descriptors import descriptors

from probe.reference.faults import refusing_port
from probe.transport.dialing import Address, Resolve, connected, resolved
from probe.transport.stamped_socket import keep_stamping

# Longer than any test may take: whoever waits for it is late.
FOR_EVER_S = 1000.0


def addresses(*ports: int) -> Resolve:
    found: list[Address] = [
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port)) for port in ports
    ]

    async def resolve(_host: str, _port: int) -> Sequence[Address]:
        return found

    return resolve


@contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        yield listener


@contextmanager
def swallowing() -> Iterator[int]:
    """A port whose listener's queue is full: the kernel drops what else asks to connect."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


@pytest.mark.parametrize("last_answers", [True, False])
async def test_every_address_of_a_host_is_tried(last_answers: bool) -> None:
    with listening() as listener, refusing_port() as refusing:
        found = addresses(refusing, refusing, port_of(listener) if last_answers else refusing)
        if last_answers:
            with await connected("three.invalid", 1, found, FOR_EVER_S) as ours:
                assert ours.getpeername() == listener.getsockname()
        else:
            with pytest.raises(ConnectionRefusedError):
                await connected("three.invalid", 1, found, FOR_EVER_S)


async def test_an_address_that_refuses_costs_no_head_start() -> None:
    """As `localhost` does, where a server listens at 127.0.0.1 only and ::1 comes first."""
    with listening() as listener, refusing_port() as refusing:
        async with asyncio.timeout(60):
            with await connected("localhost", 1, addresses(refusing, port_of(listener)), FOR_EVER_S) as ours:
                assert ours.getpeername() == listener.getsockname()


async def test_an_address_that_swallows_does_not_hold_up_the_next() -> None:
    with listening() as listener, swallowing() as swallower:
        async with asyncio.timeout(60):
            with await connected("two.invalid", 1, addresses(swallower, port_of(listener)), 0.01) as ours:
                assert ours.getpeername() == listener.getsockname()


async def test_an_address_that_refuses_later_does_not_end_what_still_may_connect() -> None:
    with swallowing() as swallower, refusing_port() as refusing, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await connected("two.invalid", 1, addresses(swallower, refusing), 0.01)


async def test_the_second_address_waits_for_its_turn() -> None:
    with listening() as listener, swallowing() as swallower:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await connected("two.invalid", 1, addresses(swallower, port_of(listener)), FOR_EVER_S)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
async def test_of_two_that_connect_at_once_one_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[object] = []
    both = asyncio.Event()

    async def connect(_socket: socket.socket, address: object) -> None:
        tried.append(address)
        if len(tried) == 2:
            both.set()
        await both.wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", connect)
    keep_stamping()
    before = descriptors()
    with await connected("two.invalid", 1, addresses(1, 2), 0) as ours:
        await asyncio.sleep(0)
        assert descriptors() - before == {ours.fileno()}


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
async def test_all_but_the_first_that_connects_are_closed() -> None:
    """Whether they have connected meanwhile or not."""
    with listening() as one, listening() as other, swallowing() as swallower:
        keep_stamping()
        before = descriptors()
        found = addresses(swallower, port_of(one), port_of(other), swallower)
        with await connected("many.invalid", 1, found, 0) as ours:
            # The losers' turn of the loop, and the one that notifies those who waited for them.
            for _ in range(3):
                await asyncio.sleep(0)
            assert descriptors() - before == {ours.fileno()}


async def test_a_host_without_an_address_is_an_error() -> None:
    with pytest.raises(OSError, match=r"none\.invalid has no address"):
        await connected("none.invalid", 1, addresses())


@pytest.mark.parametrize("host", ["spark.invalid", "bücher.invalid"])
async def test_a_name_is_looked_up_as_it_is_written(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def look_up(name: bytes | str, *_: object, flags: int = 0, **_more: object) -> None:
        asked.append((name, flags))
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(socket.gaierror):
        await resolved(host, 80)
    assert asked[-1] == (host, 0)
    assert all(flags == socket.AI_NUMERICHOST for _, flags in asked[:-1])


@pytest.mark.parametrize("host", ["a..invalid", f"{'a' * 64}.invalid", "ü..invalid"])
async def test_what_can_be_no_name_is_not_found(host: str) -> None:
    with pytest.raises(socket.gaierror):
        await resolved(host, 80)


async def test_an_address_is_not_looked_up() -> None:
    ((family, kind, _, _, where),) = await resolved("127.0.0.1", 80)
    assert (family, kind, where) == (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 80))
