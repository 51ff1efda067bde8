"""OTLP receivers that are healthy, away, busy, stalling or picky, and a sink that sends to them."""

import gzip
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc  # type: ignore[import-untyped]  # has no stubs
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1 import trace_pb2 as wire

from probe.history.writer import History
from probe.otlp.collector import Endpoint
from probe.otlp.deliver import collector
from probe.record import RunRecord
from probe.tracing import spans
from probe.tracing.exporter import SpanSink
from probe.tracing.otlp import TRACES

PATIENCE_S = 60
OK = ExportTraceServiceResponse()


@dataclass(frozen=True)
class Kind:
    """What a receiver takes, by OpenTelemetry's own generated code."""

    path: str
    request: Any
    response: Any
    servicer: Any
    add: Any


SPANS = Kind(
    "/v1/traces",
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
METRICS = Kind(
    "/v1/metrics",
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
# What a receiver does with a request: the answer, or the status that it refuses with.
Behaviour = Callable[[Any], Any]


class Receiver:
    """What a collector has got, whichever way it came."""

    def __init__(self, behave: Behaviour | None = None, kind: Kind = SPANS) -> None:
        self.kind = kind
        self.behave = behave or (lambda _request: kind.response())
        self.accepted: list[Any] = []
        self.attempts = 0
        self.headers: list[dict[str, str]] = []
        self.changed = threading.Condition()

    def take(self, request: Any, headers: dict[str, str]) -> Any:
        answer = self.behave(request)
        with self.changed:
            self.attempts += 1
            self.headers.append(headers)
            if not isinstance(answer, int):
                self.accepted.append(request)
            self.changed.notify_all()
        return answer

    def wait(self, ready: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(ready, PATIENCE_S), f"{self.attempts} attempts, {len(self.accepted)} accepted"

    def spans(self) -> list[wire.Span]:
        return [
            span
            for request in self.accepted
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def http_server(receiver: Receiver, port: int = 0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found = self.path == receiver.kind.path and self.headers["Content-Type"] == "application/x-protobuf"
            answer: Any = 404
            if found:
                answer = receiver.take(receiver.kind.request.FromString(body), dict(self.headers))
            self.send_response(answer if isinstance(answer, int) else 200)
            self.end_headers()
            if not isinstance(answer, int):
                self.wfile.write(answer.SerializeToString())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE_S)


def add_receiver(receiver: Receiver, server: Any) -> None:
    """Have a gRPC server hand what it gets to a receiver."""
    codes = {503: grpc.StatusCode.UNAVAILABLE, 400: grpc.StatusCode.INVALID_ARGUMENT}

    class Servicer(receiver.kind.servicer):  # type: ignore[misc, name-defined]  # a class that is a value
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
            answer = receiver.take(request, dict(context.invocation_metadata()))
            if isinstance(answer, int):
                context.abort(codes[answer], "no")
            return answer

    receiver.kind.add(Servicer(), server)


@contextmanager
def grpc_server(receiver: Receiver, port: int = 0) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    add_receiver(receiver, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"http://127.0.0.1:{bound}"
    finally:
        server.stop(None).wait(PATIENCE_S)


SERVERS: dict[Any, Any] = {"http": http_server, "grpc": grpc_server}


class Complaints:
    """What a sink of this name complains of: every attempt that failed, and what of it is logged."""

    def __init__(self, name: str) -> None:
        self.errors: list[str] = []
        self.logged: list[str] = []
        self._name = name
        self._complained = threading.Condition()

    def log(self, name: str, what: str) -> None:
        self.logged.append(what)
        self.repeat(name, what)

    def repeat(self, name: str, what: str) -> None:
        assert name == self._name
        with self._complained:
            self.errors.append(what)
            self._complained.notify_all()

    def wait_for_errors(self, count: int) -> None:
        with self._complained:
            assert self._complained.wait_for(lambda: len(self.errors) >= count, PATIENCE_S)


class Sending(Complaints):
    """A history and a sink that sends from it, and what they complain of."""

    def __init__(self, state_dir: Path, url: str, protocol: Any = "http", timeout_s: float = PATIENCE_S) -> None:
        super().__init__("spans")
        self.history = History(state_dir, count_spans=spans.count)
        self.dropped: list[int] = []
        self.sink = SpanSink(
            self.history,
            collector(Endpoint(url, protocol, {"X-Token": "t"}, timeout_s), TRACES),
            "1.2.3",
            on_error=self.log,
            on_repeat=self.repeat,
            on_dropped=self.dropped.append,
            first_backoff_s=0.01,
        )

    def run(self, run: RunRecord) -> None:
        self.history.append(run)
        self.sink.write(run)

    def close(self) -> None:
        self.sink.close(PATIENCE_S)
        assert not self.sink._thread.is_alive()
        self.history.close()
