"""Served first where the system lets us, and where nobody has chosen otherwise."""

import os

import pytest

from probe import priority


@pytest.mark.parametrize(("started_with", "asked"), [(0, [priority.NICE]), (5, []), (-20, [])])
def test_who_chose_a_niceness_keeps_it(monkeypatch: pytest.MonkeyPatch, started_with: int, asked: list[int]) -> None:
    found: list[int] = []
    monkeypatch.setattr(os, "getpriority", lambda *_: started_with)
    monkeypatch.setattr(os, "setpriority", lambda _kind, _who, nice: found.append(nice))
    priority.take()
    assert found == asked


def test_a_system_that_does_not_let_us_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refused(*_: int) -> None:
        asked.append(True)
        raise PermissionError

    monkeypatch.setattr(os, "getpriority", lambda *_: 0)
    monkeypatch.setattr(os, "setpriority", refused)
    priority.take()
    assert asked == [True]
