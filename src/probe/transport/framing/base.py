"""What a connection carries above bytes: the frames of every framing, and what a framing does. Pure; no I/O.

The values here and in `protocols/base.py` are msgspec Structs: such a class takes 0.02 ms to create, a frozen dataclass
0.5 ms, at each start of the probe, and there are dozens. What there may be thousands of is nothing that the garbage
collector has to look at (`gc=False`): it holds no more than bytes, texts and numbers, or what holds only that.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from msgspec import Struct, field

from probe import text

# Of a peer's own words so many characters are kept.
MAX_SAID = 300
# Of these so many are looked at: a peer may send a million.
_READ = 4096


class Text(Struct, frozen=True, gc=False):
    """A whole WebSocket text message, its UTF-8 undecoded."""

    data: bytes


class Binary(Struct, frozen=True, gc=False):
    """A whole WebSocket binary message."""

    data: bytes


class Request(Struct, frozen=True):
    """An HTTP request: `target` is the path and query. The framing adds Host, length and the connection's headers.

    Where its body does not end with it, a `BodyEnd` says when it does, and a `Body` is more of it: in HTTP/2 alone.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    ends: bool = True

    def __repr__(self) -> str:
        """Without the headers, which may hold secrets."""
        return f"Request(method={self.method!r}, target={self.target!r}, body={self.body!r})"


class Response(Struct, frozen=True):
    """The head of an HTTP response that is not informational. Header names are in lower case; the last value counts."""

    status: int
    headers: Mapping[str, str]


class Body(Struct, frozen=True, gc=False):
    """A piece of an HTTP response's body, as it came in; or of a request's, see there.

    `begins`: the server began to write something here; what is not known to begin may be the rest of the piece before.
    """

    data: bytes
    begins: bool = False


class BodyEnd(Struct, frozen=True):
    """The HTTP response is complete. Where it was cut short, `Ended` comes instead.

    `trailers` is what was said behind its body, by a framing that reads it: names in lower case, the last value counts.
    """

    trailers: Mapping[str, str] = field(default_factory=dict)


class Raw(Struct, frozen=True, gc=False):
    """Bytes of a connection without any framing, as they came in or will be written."""

    data: bytes


class Ended(Struct, frozen=True):
    """The end of a connection; always its last frame, and there is always one unless we end it ourselves.

    `malformed`: the peer broke the framing; `flood`: it sent more than anyone would read. `detail` is for a person, in
    our words; `said` is what the peer gave as its reason, or what it broke the framing with.
    """

    how: Literal["closed", "malformed", "flood"]
    detail: str
    said: str = ""


Incoming = Text | Binary | Response | Body | BodyEnd | Raw | Ended
Outgoing = Text | Binary | Request | Body | BodyEnd | Raw


def printable(words: str) -> str:
    """A peer's own words, for a person: one printable line, and no longer than anyone reads."""
    return text.cut(text.one_line(words[:_READ]), MAX_SAID)


class FramingError(Exception):
    """The peer broke the framing. The message is ours; `said` may quote the peer: one printable line, not too long.

    `how`: that of the resulting `Ended`.
    """

    def __init__(self, message: str, said: str = "", how: Literal["malformed", "flood"] = "malformed") -> None:
        super().__init__(message)
        self.said = printable(said)
        self.how: Literal["malformed", "flood"] = how


class Refusal(Struct, frozen=True):
    """The HTTP answer to a handshake that opened nothing: its status, headers and the first 1 KiB of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Framing(Protocol):
    """One connection's framing. It holds state, and never waits; the connection moves the bytes."""

    @property
    def ready(self) -> bool:
        """Whether the handshake, if the framing has one, is over."""

    @property
    def refusal(self) -> Refusal | None:
        """The answer of a server that refused the handshake, complete or as much as is wanted of it."""

    @property
    def parsed(self) -> int:
        """How much was parsed so far: messages, and their fragments, pings, chunks and the like. Each costs time."""

    def hello(self) -> bytes:
        """What to write once the connection is open; empty where the framing has no handshake."""

    def receive(self, data: bytes) -> Iterable[Incoming]:
        """Take bytes, as many as came in; yields frames, in order. Raises FramingError.

        Yields Ended where the peer said that this is the end: nothing is read after it.
        """

    def receive_eof(self) -> Iterable[Incoming]:
        """Take the end of what comes in: yields what only that completes. What it cut short, `how_closed` says."""

    def send(self, frame: Outgoing) -> bytes:
        """The bytes of a frame. Raises ValueError for a frame that this framing does not have."""

    def reply(self) -> bytes:
        """What the framing itself has to say by now (a pong, the answer to a close frame); often nothing."""

    def goodbye(self) -> bytes:
        """What to write before closing politely; empty where there is no such thing."""

    def how_closed(self) -> Ended:
        """How the peer closed the connection, for a person: `without a close frame` and the like."""
