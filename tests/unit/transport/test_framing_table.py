"""Framings are found by their names, wherever they are."""

import pytest

from probe.protocols.registry import PROTOCOLS
from probe.transport.framing.http1 import Http1
from probe.transport.framing.http2 import Http2
from probe.transport.framing.raw import PlainTcp
from probe.transport.framing.table import FRAMINGS, framing_named
from probe.transport.framing.websocket import MediaWebSocket, WebSocket


def test_every_framing_is_where_the_table_says() -> None:
    found = {name: framing_named(name) for name in FRAMINGS}
    assert found == {
        "websocket": WebSocket,
        "websocket_media": MediaWebSocket,
        "http1": Http1,
        "http2": Http2,
        "raw": PlainTcp,
    }


@pytest.mark.parametrize("protocol", [each for known in PROTOCOLS.values() for each in known.values()])
def test_every_protocol_has_a_framing_of_the_table(protocol: object) -> None:
    assert getattr(protocol, "framing", None) in FRAMINGS
