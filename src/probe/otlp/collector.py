"""A collector as the sinks use it: an address, what is delivered there, and the errors of that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from probe.credentials import secrets_of, without
from probe.text import cut, one_line

# More of what a collector says nobody reads in a log.
REASON_CHARACTERS = 200
_READ_CHARACTERS = 2**12

Request = TypeVar("Request")
Response = TypeVar("Response")
Sent_contra = TypeVar("Sent_contra", contravariant=True)
Got_co = TypeVar("Got_co", covariant=True)


class UnavailableError(Exception):
    """The collector has not taken the data and may do so later, at the earliest after `retry_after_s`."""

    def __init__(self, detail: str, retry_after_s: float = 0.0) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class RefusedError(Exception):
    """The collector will never take this data."""


@dataclass(frozen=True, slots=True)
class Signal(Generic[Request, Response]):
    """What is delivered: spans, or metrics. OTLP has a path for it over HTTP, and a method over gRPC."""

    path: str
    method: str
    encode: Callable[[Request], bytes]
    # Raises DecodeError for bytes that are no such message.
    decode: Callable[[bytes], Response]


class Collector(Protocol[Sent_contra, Got_co]):
    """A destination of one signal."""

    def send(self, request: Sent_contra) -> Got_co:
        """Deliver a request once. Raises UnavailableError, RefusedError."""

    def reason(self, said: str) -> str:
        """What this collector gives as a reason, fit for a log: one line, cut, without credentials that it quotes."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A collector's address. A URL without a path gets OTLP's own, such as `/v1/traces`, where the protocol is http.

    `headers` may hold secrets: they are not shown.
    """

    url: str
    protocol: Literal["http", "grpc"] = "http"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 3.0

    def reason(self, said: str) -> str:
        """What the collector says of a refusal, fit for a log: one line, cut, without credentials that it quotes."""
        line = one_line(said[:_READ_CHARACTERS])
        return cut(without(line, secrets_of(self.url, self.headers)), REASON_CHARACTERS)
