"""How many of its slots a llama.cpp server has at work, as its `/slots` says it."""

from typing import Any

from probe.protocols.fields import parse
from probe.server_state import ServerState


def slots(document: bytes) -> ServerState | None:
    """The server by its slots: how many requests wait for one, these do not say."""
    running = slots_at_work(document)
    return None if running is None else ServerState(running)


def slots_at_work(document: bytes) -> int | None:
    """How many slots are at work; None where this is no list of slots, or does not say of each."""
    try:
        slots = parse(document)
    except ValueError:
        return None
    if not isinstance(slots, list):
        return None
    states = [_at_work(slot) for slot in slots]
    return sum(state is True for state in states) if states and None not in states else None


def _at_work(slot: Any) -> bool | None:
    if not isinstance(slot, dict):
        return None
    now = slot.get("is_processing")
    if now is None:  # older ones say a number instead: 0 for idle
        now = slot.get("state")
    return bool(now) if isinstance(now, int) else None
