"""OTLP over HTTP: a POST of protobuf."""

import asyncio
from http import HTTPStatus
from typing import Generic
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # has no stubs
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # has no stubs

from probe.otlp import collector
from probe.otlp.collector import Endpoint, RefusedError, Response, Signal, UnavailableError
from probe.transport import connection
from probe.transport.ask import Answer, NoAnswerError, exchange
from probe.transport.framing.base import Request

# A path that ends so is a base, to which OTLP adds its own path, as in the addresses that vendors hand out.
_BASES = ("", "otlp", "otel", "opentelemetry")
_TRACES = "/v1/traces"
_PROTOBUF = "application/x-protobuf"
# Only these are about the data. Any other is about the way there, which someone may put right.
_REFUSALS = (400, 413, 422)
_LONGEST_RETRY_AFTER_S = 600.0
_STATUSES = frozenset(HTTPStatus)


class HttpCollector(Generic[collector.Request, Response]):
    """A collector at an http or https URL. Proxies from the environment are not used."""

    def __init__(self, endpoint: Endpoint, signal: Signal[collector.Request, Response]) -> None:
        self._signal = signal
        parts = urlsplit(endpoint.url)
        self._host = parts.hostname or ""
        self._path = _path(parts.path, signal.path)
        self._query = parts.query and f"?{parts.query}"
        self._timeout_s = endpoint.timeout_s
        headers = {**endpoint.headers, "Content-Type": _PROTOBUF}
        self._reason = endpoint.reason
        self._connection = connection.Endpoint(endpoint.url, "http1", headers)

    def send(self, request: collector.Request) -> Response:
        """Deliver a request once. Raises UnavailableError, RefusedError.

        It waits, so it is for a thread without an event loop.
        """
        post = Request("POST", self._path + self._query, body=self._signal.encode(request))
        try:
            answer = asyncio.run(exchange(self._connection, post, self._timeout_s))
        except NoAnswerError as error:
            raise UnavailableError(f"{self._host}: {error}") from error
        if answer.status // 100 != 2:  # noqa: PLR2004 - HTTP's class of successes
            raise self._complaint(answer)
        try:
            return self._signal.decode(answer.body)
        except DecodeError:
            # Some say it in JSON or in HTML; the status is what counts.
            return self._signal.decode(b"")

    def reason(self, said: str) -> str:
        return self._reason(said)

    def _complaint(self, answer: Answer) -> Exception:
        detail = f"{self._host} answered {_named(answer.status)} to POST {self._path}"
        if reason := self.reason(_words(answer)):
            detail = f"{detail}: {reason}"
        if answer.status in _REFUSALS:
            return RefusedError(detail)
        after = answer.headers.get("retry-after", "")
        return UnavailableError(detail, min(float(after), _LONGEST_RETRY_AFTER_S) if after.isdecimal() else 0.0)


def _path(given: str, own: str) -> str:
    """Where a signal is sent; one address of spans serves for the others too."""
    base = given.rstrip("/")
    if base.rpartition("/")[2] in _BASES:
        return base + own
    return base.removesuffix(_TRACES) + own if own != _TRACES and base.endswith(_TRACES) else given


def _named(status: int) -> str:
    """A status with HTTP's own name for it, where it has one."""
    return f"{status} {HTTPStatus(status).phrase}" if status in _STATUSES else str(status)


def _words(answer: Answer) -> str:
    """What an answer that is no success says: OTLP has a message for it, and proxies write what they like."""
    if answer.headers.get("content-type", "").partition(";")[0].strip().lower() == _PROTOBUF:
        status = Status()
        try:
            status.ParseFromString(answer.body)
        except DecodeError:
            return ""
        return str(status.message)
    # The name of where it was sent says more than the page of a redirect.
    text = answer.headers.get("location", "") or answer.body.decode("utf-8", "replace")
    return "" if text.lstrip().startswith("<") else text
