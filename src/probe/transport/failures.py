"""Why a connection did not open, as a reason and a sentence for a person that says what to look at."""

import errno
import socket
import ssl
from urllib.parse import urlsplit

from probe.transport.framing.base import FramingError, Refusal

# What an address with TLS would be without, and the other way round.
_PLAIN = {"wss": "ws", "https": "http", "grpcs": "grpc"}
_NAMES = {"ws": "WebSocket", "wss": "WebSocket", "tcp": "TCP", "grpc": "gRPC", "grpcs": "gRPC"}
_TLS = {plain: tls for tls, plain in _PLAIN.items()}


class HandshakeRefusedError(Exception):
    """The server answered the handshake, and opened nothing."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"HTTP {refusal.status}")
        self.refusal = refusal


def why_not(error: BaseException, url: str, timeout_s: float) -> tuple[str, str]:
    """Turn whatever kept a connection from opening into a reason and a sentence. `url` is one that may be shown."""
    match error:
        case TimeoutError():
            return "timeout", _too_late(url, timeout_s)
        case socket.gaierror():
            return "dns", f"{url}: host name not found ({error.strerror})"
        case OSError(errno=errno.EMFILE | errno.ENFILE):
            return "error", f"{url}: {error.strerror}: raise the limit on this machine (LimitNOFILE=, ulimit -n)"
        case OSError(errno=errno.EAGAIN):
            return "error", f"{url}: {error.strerror}: raise the limit on this machine (TasksMax=, ulimit -u)"
        case ConnectionRefusedError():
            return "refused", f"{url}: connection refused; is the server running?"
        case ssl.SSLError():
            return "tls", f"{url}: {_tls_failure(error, url)}"
        case HandshakeRefusedError():
            # Who knows what servers say knows better what this is.
            return "not_websocket", f"{url}: HTTP {error.refusal.status} instead of a WebSocket"
        case ConnectionError():
            return "closed", f"{url}: the server ended the connection during the handshake; {_tls_hint(url)}"
        case OSError():
            return "unreachable", f"{url}: {error.strerror or error}"
    return "not_websocket", f"{url}: no {_what(url)} server answers there ({error})"


def said_in(error: BaseException) -> str:
    """What the server itself said of it, on one line; empty where it said nothing. For the history alone."""
    match error:
        case FramingError():
            return error.said
    return ""


def _what(url: str) -> str:
    return _NAMES.get(urlsplit(url).scheme, "HTTP")


def _too_late(url: str, timeout_s: float) -> str:
    what = "WebSocket handshake" if _what(url) == "WebSocket" else "connection"
    return f"{url}: no {what} within {timeout_s:g} s; {_tls_hint(url, plain='does that server answer there?')}"


def _tls_failure(error: ssl.SSLError, url: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate was refused: {error.verify_message}"
    return f"TLS failed ({error.reason or error}); {_tls_hint(url)}"


def _tls_hint(url: str, plain: str = "") -> str:
    """A hint if a wrong scheme would explain the failure."""
    scheme = urlsplit(url).scheme
    if scheme in _PLAIN:
        return f"does it speak TLS? if not, it is {_PLAIN[scheme]}://"
    return plain or (f"does it want TLS? then it is {_TLS[scheme]}://" if scheme in _TLS else "is it the right port?")
