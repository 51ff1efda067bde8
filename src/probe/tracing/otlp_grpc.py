"""OTLP over gRPC."""

from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]  # has no stubs
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from probe.tracing.collector import Endpoint, RefusedError, UnavailableError

_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    # A channel of its own for each attempt: a shared one would go on waiting, for up to two minutes, after the
    # collector is back.
    ("grpc.use_local_subchannel_pool", 1),
)
# gRPC says this of too much data and of too many requests alike.
_TOO_LARGE = "larger than max"


class GrpcCollector:
    """A collector at `http://HOST:PORT`, with TLS at `https://HOST:PORT`."""

    def __init__(self, endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.url)
        self._endpoint = endpoint
        self._address = parts.netloc.rpartition("@")[2]
        self._credentials = grpc.ssl_channel_credentials() if parts.scheme == "https" else None
        self._metadata = tuple((name.lower(), value) for name, value in endpoint.headers.items())

    def send(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        """Deliver a request once. Raises UnavailableError, RefusedError."""
        with self._channel() as channel:
            try:
                stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]  # generated code
                response: ExportTraceServiceResponse = stub.Export(
                    request, timeout=self._endpoint.timeout_s, metadata=self._metadata
                )
            except grpc.RpcError as error:
                raise self._complaint(error) from error
        return response

    def _channel(self) -> grpc.Channel:
        if self._credentials is None:
            return grpc.insecure_channel(self._address, _OPTIONS)
        return grpc.secure_channel(self._address, self._credentials, _OPTIONS)

    def _complaint(self, error: grpc.RpcError) -> Exception:
        code, details = error.code(), error.details() or ""
        text = f"{self._address}: {code.name}: {details}"
        too_large = code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details
        if code is grpc.StatusCode.INVALID_ARGUMENT or too_large:
            return RefusedError(text)
        return UnavailableError(text)
