"""What may be in a log or a trace store."""

import pytest
from runs import failed, record

from probe.privacy import without_texts
from probe.urls import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ws://spark:8002/ws: connection refused", "ws://spark:8002/ws: connection refused"),
        ("ws://me:pw@spark:8002/ws: refused", "ws://spark:8002/ws: refused"),
        ("ws://me:p@w@spark/ws", "ws://spark/ws"),
        ("wss://token@spark", "wss://spark"),
        ("ws://spark/ws?key=secret: refused", "ws://spark/ws: refused"),
        ("two: http://a?x=1, http://b:1/c#d.", "two: http://a, http://b:1/c."),
        ("mail me@example", "mail me@example"),
        ("no audio?", "no audio?"),
    ],
)
def test_urls_keep_only_the_address(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


def test_what_was_said_is_left_out() -> None:
    assert without_texts("no audio for 'cross the road?': 10 s", failed()) == "no audio for [text]: 10 s"
    assert without_texts("can't say Why did the unicorn cross the road?", record()) == "can't say [text] [text]"
    assert without_texts("asked: Tell me a joke.", record()) == "asked: [text]"
    assert without_texts("connection refused", record()) == "connection refused"
