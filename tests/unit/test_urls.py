"""URLs as they may be shown."""

import pytest

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
