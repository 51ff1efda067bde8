"""Linux made to look like macOS to what measures: no stamps of arrivals, and no epoll(7)."""

import select
from types import SimpleNamespace

import pytest

from probe.transport import rounds, stamped_socket


def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test is over. What Python's own event loop uses stays."""
    monkeypatch.setattr(stamped_socket, "sys", SimpleNamespace(platform="darwin"))
    monkeypatch.setattr(rounds, "select", SimpleNamespace(poll=select.poll, POLLIN=select.POLLIN))
