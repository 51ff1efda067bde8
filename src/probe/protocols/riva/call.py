"""One gRPC call: what it is asked with, and how its answer is read: messages, and the status behind them."""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from probe.protocols.base import AudioFormat, Malformed, Refused
from probe.protocols.fields import one_line, shown
from probe.protocols.http_answers import MAX_BODY_BYTES, FailedAnswer, media_type, says_loading, succeeded
from probe.protocols.http_speech import Reading, Said
from probe.protocols.riva import wire
from probe.protocols.samples import Samples
from probe.transport.framing.base import Request, Response

CUT = Malformed("an answer that ends within a message")
_AUDIO = 1
_OK = 0
# By number, as gRPC has them: the name, and what it is to a run.
_STATUSES: Mapping[int, tuple[str, str]] = {
    _OK: ("OK", ""),
    1: ("CANCELLED", "server_error"),
    2: ("UNKNOWN", "server_error"),
    3: ("INVALID_ARGUMENT", "server_error"),
    4: ("DEADLINE_EXCEEDED", "timeout"),
    5: ("NOT_FOUND", "not_found"),
    6: ("ALREADY_EXISTS", "server_error"),
    7: ("PERMISSION_DENIED", "unauthorized"),
    8: ("RESOURCE_EXHAUSTED", "server_error"),
    9: ("FAILED_PRECONDITION", "server_error"),
    10: ("ABORTED", "server_error"),
    11: ("OUT_OF_RANGE", "server_error"),
    12: ("UNIMPLEMENTED", "not_found"),
    13: ("INTERNAL", "server_error"),
    14: ("UNAVAILABLE", "unavailable"),
    15: ("DATA_LOSS", "server_error"),
    16: ("UNAUTHENTICATED", "unauthorized"),
}
_MOST_DIGITS = 2
_EXHAUSTED, _UNAVAILABLE = 8, 14
# With one of these a server refuses what it does not have, such as a voice.
_REFUSING = (2, 3, 5)
_NO_VOICE: Mapping[str, str] = {"voice": "unknown_voice"}
_NOTHING: Mapping[str, str] = {}
# What is exhausted then is the room for a message, and waiting does not help.
_TOO_LONG = "larger than max"


def called(
    path: str, message: bytes, deadline_s: float | None = None, headers: Mapping[str, str] | None = None
) -> Request:
    """A call with one message; it states how long the server may take."""
    more = {} if deadline_s is None else {"grpc-timeout": f"{max(1, round(1000 * deadline_s))}m"}
    own = {"content-type": "application/grpc", "te": "trailers", "grpc-accept-encoding": "identity"}
    return Request("POST", path, {**(headers or {}), **own, **more}, wire.framed(message))


def read_as(response: Response, path: str, rate: int) -> Reading:
    """How the answer to a call that speaks is read."""
    other = none_of_grpc(response, path)
    return Call(response, path, rate) if other is None else other


def none_of_grpc(response: Response, path: str) -> "Failed | NoCall | None":
    """How an answer is read that comes not from a gRPC server, but from a proxy in between; None for one of gRPC."""
    if not succeeded(response):
        return Failed(response, path)
    if not response.headers.get("content-type", "").lower().startswith("application/grpc"):
        return NoCall(response)
    return None


class Call:
    """An answer: messages of samples, which the status has to confirm."""

    complaint = False
    empty = "OK without any audio"

    def __init__(self, response: Response, path: str, rate: int) -> None:
        self._method = path.rpartition("/")[2]
        self._headers = response.headers
        self._messages = wire.Messages()
        self._samples = Samples()
        self._rate: int | None = rate

    def feed(self, data: bytes) -> Iterator[Said]:
        """Samples of several messages that came in together are one piece of audio."""
        parts: list[bytes] = []
        broken: Malformed | Refused | None = None
        for each in self._messages.feed(data):
            said = _samples(each) if isinstance(each, bytes) else each
            if not isinstance(said, bytes):
                broken = said
                break
            parts.append(said)
        pcm = b"".join(parts)
        if pcm and self._rate is not None:
            yield AudioFormat(self._rate)
            self._rate = None
        yield from self._samples.take(pcm)
        if broken is not None:
            yield broken

    def end(self) -> Iterable[Said]:
        return self.trailed({})

    def trailed(self, trailers: Mapping[str, str]) -> Iterator[Said]:
        """The answer is complete; what failed at once has its status before it, all others behind it."""
        said = {**self._headers, **trailers}
        if (refused := refusal(said, self._method, _NO_VOICE)) is not None:
            yield refused
        elif self._messages.cut:
            yield CUT
        else:
            yield from self._samples.rest()


class Failed(FailedAnswer):
    """An HTTP answer whose status is a failure: of a proxy, or of a server that speaks no gRPC."""

    complaint = True
    empty = ""


class NoCall:
    """An answer of HTTP that is none of gRPC."""

    complaint = True
    empty = ""

    def __init__(self, response: Response) -> None:
        self._kind = media_type(response.headers.get("content-type", ""))
        self._body = bytearray()

    def feed(self, data: bytes) -> Iterator[Malformed]:
        self._body += data[: MAX_BODY_BYTES - len(self._body)]
        if len(self._body) >= MAX_BODY_BYTES:
            yield from self.end()

    def end(self) -> Iterator[Malformed]:
        yield Malformed(f"{self._kind} instead of gRPC", shown(bytes(self._body)))


def refusal(headers: Mapping[str, str], method: str, lacks: Mapping[str, str] = _NOTHING) -> Malformed | Refused | None:
    """What the status of a call says, where that is not OK.

    `lacks`: the reason where a server refuses what it does not have, by a word that is among its own then.
    """
    code = headers.get("grpc-status", "")
    number = int(code) if code.isascii() and code.isdigit() and len(code) <= _MOST_DIGITS else None
    if number is None:
        return Malformed("an answer without the status of its call", shown(code.encode()))
    if number == _OK:
        return None
    name, reason = _STATUSES.get(number, ("an unknown status", "server_error"))
    said = one_line(unquote(headers.get("grpc-message", "")))
    if number in _REFUSING:
        reason = next((known for word, known in lacks.items() if word in said.lower()), reason)
    if number == _UNAVAILABLE and says_loading(said):
        reason = "loading"
    busy = number == _EXHAUSTED and _TOO_LONG not in said
    return Refused(f"{name} from {method}", said, busy=busy, reason=reason)


def _samples(message: bytes) -> bytes | Malformed:
    try:
        return b"".join(wire.texts(wire.read(message), _AUDIO))
    except ValueError as error:
        return no_message(error, message)


def no_message(error: ValueError, message: bytes) -> Malformed:
    """Bytes that protobuf can't read."""
    return Malformed(f"a message that is none: {error}", shown(message))
