"""Removes our credentials from a server's text, in case the server quotes them."""

from collections.abc import Collection
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec.structs import replace

from probe.plan import ServerPlan
from probe.protocols.base import ChunkEnd, Event, Malformed, Refused

# A shorter part of a header is a word, such as "Bearer", and no secret.
_SHORTEST_SECRET = 8


def redacted(event: Event, secrets: Collection[str]) -> Event:
    """What a server says, without our credentials."""
    match event:
        case Refused() | Malformed():
            return replace(event, said=without(event.said, secrets))
        case ChunkEnd(refusal=Refused() as refusal):
            return replace(event, refusal=replace(refusal, said=without(refusal.said, secrets)))
    return event


def secrets_of(server: ServerPlan) -> tuple[str, ...]:
    """What must not be quoted of what is sent with each request: of its headers, and of its URL."""
    parts = urlsplit(server.url)
    values = [*server.headers.values(), unquote(parts.password or ""), *(value for _, value in parse_qsl(parts.query))]
    return tuple(word for value in values for word in value.split() if len(word) >= _SHORTEST_SECRET)


def without(words: str, secrets: Collection[str]) -> str:
    """A server's words with an ellipsis for each of our secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        words = words.replace(secret, "…")
        # The end of a message that is cut may have cut one, too.
        sizes = range(len(secret) - 1, _SHORTEST_SECRET - 1, -1)
        for start in (f"{secret[:size]}…" for size in sizes):
            words = f"{words.removesuffix(start)}…" if words.endswith(start) else words
    return words
