"""A protocol that exists only here: an LLM that answers a POST with one token per line, over HTTP/1.1.

What a new protocol takes: this file, and one line in the registry.
"""

from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from probe.protocols.base import Connect, Done, LlmConversation, Malformed, Question, Refused, Send, Step, Terms, Token
from probe.protocols.declaration import ServerProtocol
from probe.transport.framing.base import Body, BodyEnd, Ended, Incoming, Request, Response


class PlainLinesOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What such a server takes."""

    manner: Annotated[Literal["brief", "chatty"], Meta(description="how it answers")] = "brief"


class PlainLines(LlmConversation):
    """The prompt's last line goes out, tokens come back."""

    def __init__(self, terms: Terms) -> None:
        self._server = terms.server
        self._line = b""
        self._reading = False

    def ask(self, question: Question, now: int) -> Iterable[Step]:
        del now
        self._line, self._reading = b"", False
        target = f"{urlsplit(self._server.url).path}/{self._server.options['manner']}"
        return Connect(), Send(Request("POST", target, {}, question.messages[-1]["content"].encode()))

    def received(self, frame: Incoming, at: int) -> Iterable[Step]:
        del at
        match frame:
            case Response(status=200):
                self._reading = True
            case Response(status=status):
                yield Refused(f"HTTP {status}", busy=status == 429)
            case Body(data) if self._reading:
                *lines, self._line = (self._line + data).split(b"\n")
                yield from (_token(line) for line in lines)
            case BodyEnd() if self._reading:
                yield Done("eos")
            case Ended():
                self._reading = False


def _token(line: bytes) -> Token | Malformed:
    try:
        return Token(line.decode())
    except UnicodeDecodeError:
        return Malformed("a line that is no text")


PROTOCOL = ServerProtocol(
    name="plain_lines",
    schemes=("http", "https"),
    default_url="http://localhost:8007/answer",
    framing="http1",
    options=PlainLinesOptions,
    converse=PlainLines,
)
