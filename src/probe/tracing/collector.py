"""What a collector is to this sink: an address, a way to deliver a request, and what may go wrong on it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class UnavailableError(Exception):
    """The collector has not taken the spans and may do so later, at the earliest after `retry_after_s`."""

    def __init__(self, detail: str, retry_after_s: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The collector will never take these spans."""


class Collector(Protocol):
    """Where spans go."""

    def send(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        """Deliver a request once. Raises UnavailableError, RefusedError."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A collector's address. A URL without a path gets OTLP's own, `/v1/traces`, where the protocol is http.

    `headers` may hold secrets: they are not shown.
    """

    url: str
    protocol: Literal["http", "grpc"] = "http"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 3.0
