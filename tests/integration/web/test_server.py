"""`probe web` as a process: real sockets, TLS, signals, clients that do nothing."""

import asyncio
import base64
import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import bcrypt
import pytest
import trustme
from long_history import fill
from runs import record
from served_pages import Served, served
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from probe import http_crowd
from probe.history import listing
from probe.history.listing import Place, Wanted
from probe.history.reader import HistoryReader, reading
from probe.history.writer import History
from probe.web import connection, server
from probe.web.app import Site

RUN = record(1)
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    db = History(folder)
    db.append(RUN)
    db.close()
    return folder


@pytest.fixture(scope="module")
def pages(state_dir: Path) -> Iterator[Served]:
    with served(state_dir) as process:
        yield process


def get(address: str, **headers: str) -> tuple[int, str]:
    """Status and text; cookies are kept through a redirection."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with opener.open(urllib.request.Request(address, headers=named), timeout=60) as answer:  # noqa: S310 - our own
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_address_that_is_printed_opens_and_another_does_not(pages: Served) -> None:
    assert pages.address.startswith("http://127.0.0.1:") and "?token=" in pages.address
    status, text = get(pages.address)
    assert (status, "<nav" in text) == (200, True)
    status, text = get(f"{pages.base}/runs")
    assert (status, RUN.plan.run_id in text) == (403, False)


def test_a_page_of_another_name_is_refused(pages: Served) -> None:
    assert get(pages.address, host="evil.example")[0] == 421


@contextmanager
def events(pages: Served) -> Iterator[http.client.HTTPResponse]:
    token = pages.address.partition("token=")[2]
    with closing(http.client.HTTPConnection("127.0.0.1", pages.port, timeout=60)) as connection:
        connection.request("GET", "/events", headers={"Cookie": f"voice_probe_{pages.port}={token}"})
        with connection.getresponse() as stream:
            yield stream


def until_data(stream: http.client.HTTPResponse) -> int:
    while not (line := stream.readline()).startswith(b"data: "):
        assert line, "the stream has ended"
    return int(line.removeprefix(b"data: "))


def test_an_open_page_learns_of_a_run_and_a_signal_ends_it_at_once(tmp_path: Path) -> None:
    db = History(tmp_path)
    with served(tmp_path) as pages, events(pages) as stream:
        assert stream.status == 200
        before = until_data(stream)
        db.append(RUN)
        assert until_data(stream) == before + 1
        began = time.monotonic()
        assert pages.stop() == 0
        # Two seconds on a machine that is not busy.
        assert time.monotonic() - began < 20
    db.close()


def test_a_password_opens_over_tls(state_dir: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    for name, blob in (("cert", issued.cert_chain_pems[0]), ("key", issued.private_key_pem)):
        blob.write_to_path(tmp_path / name)
    hashed = tmp_path / "hash"
    hashed.write_bytes(bcrypt.hashpw(b"open sesame", bcrypt.gensalt(10)))
    hashed.chmod(0o600)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    options = ("--tls-cert", tmp_path / "cert", "--tls-key", tmp_path / "key", "--password-file", hashed)
    with served(state_dir, "--host", "0.0.0.0", *map(str, options)) as pages:
        found = []
        for password in ("open sesame", "open says me"):
            asked = urllib.request.Request(f"https://127.0.0.1:{pages.port}/runs")
            asked.add_header("Authorization", "Basic " + base64.b64encode(f"me:{password}".encode()).decode())
            try:
                with urllib.request.urlopen(asked, context=trusting, timeout=60) as answer:  # noqa: S310 - the same
                    found.append((answer.status, RUN.plan.run_id in answer.read().decode()))
            except urllib.error.HTTPError as error:
                found.append((error.code, RUN.plan.run_id in error.read().decode()))
    assert found == [(200, True), (401, False)]


def test_a_client_that_sends_no_request_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "REQUEST_DEADLINE_S", 0.2)
    listener = server.listen("127.0.0.1", 0)
    port = listener.getsockname()[1]

    async def slow(half: bytes, whole: bytes = b"") -> bytes:
        """Ask once, if at all, and then send half of a request; what comes until the connection is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(whole)
        answered = await reader.readuntil(b"words") if whole else b""
        writer.write(half)
        try:
            return answered + await reader.read()
        except ConnectionError:
            return answered
        finally:
            writer.close()

    async def visited() -> tuple[bytes, ...]:
        site = Site(PlainTextResponse("words"), lambda: None)
        running = server._Server(server._config(site.app, None))
        serving = asyncio.create_task(running.serve([listener]))
        whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        async with asyncio.timeout(60):
            found = await asyncio.gather(slow(b""), slow(b"GET / HT"), slow(b"GET / HT", whole))
        running.should_exit = True
        await serving
        return found

    nothing, half, second_half = asyncio.run(visited())
    assert b"words" not in nothing + half
    assert second_half.count(b"200 OK") == 1


