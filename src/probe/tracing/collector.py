"""A collector as this sink uses it: an address, a way to deliver a request, and the errors of that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import unquote, urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from probe.text import cut, one_line
from probe.urls import authorization

# More of what a collector says nobody reads in a log.
REASON_CHARACTERS = 200
_READ_CHARACTERS = 2**12
# A shorter part of a header is a word, such as "Bearer", and no secret.
_SHORTEST_SECRET = 8


class UnavailableError(Exception):
    """The collector has not taken the spans and may do so later, at the earliest after `retry_after_s`."""

    def __init__(self, detail: str, retry_after_s: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The collector will never take these spans."""


class Collector(Protocol):
    """A destination of spans."""

    def send(self, request: ExportTraceServiceRequest) -> ExportTraceServiceResponse:
        """Deliver a request once. Raises UnavailableError, RefusedError."""

    def reason(self, said: str) -> str:
        """What this collector gives as a reason, fit for a log: one line, cut, without credentials that it quotes."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A collector's address. A URL without a path gets OTLP's own, `/v1/traces`, where the protocol is http.

    `headers` may hold secrets: they are not shown.
    """

    url: str
    protocol: Literal["http", "grpc"] = "http"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 3.0

    def reason(self, said: str) -> str:
        """What the collector says of a refusal, fit for a log: one line, cut, without credentials that it quotes."""
        line = one_line(said[:_READ_CHARACTERS])
        password = unquote(urlsplit(self.url).password or "")
        secrets = " ".join((*self.headers.values(), authorization(self.url) or "", password)).split()
        for secret in sorted(secrets, key=len, reverse=True):
            line = line.replace(secret, "…") if len(secret) >= _SHORTEST_SECRET else line
        return cut(line, REASON_CHARACTERS)
