"""The daemon's HTTP server against clients that are slow, many, or talk nonsense."""

import asyncio
import errno
import socket
import threading
import time
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from service import PATIENCE_S, eventually, page

from probe import http_crowd
from probe.daemon import http_server, http_talk, http_unread
from probe.daemon.http_server import MAX_CONNECTIONS, HttpServer, Request, plain


def broken(_accept: str) -> http_server.Answer:
    raise ValueError("no page today")


@pytest.fixture
def server() -> Iterator[HttpServer]:
    http = HttpServer(
        "127.0.0.1",
        0,
        {"/echo": lambda accept: plain(HTTPStatus.OK, f"accept={accept}"), "/broken": broken},
    )
    http.start()
    yield http
    http.close()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_talk, "DEADLINE_S", 1.0)


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def talk(port: int, request: bytes, host: str = "127.0.0.1") -> bytes:
    """Send a request as it is; return everything that comes back."""
    with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


async def asked(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def asked_at_once(port: int, times: int, request: bytes) -> list[bytes]:
    async with asyncio.timeout(PATIENCE_S):
        return await asyncio.gather(*(asked(port, request) for _ in range(times)))


def test_a_page_knows_what_is_accepted(server: HttpServer) -> None:
    assert page(server.port, "/echo?x=1", "text/plain;q=0.5")[2] == "accept=text/plain;q=0.5\n"


def test_a_page_that_fails_is_an_answer_too(server: HttpServer) -> None:
    assert page(server.port, "/broken")[0] == 500
    assert page(server.port, "/echo")[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /echo HTTP/1.0\r\n\r\n", b"200"),
        (b"GET http://localhost/echo?x=1 HTTP/1.1\r\nHost: a.example\r\n\r\n", b"200"),
        (b"GET HTTP://a.example/echo HTTP/1.1\r\nHost: localhost\r\n\r\n", b"421"),
        (b"GET /echo\r\n\r\n", b"400"),
        (b"\x16\x03\x01 hello\r\n\r\n", b"400"),
        (b"DELETE /echo HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /none HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /echo HTTP/1.1\r\nX: " + b"x" * 20_000, b"431"),
    ],
)
def test_any_request_gets_an_answer(server: HttpServer, request_: bytes, status: bytes) -> None:
    assert talk(server.port, request_).split(b" ")[1] == status


def test_a_page_that_takes_long_is_given_up_where_its_client_hangs_up() -> None:
    began, given_up, asked_again = threading.Event(), threading.Event(), threading.Event()

    async def slow(_request: Request) -> http_server.Answer:
        if asked_again.is_set():
            return plain(HTTPStatus.OK, "made")
        began.set()
        try:
            await asyncio.sleep(PATIENCE_S)
        finally:
            given_up.set()
        raise AssertionError

    http = HttpServer("127.0.0.1", 0, {}, slow_pages={"/slow": slow})
    http.start()
    try:
        with socket.create_connection(("127.0.0.1", http.port), timeout=PATIENCE_S) as connection:
            connection.sendall(b"GET /slow HTTP/1.1\r\n\r\nand more")
            assert began.wait(PATIENCE_S)
        assert given_up.wait(PATIENCE_S / 2)
        asked_again.set()
        assert page(http.port, "/slow")[2] == "made\n"
    finally:
        http.close()


@pytest.mark.usefixtures("_impatient")
def test_a_client_that_says_nothing_is_left(server: HttpServer) -> None:
    with suppress(ConnectionResetError):
        assert talk(server.port, b"GET /echo") == b""


def test_a_crowd_of_idle_clients_keeps_nobody_out(server: HttpServer) -> None:
    with ExitStack() as crowd:
        for _ in range(2 * http_server.MAX_CONNECTIONS):
            crowd.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S))
        assert [page(server.port, "/echo")[0] for _ in range(5)] == [200] * 5


def test_who_has_to_go_is_told_so(server: HttpServer) -> None:
    with ExitStack() as crowd:
        slow = crowd.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S))
        slow.sendall(b"GET /echo HTTP/1.1\r\n")
        for _ in range(http_server.MAX_CONNECTIONS):
            crowd.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S))
        assert b" 503 " in slow.recv(65536)


