"""Every framing by its name. A new one is one file and one line here."""

from collections.abc import Callable, Mapping

from probe.transport.framing.base import Framing
from probe.transport.framing.http1 import Http1
from probe.transport.framing.raw import PlainTcp
from probe.transport.framing.websocket import WebSocket

# Called with the URL and the headers of an endpoint; raises ValueError where that can't be one.
FRAMINGS: Mapping[str, Callable[[str, Mapping[str, str]], Framing]] = {
    "websocket": WebSocket,
    "http1": Http1,
    "raw": PlainTcp,
}
