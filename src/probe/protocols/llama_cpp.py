"""llama.cpp's own HTTP server, as far as courtesy needs it: are its slots in use?"""

import json


def slots_url(url: str) -> str:
    """Where a llama.cpp server at this address tells of its slots."""
    return f"{url.rstrip('/')}/slots"


def users(document: bytes) -> int | None:
    """How many slots are at work; None where the document is no list of slots (llama.cpp can be told to show none)."""
    try:
        slots = json.loads(document)
    except (ValueError, RecursionError):
        return None
    if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots):
        return None
    return sum(slot.get("is_processing") is True for slot in slots)
