"""Collectors as vendors and proxies really are: their addresses, their credentials, their words, their arithmetic."""

import base64
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import grpc  # type: ignore[import-untyped]  # has no stubs
import pytest
import trustme
from collectors import OK, PATIENCE_S, SERVERS, Receiver, Sending, add_receiver
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # has no stubs
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from runs import record

from probe.otlp.collector import Endpoint, RefusedError, UnavailableError
from probe.otlp.deliver import collector
from probe.otlp.grpc import GrpcCollector
from probe.tracing import spans
from probe.tracing.otlp import TRACES

NOTHING = ExportTraceServiceRequest()
BASIC = "Basic " + base64.b64encode(b"123:glc token").decode()


class Answering:
    """An HTTP server that answers every request alike, and what it was asked."""

    def __init__(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.asked: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_S)


def complaint(answering: Answering, headers: dict[str, str] | None = None) -> str:
    """What is said of a request that this server refuses."""
    with answering as server, pytest.raises((RefusedError, UnavailableError)) as caught:
        collector(Endpoint(f"http://{server.host}", headers=headers or {}), TRACES).send(NOTHING)
    return str(caught.value).removeprefix("127.0.0.1 answered ")


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", "/v1/traces"),
        ("/", "/v1/traces"),
        ("/otlp", "/otlp/v1/traces"),
        ("/otlp/", "/otlp/v1/traces"),
        ("/api/v2/otlp", "/api/v2/otlp/v1/traces"),
        ("/api/public/otel", "/api/public/otel/v1/traces"),
        ("/otlp/v1/traces", "/otlp/v1/traces"),
        ("/v1/traces", "/v1/traces"),
        ("/v1/traces/", "/v1/traces/"),
        ("/collect?key=abc", "/collect?key=abc"),
        ("/otlp?key=abc", "/otlp/v1/traces?key=abc"),
    ],
)
def test_what_an_endpoint_means(path: str, asked: str) -> None:
    with Answering() as server:
        collector(Endpoint(f"http://{server.host}{path}"), TRACES).send(NOTHING)
    assert server.asked == [(asked, None)]


def test_credentials_in_the_url_are_sent_over_http() -> None:
    with Answering() as server:
        collector(Endpoint(f"http://123:glc%20token@{server.host}"), TRACES).send(NOTHING)
    assert server.asked == [("/v1/traces", BASIC)]


def test_credentials_in_the_url_are_sent_over_grpc_and_a_header_outranks_them() -> None:
    receiver = Receiver()
    with SERVERS["grpc"](receiver) as url:
        with_user = url.replace("://", "://123:glc%20token@")
        collector(Endpoint(with_user, "grpc"), TRACES).send(NOTHING)
        collector(Endpoint(with_user, "grpc", {"Authorization": "Bearer x"}), TRACES).send(NOTHING)
    assert [each["authorization"] for each in receiver.headers] == [BASIC, "Bearer x"]


@contextmanager
def secure(receiver: Receiver, authority: trustme.CA) -> Iterator[str]:
    """A gRPC receiver with a certificate of this authority."""
    own = authority.issue_cert("localhost")
    pair = (own.private_key_pem.bytes(), b"".join(each.bytes() for each in own.cert_chain_pems))
    server = grpc.server(ThreadPoolExecutor(1))
    add_receiver(receiver, server)
    port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([pair]))
    server.start()
    try:
        yield f"https://localhost:{port}"
    finally:
        server.stop(None).wait(PATIENCE_S)


def trusting_a_file(authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder / "none"))


def trusting_a_folder(authority: trustme.CA, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(folder / "0a1b2c3d.0"))
    (folder / "readme.txt").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))


