"""Questions to a server, outside of every measure: where, how, and how the answer is read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct, field

from probe.plan import ServerPlan
from probe.transport.framing.base import Incoming, Outgoing

T = TypeVar("T")


class Inquiry(Struct, Generic[T], frozen=True):
    """Something to ask a server over HTTP, outside of every measure: where, and how to read the body of its answer.

    `headers` are the conversation's own where it is the same server; an answer with one of `statuses` says something.
    """

    url: str
    read: Callable[[bytes], T]
    headers: Mapping[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (200,)

    def __repr__(self) -> str:
        return f"Inquiry(url={self.url!r}, read={self.read!r}, statuses={self.statuses!r})"


class Exchange(Struct, Generic[T], frozen=True):
    """The same of a server that speaks no HTTP: what to write on a connection of its own, and how its answer is heard.

    `listen` makes the hearer of one answer. It is given each frame, and returns None until that says what was asked.
    `headers` go with the handshake, where the framing has one.
    """

    url: str
    framing: str
    frame: Outgoing
    listen: Callable[[], Callable[[Incoming], T | None]]
    headers: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Exchange(url={self.url!r}, framing={self.framing!r}, frame={self.frame!r})"


class Sign(Struct, frozen=True):
    """What a server says of itself that was looked for: its program and version, and its models, loaded ones first.

    Empty where it says no more than that it speaks the protocol.
    """

    program: str | None = None
    version: str | None = None
    models: tuple[str, ...] = ()

    def __or__(self, other: "Sign") -> "Sign":
        """What both say; this one's word counts, and its models come first."""
        models = tuple(dict.fromkeys((*self.models, *other.models)))
        return Sign(self.program or other.program, self.version or other.version, models)


# About the same thing: the first answer that says something counts.
Inquiries = Sequence[Inquiry[T] | Exchange[T]]


def nothing(_server: ServerPlan) -> tuple[()]:
    """No inquiry: this protocol's servers can't be asked."""
    return ()