WHOLE = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[int]:
    """A server of these pages in this process: its port."""
    listener = server.listen("127.0.0.1", 0)
    pages = server._Server(server._config(app, None))
    serving = asyncio.create_task(pages.serve([listener]))
    yield listener.getsockname()[1]
    pages.should_exit = True
    await serving


async def visited(port: int, sent: bytes) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def crowd_of(count: int, port: int, sent: bytes) -> list[Streams]:
    return [await visited(port, sent) for _ in range(count)]


@pytest.mark.parametrize("sent", [b"", WHOLE[:-2], WHOLE], ids=["nothing", "half", "idle-afterwards"])
async def test_a_crowd_that_asks_for_nothing_more_keeps_nobody_out(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "REQUEST_DEADLINE_S", PATIENCE_S)
    monkeypatch.setattr(http_crowd, "ROOM_S", PATIENCE_S)
    monkeypatch.setattr(server, "KEEP_ALIVE_S", PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S), running(PlainTextResponse("words")) as port:
        crowd = await crowd_of(connection.MAX_CONNECTIONS, port, sent)
        if sent == WHOLE:
            for reader, _ in crowd:
                await reader.readuntil(b"words")
        reader, client = await visited(port, WHOLE)
        assert (await reader.readuntil(b"words")).startswith(b"HTTP/1.1 200 ")
        # One of them had to go, and had an answer where it waited for one.
        reading = [asyncio.ensure_future(reader.read()) for reader, _ in crowd]
        gone, others = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        assert [b" 503 " in each.result() for each in gone] == [sent != WHOLE]
        for each in others:
            each.cancel()
        for _, writer in [*crowd, (reader, client)]:
            writer.close()


async def test_where_all_wait_for_their_page_one_more_is_refused_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_crowd, "ROOM_S", 0.1)
    asked, all_wait, lets_go = 0, asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal asked
        asked += 1
        if asked == connection.MAX_CONNECTIONS:
            all_wait.set()
        await lets_go.wait()
        await PlainTextResponse("words")(scope, receive, send)

    async with asyncio.timeout(PATIENCE_S), running(slow) as port:
        crowd = await crowd_of(connection.MAX_CONNECTIONS, port, WHOLE)
        await all_wait.wait()
        reader, refused = await visited(port, WHOLE)
        assert (await reader.read()).endswith(b"\r\n\r\ntoo many connections\n")
        monkeypatch.setattr(http_crowd, "ROOM_S", PATIENCE_S)
        patient, client = await visited(port, WHOLE)
        lets_go.set()
        assert (await patient.readuntil(b"words")).startswith(b"HTTP/1.1 200 ")
        for _, writer in [*crowd, (reader, refused), (patient, client)]:
            writer.close()
    assert asked == connection.MAX_CONNECTIONS + 1


async def test_a_client_that_does_not_read_its_page_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 1)
    monkeypatch.setattr(http_crowd, "ROOM_S", PATIENCE_S)
    page = b"x" * 2**24
    async with asyncio.timeout(PATIENCE_S), running(PlainTextResponse(page)) as port:
        stuck, slow = await visited(port, WHOLE)
        await stuck.readexactly(1)
        slow.transport.pause_reading()  # type: ignore[attr-defined]  # that of a stream can be read
        reader, client = await visited(port, WHOLE.replace(b"GET", b"HEAD"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        for writer in (slow, client):
            writer.transport.abort()


def test_a_head_that_is_too_large_is_refused(pages: Served) -> None:
    with socket.create_connection(("127.0.0.1", pages.port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 60_000)
        try:
            answer = connection.recv(1000)
        except ConnectionError:
            answer = b""
    assert not answer or answer.startswith(b"HTTP/1.1 4")


class Steps:
    """Counts what SQLite does, in thousands of steps of its machine: the same on every machine."""

    def __init__(self, reader: HistoryReader) -> None:
        self.count = 0
        reader._db.set_progress_handler(self._step, 1000)

    def _step(self) -> int:
        self.count += 1
        return 0


def test_a_page_of_the_list_costs_the_same_at_100000_runs(tmp_path: Path) -> None:
    fill(tmp_path, 100_000, RUN, blob=b"no record")
    with reading(tmp_path) as reader:
        steps, first = Steps(reader), listing.listing(reader, Wanted(), "newest", None)
        middle = listing.listing(reader, Wanted(), "newest", Place(False, first.runs[-1].started - 10**15, 1))
        assert (len(first.runs), len(middle.runs)) == (listing.PAGE, listing.PAGE)
        assert listing.count(reader) == 100_000 and len(reader.series()) == 3
        assert listing.count_newer(reader, Wanted(), 99_990) == 10
        along_an_index, steps.count = steps.count, 0
        # Looked for in all of them, once.
        assert listing.listing(reader, Wanted(outcome="skipped"), "slowest", None).runs == ()
        assert along_an_index <= 20 < steps.count <= 3000
