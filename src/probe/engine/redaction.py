"""Removes our credentials from a server's text, in case the server quotes them."""

from collections.abc import Collection

from msgspec.structs import replace

from probe.credentials import without
from probe.protocols.base import ChunkEnd, Event, Malformed, Refused


def redacted(event: Event, secrets: Collection[str]) -> Event:
    """What a server says, without our credentials."""
    match event:
        case Refused() | Malformed():
            return replace(event, said=without(event.said, secrets))
        case ChunkEnd(refusal=Refused() as refusal):
            return replace(event, refusal=replace(refusal, said=without(refusal.said, secrets)))
    return event
