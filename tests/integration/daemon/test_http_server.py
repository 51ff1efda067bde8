"""The daemon's HTTP server against clients that are slow, many, or talk nonsense."""

import errno
import socket
import time
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path

import pytest
from service import PATIENCE_S, page

from probe.daemon import http_server
from probe.daemon.http_server import HttpServer, plain


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
    monkeypatch.setattr(http_server, "DEADLINE_S", 1.0)


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


def test_a_page_knows_what_is_accepted(server: HttpServer) -> None:
    assert page(server.port, "/echo?x=1", "text/plain;q=0.5")[2] == "accept=text/plain;q=0.5\n"


def test_a_page_that_fails_is_an_answer_too(server: HttpServer) -> None:
    assert page(server.port, "/broken")[0] == 500
    assert page(server.port, "/echo")[0] == 200


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /echo HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /echo\r\n\r\n", b"400"),
        (b"\x16\x03\x01 hello\r\n\r\n", b"400"),
        (b"DELETE /echo HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /none HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /echo HTTP/1.1\r\nX: " + b"x" * 20_000, b"431"),
    ],
)
def test_any_request_gets_an_answer(server: HttpServer, request_: bytes, status: bytes) -> None:
    assert talk(server.port, request_).split(b" ")[1] == status


@pytest.mark.usefixtures("_impatient")
def test_a_client_that_says_nothing_is_left(server: HttpServer) -> None:
    with suppress(ConnectionResetError):
        assert talk(server.port, b"GET /echo") == b""


@pytest.mark.usefixtures("_impatient")
def test_idle_clients_do_not_keep_others_out_for_long(server: HttpServer) -> None:
    with ExitStack() as crowd:
        for _ in range(http_server.MAX_CONNECTIONS):
            crowd.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S))
        deadline = time.monotonic() + PATIENCE_S
        while page(server.port, "/echo")[0] != 200:
            assert time.monotonic() < deadline, "the crowd is still there"
            time.sleep(0.1)


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
    monkeypatch.setattr(http_server, "MAX_UNREAD_BYTES", 2**25 + 2**12)
    monkeypatch.setattr(http_server, "SENDING_S", PATIENCE_S)
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


def test_a_page_that_takes_long_to_make_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "DEADLINE_S", 0.2)

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


def test_it_listens_where_it_is_configured() -> None:
    http = HttpServer("::1", 0, {})
    http.start()
    assert b" 404 " in talk(http.port, b"GET / HTTP/1.1\r\n\r\n", "::1")
    http.close()


def test_a_host_that_is_not_there() -> None:
    with pytest.raises(socket.gaierror):
        HttpServer("host.invalid", 0, {})