@pytest.mark.parametrize("trusting", [trusting_a_file, trusting_a_folder])
def test_grpc_trusts_what_the_machine_trusts(
    trusting: Callable[[trustme.CA, Path, pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, receiver = trustme.CA(), Receiver()
    trusting(authority, tmp_path, monkeypatch)
    with secure(receiver, authority) as url:
        collector(Endpoint(url, "grpc", timeout_s=PATIENCE_S), TRACES).send(NOTHING)
    assert receiver.attempts == 1


def test_grpc_trusts_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver = Receiver()
    trusting_a_file(trustme.CA(), tmp_path, monkeypatch)
    with secure(receiver, trustme.CA()) as url, pytest.raises(UnavailableError, match="UNAVAILABLE"):
        collector(Endpoint(url, "grpc", timeout_s=PATIENCE_S), TRACES).send(NOTHING)
    assert receiver.attempts == 0


def test_without_any_certificate_on_the_machine_grpc_takes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setattr(grpc, "ssl_channel_credentials", given.append)
    GrpcCollector(Endpoint("https://localhost:4317", "grpc"), TRACES)
    assert given == [None]


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, b"tenant limit: trace too large", "text/plain", "400 Bad Request to POST /v1/traces: tenant limit: "),
        (401, b"no org id\n", "text/plain", "401 Unauthorized to POST /v1/traces: no org id"),
        (400, Status(message="bad span").SerializeToString(), "application/x-protobuf", "/v1/traces: bad span"),
        (500, b"\xff\xfe", "application/x-protobuf", "500 Internal Server Error to POST /v1/traces"),
        (502, b" <html><h1>Bad gateway</h1>", "text/html", "502 Bad Gateway to POST /v1/traces"),
        (503, b"", "text/plain", "503 Service Unavailable to POST /v1/traces"),
    ],
)
def test_the_reason_of_a_refusal_is_said(status: int, body: bytes, kind: str, said: str) -> None:
    found = complaint(Answering(status, body, Content_Type=kind))
    assert said in found and "<" not in found


def test_a_redirect_says_where_to() -> None:
    assert complaint(Answering(308, Location="https://h/v1/traces")).endswith("/v1/traces: https://h/v1/traces")


def test_a_reason_is_a_short_line_without_our_credentials() -> None:
    long = b"\x1b]0;pwn\x07 \xc2\x9b31m " + b"no key Bearer SEKRET-12345 " + b"\xc3\xa9\n" * 50_000
    found = complaint(Answering(400, long), {"authorization": "Bearer SEKRET-12345"})
    reason = found.partition("/v1/traces: ")[2]
    assert reason.startswith("]0;pwn 31m no key Bearer … é é") and reason.endswith("…")
    assert reason.isprintable() and len(reason) == 201


def test_a_collector_that_quotes_the_key_of_its_address_gets_it_into_no_log() -> None:
    said = Endpoint("http://c:4318/otlp?key=SEKRET-12345").reason("Cannot POST /otlp/v1/traces?key=SEKRET-12345")
    assert said == "Cannot POST /otlp/v1/traces?key=…"


@pytest.mark.parametrize(
    ("said", "dropped"),
    [(-1, []), (-(1 << 62), []), (0, []), (2, [2]), (1 << 62, [spans.count(record(1))])],
)
def test_a_collector_can_reject_no_more_than_it_was_sent(said: int, dropped: list[int], tmp_path: Path) -> None:
    """A count below zero once stopped the export permanently; one of 2^62 made the counter useless."""
    partial = ExportTracePartialSuccess(rejected_spans=said, error_message="too old")
    receiver = Receiver(lambda _request: ExportTraceServiceResponse(partial_success=partial))
    with SERVERS["http"](receiver) as url:
        sending = Sending(tmp_path, url)
        sending.run(record(1))
        receiver.wait(lambda: receiver.attempts >= 1)
        sending.close()
        Sending(tmp_path, url).close()
    assert receiver.attempts == 1
    assert sending.dropped == dropped
    assert sending.errors == [f"the collector rejected {count} spans: too old" for count in dropped]


def test_the_same_reason_is_logged_once_and_counted_each_time(tmp_path: Path) -> None:
    answers: list[Any] = [503, 503, OK, 503, OK]
    receiver = Receiver(lambda _request: answers.pop(0))
    with SERVERS["http"](receiver) as url:
        sending = Sending(tmp_path, url)
        sending.run(record(1))
        receiver.wait(lambda: receiver.attempts == 3)
        sending.run(record(2))
        receiver.wait(lambda: receiver.attempts == 5)
        sending.close()
    said = "127.0.0.1 answered 503 Service Unavailable"
    assert len(sending.errors) == 3
    assert [each.partition(" to POST")[0] for each in sending.logged] == [said, said]


def test_a_collector_that_ends_every_connection_is_asked_once_an_attempt() -> None:
    """GRPC's own retries ask it again and again until the attempt's deadline, at 500 MB per second."""
    settings, goaway = b"\0\0\0\x04\0\0\0\0\0", b"\0\0\x08\x07\0\0\0\0\0" + b"\0" * 8
    opened: list[socket.socket] = []

    def drain(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                opened.append(listener.accept()[0])
                opened[-1].sendall(settings + goaway)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drain, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(UnavailableError, match="GOAWAY"):
            collector(Endpoint(url, "grpc", timeout_s=PATIENCE_S), TRACES).send(NOTHING)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)
    for each in opened:
        each.close()
    assert len(opened) == 1
