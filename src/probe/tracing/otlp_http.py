"""OTLP over HTTP: a POST of protobuf."""

import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has no stubs
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from probe.tracing.collector import Endpoint, RefusedError, UnavailableError
from probe.transport.http_exchange import exchange

_DEFAULT_PATH = "/v1/traces"
_PROTOBUF = "application/x-protobuf"
_LARGEST_ANSWER = 1_000_000
# Only these are about the spans. Any other is about the way there, which someone may put right.
_REFUSALS = (400, 413, 422)
_LONGEST_RETRY_AFTER_S = 600.0


class HttpCollector:
    """A collector at an http or https URL. Proxies from the environment are not used."""

    def __init__(self, endpoint: Endpoint) -> None:
        parts = urlsplit(endpoint.url)
        self._endpoint = endpoint
        self._host, self._port = parts.hostname or "", parts.port
        self._path = (parts.path if parts.path not in ("", "/") else _DEFAULT_PATH) + (
            parts.query and f"?{parts.query}"
        )
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None

    def send(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        """Deliver a request once. Raises UnavailableError, RefusedError."""
        headers = {**self._endpoint.headers, "Content-Type": _PROTOBUF}
        post = ("POST", self._path, request.SerializeToString(), headers)
        try:
            answer, body = exchange(self._connection(), post, self._endpoint.timeout_s, _LARGEST_ANSWER)
        except (OSError, HTTPException) as error:
            raise UnavailableError(f"{self._host}: {type(error).__name__}: {error}") from error
        if answer.status // 100 != 2:  # noqa: PLR2004 - HTTP's class of successes
            raise self._complaint(answer)
        return _response(body)

    def _connection(self) -> HTTPConnection:
        if self._tls is None:
            return HTTPConnection(self._host, self._port, timeout=self._endpoint.timeout_s)
        return HTTPSConnection(self._host, self._port, timeout=self._endpoint.timeout_s, context=self._tls)

    def _complaint(self, answer: HTTPResponse) -> Exception:
        detail = f"{self._host} answered {answer.status} {answer.reason} to POST {self._path.partition('?')[0]}"
        if answer.status in _REFUSALS:
            return RefusedError(detail)
        after = answer.getheader("Retry-After", "")
        return UnavailableError(detail, min(float(after), _LONGEST_RETRY_AFTER_S) if after.isdecimal() else 0.0)


def _response(body: bytes) -> ExportTraceServiceResponse:
    """What the collector says of a success. Some say it in JSON or in HTML; the status is what counts."""
    try:
        response = ExportTraceServiceResponse()
        response.ParseFromString(body)
    except DecodeError:
        return ExportTraceServiceResponse()
    return response