def test_a_crowd_that_does_not_read_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_crowd, "STALLED_S", 0.1)
    large = http_server.Answer(HTTPStatus.OK, b"x" * 8_000_000)
    http = HttpServer("127.0.0.1", 0, {"/large": lambda _: large, "/echo": lambda _: plain(HTTPStatus.OK, "there")})
    http.start()
    with ExitStack() as crowd:
        for _ in range(http_server.MAX_CONNECTIONS):
            client = crowd.enter_context(socket.create_connection(("127.0.0.1", http.port), timeout=PATIENCE_S))
            client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
        assert [page(http.port, "/echo")[0] for _ in range(3)] == [200] * 3
    http.close()


def test_many_at_once_are_all_answered(server: HttpServer) -> None:
    """With what they send still on its way, or more of it than was asked for.

    On a busy machine some take too long to send it, while others wait: then with a 503.
    """
    answers = asyncio.run(asked_at_once(server.port, 300, b"GET /echo HTTP/1.1\r\n\r\nand more"))
    assert {b"200"} <= {each.split(b" ")[1] for each in answers} <= {b"200", b"503"}


def test_who_is_refused_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every place is taken by somebody whose page is being made."""
    monkeypatch.setattr(http_crowd, "ROOM_S", 0.0)
    enough = asyncio.Event()

    async def slow(_request: Request) -> http_server.Answer:
        await enough.wait()
        return plain(HTTPStatus.OK, "at last")

    http = HttpServer("127.0.0.1", 0, {}, slow_pages={"/slow": slow})
    http.start()

    async def crowd() -> tuple[list[bytes], list[bytes]]:
        held = [asyncio.ensure_future(asked(http.port, b"GET /slow HTTP/1.1\r\n\r\n")) for _ in range(MAX_CONNECTIONS)]
        await eventually(lambda: sum(visit.phase == "page" for visit in [*http._visits]) == MAX_CONNECTIONS)
        refused = await asked_at_once(http.port, 200, b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        http._loop.call_soon_threadsafe(enough.set)
        return [await each for each in held], refused

    held, refused = asyncio.run(crowd())
    http.close()
    assert {each.split(b" ")[1] for each in held} == {b"200"}
    assert {each.split(b" ")[1] for each in refused} == {b"503"}
    assert all(each.endswith(b"too many connections\n") for each in refused)


def test_a_flood_of_idle_clients_takes_no_more_descriptors_than_it_may(server: HttpServer) -> None:
    clients = 5 * http_server.MAX_TAKEN
    before = clients + descriptors()
    with ExitStack() as crowd:
        for _ in range(clients):
            client = crowd.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", server.port))
        deadline = time.monotonic() + PATIENCE_S
        while descriptors() - before < http_server.MAX_CONNECTIONS:
            assert time.monotonic() < deadline, "nobody was let in"
        assert descriptors() - before <= http_server.MAX_TAKEN
    assert page(server.port, "/echo")[0] in (200, 503)


def test_clients_that_read_nothing_cost_no_more_than_a_few_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_unread, "MAX_UNREAD_BYTES", 2**25 + 2**12)
    monkeypatch.setattr(http_talk, "SENDING_S", PATIENCE_S)
    monkeypatch.setattr(http_talk, "DEADLINE_S", PATIENCE_S)
    # None of them has to go for another.
    monkeypatch.setattr(http_crowd, "STALLED_S", PATIENCE_S)
    monkeypatch.setattr(http_crowd, "SLOW_S", PATIENCE_S)
    made: list[str] = []

    def large(accept: str) -> http_server.Answer:
        made.append(accept)
        return http_server.Answer(HTTPStatus.OK, bytes(2**24))

    http = HttpServer("127.0.0.1", 0, {"/large": large, "/small": lambda _: plain(HTTPStatus.OK, "well")})
    http.start()
    with ExitStack() as stack:
        heads = []
        for _ in range(5):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", http.port), timeout=PATIENCE_S))
            client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            heads.append(client.recv(12))
        assert heads == [b"HTTP/1.1 200"] * 2 + [b"HTTP/1.1 503"] * 3
        assert page(http.port, "/small")[0] == 200
    assert len(made) == 2
    http.close()


def test_who_does_not_read_gives_way_to_who_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two large pages that nobody reads are all that may wait; a third client gets one nevertheless."""
    monkeypatch.setattr(http_unread, "MAX_UNREAD_BYTES", 2**24)
    monkeypatch.setattr(http_crowd, "STALLED_S", 0.1)
    http = HttpServer("127.0.0.1", 0, {"/large": lambda _: http_server.Answer(HTTPStatus.OK, bytes(2**23))})
    http.start()
    with ExitStack() as stack:
        for _ in range(2):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", http.port), timeout=PATIENCE_S))
            client.sendall(b"GET /large HTTP/1.1\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        deadline = time.monotonic() + PATIENCE_S
        while len(talk(http.port, b"GET /large HTTP/1.1\r\n\r\n")) < 2**23:
            assert time.monotonic() < deadline, "no page for who reads"
    http.close()


def test_a_page_that_takes_long_to_make_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_talk, "DEADLINE_S", 0.2)

    def slow(_accept: str) -> http_server.Answer:
        until = time.monotonic() + 0.3
        while time.monotonic() < until:
            pass
        return http_server.Answer(HTTPStatus.OK, bytes(2**22))

    http = HttpServer("127.0.0.1", 0, {"/slow": slow})
    http.start()
    assert len(talk(http.port, b"GET /slow HTTP/1.1\r\n\r\n")) > 2**22
    http.close()


