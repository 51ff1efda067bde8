"""Plain TCP has no framing: bytes are passed on as they come."""

from typing import Any

import pytest
from framings import fed

from probe.transport.framing.base import Raw, Request, Text
from probe.transport.framing.raw import PlainTcp


def test_bytes_are_handed_on_as_they_come() -> None:
    framing = PlainTcp("tcp://spark:10200", {})
    assert framing.ready and framing.hello() == framing.reply() == framing.goodbye() == b""
    assert fed(framing, [b"a", b"bc"], eof=True) == [Raw(b"a"), Raw(b"bc")]
    assert framing.parsed == 2
    assert framing.send(Raw(b"xyz")) == b"xyz"


@pytest.mark.parametrize("frame", [Text(b""), Request("GET", "/")])
def test_it_sends_no_frame_of_another_framing(frame: Any) -> None:
    with pytest.raises(ValueError, match=type(frame).__name__):
        PlainTcp("tcp://spark:10200", {}).send(frame)
