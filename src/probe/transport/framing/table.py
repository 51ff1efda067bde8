"""Every framing by its name. A new one is one file and one line here."""

import functools
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TypeAlias

from probe.transport.framing.base import Framing

# Called with the URL and the headers of an endpoint; raises ValueError where that can't be one.
NewFraming: TypeAlias = Callable[[str, Mapping[str, str]], Framing]

# Where each is. Their libraries take tens of milliseconds to import: a process takes those that it uses.
FRAMINGS: Mapping[str, str] = {
    "websocket": "probe.transport.framing.websocket:WebSocket",
    "websocket_media": "probe.transport.framing.websocket:MediaWebSocket",
    "http1": "probe.transport.framing.http1:Http1",
    "http2": "probe.transport.framing.http2:Http2",
    "raw": "probe.transport.framing.raw:PlainTcp",
}


@functools.cache
def framing_named(name: str) -> NewFraming:
    """Look a framing up. The first time imports it, and would hold up whatever is being measured: do it before."""
    module, attribute = FRAMINGS[name].split(":")
    found: NewFraming = getattr(import_module(module), attribute)
    return found