def test_without_descriptors_it_complains_once_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(http_server, "RETRY_S", 0.0)
    refused = iter(range(100))
    truly = BaseSelectorEventLoop.sock_accept

    async def accept(loop: BaseSelectorEventLoop, taking: socket.socket) -> tuple[socket.socket, object]:
        if next(refused, None) is not None:
            raise OSError(errno.EMFILE, "Too many open files")
        return await truly(loop, taking)

    monkeypatch.setattr(BaseSelectorEventLoop, "sock_accept", accept)
    complaints: list[str] = []
    http = HttpServer("127.0.0.1", 0, {"/echo": lambda _: plain(HTTPStatus.OK, "there")}, complaints.append)
    http.start()
    assert page(http.port, "/echo")[2] == "there\n"
    http.close()
    assert complaints == ["no connection can be taken: Too many open files"]
    assert caplog.records == []


def test_a_port_that_is_taken_is_reported_at_once(server: HttpServer) -> None:
    with pytest.raises(OSError, match="in use"):
        HttpServer("127.0.0.1", server.port, {})


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("::1", ["::1"]),
        ("127.0.0.1", ["127.0.0.1"]),
        ("localhost", ["127.0.0.1", "::1"]),
        ("::", ["127.0.0.1", "::1"]),
        ("0.0.0.0", ["127.0.0.1"]),
    ],
)
def test_it_listens_where_it_is_configured(host: str, reached: list[str]) -> None:
    http = HttpServer(host, 0, {})
    http.start()
    for each in ("127.0.0.1", "::1"):
        if each in reached:
            assert b" 404 " in talk(http.port, b"GET / HTTP/1.1\r\n\r\n", each)
        else:
            with pytest.raises(ConnectionRefusedError):
                talk(http.port, b"", each)
    http.close()


@pytest.mark.parametrize("host", ["localhost", "::"])
def test_a_family_that_the_machine_lacks_is_left_out(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    truly = socket.create_server

    def create(address: tuple[str, int], **more: Any) -> socket.socket:
        if more["family"] == socket.AF_INET6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return truly(address, **more)

    monkeypatch.setattr(socket, "create_server", create)
    http = HttpServer(host, 0, {})
    http.start()
    assert b" 404 " in talk(http.port, b"GET / HTTP/1.1\r\n\r\n")
    http.close()
    with pytest.raises(OSError, match="Cannot assign"):
        HttpServer("::1", 0, {})


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9850", b"200"), ("127.0.0.1", b"200"), ("[::1]:9850", b"200"), ("a.localhost", b"200"),
        ("probe.example.org", b"200"), (socket.gethostname(), b"200"),
        ("evil.example.com", b"421"), ("evil.example.com:9850", b"421"), ("localhost.example.com", b"421"),
        ("", b"421"),
    ],
)  # fmt: skip
def test_over_loopback_only_names_of_this_machine_are_answered(host: str, status: bytes) -> None:
    pages = {"/": lambda _: plain(HTTPStatus.OK, "here")}
    http = HttpServer("127.0.0.1", 0, pages, allowed_hosts=["probe.example.org"])
    http.start()
    assert talk(http.port, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).split(b" ")[1] == status
    http.close()


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(socket.gaierror):
        HttpServer("host.invalid", 0, {})
