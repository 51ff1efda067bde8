"""OTLP over gRPC."""

import ssl
from pathlib import Path
from typing import Generic
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]  # has no stubs

from probe.otlp.collector import Endpoint, RefusedError, Request, Response, Signal, UnavailableError
from probe.urls import authorization

_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    # A channel of its own for each attempt: a shared one would go on waiting, for up to two minutes, after the
    # collector is back.
    ("grpc.use_local_subchannel_pool", 1),
    # A collector that ends each connection at once (GOAWAY) would be asked again and again within one attempt, in
    # memory that only grows; the sink has its own patience.
    ("grpc.enable_retries", 0),
)
# gRPC says this of too much data and of too many requests alike.
_TOO_LARGE = "larger than max"


class GrpcCollector(Generic[Request, Response]):
    """A collector at `http://HOST:PORT`, with TLS at `https://HOST:PORT`."""

    def __init__(self, endpoint: Endpoint, signal: Signal[Request, Response]) -> None:
        self._signal = signal
        parts = urlsplit(endpoint.url)
        self._endpoint = endpoint
        self._address = parts.netloc.rpartition("@")[2]
        self._credentials = grpc.ssl_channel_credentials(_trusted()) if parts.scheme == "https" else None
        headers = {name.lower(): value for name, value in endpoint.headers.items()}
        if (user := authorization(endpoint.url)) is not None:
            headers.setdefault("authorization", user)
        self._metadata = tuple(headers.items())

    def send(self, request: Request) -> Response:
        """Deliver a request once. Raises UnavailableError, RefusedError."""
        with self._channel() as channel:
            try:
                export = channel.unary_unary(self._signal.method, self._signal.encode, self._signal.decode)
                response: Response = export(request, timeout=self._endpoint.timeout_s, metadata=self._metadata)
            except grpc.RpcError as error:
                raise self._complaint(error) from error
        return response

    def reason(self, said: str) -> str:
        return self._endpoint.reason(said)

    def _channel(self) -> grpc.Channel:
        if self._credentials is None:
            return grpc.insecure_channel(self._address, _OPTIONS)
        return grpc.secure_channel(self._address, self._credentials, _OPTIONS)

    def _complaint(self, error: grpc.RpcError) -> Exception:
        code, details = error.code(), error.details() or ""
        text = f"{self._address}: {code.name}: {self.reason(details)}"
        too_large = code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in details
        if code is grpc.StatusCode.INVALID_ARGUMENT or too_large:
            return RefusedError(text)
        return UnavailableError(text)


def _trusted() -> bytes | None:
    """The certificates that this machine trusts, as all other TLS here does; None where it has none: gRPC's own then.

    OpenSSL takes them from one file, and from those files of a directory that are named by a hash.
    """
    paths = ssl.get_default_verify_paths()
    files = [] if paths.cafile is None else [Path(paths.cafile)]
    if paths.capath is not None:
        files += sorted(Path(paths.capath).glob("[0-9a-f]" * 8 + ".[0-9]"))
    found = {file.resolve(): file for file in files}
    return b"\n".join(filter(None, map(_read, found))) or None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
