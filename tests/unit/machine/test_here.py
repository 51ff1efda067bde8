"""Which URLs lead to this machine."""

import socket

import pytest

from probe.machine.here import is_here, source_of


@pytest.mark.parametrize(
    "url",
    ["ws://localhost:8002/ws", "http://127.0.0.1/v1", "http://127.8.8.8", "tcp://[::1]:10200", "http://api.localhost",
     "http://LOCALHOST.:1"],
)  # fmt: skip
def test_loopback_is_here(url: str) -> None:
    assert is_here(url)


def test_its_own_name_is_here() -> None:
    assert is_here(f"http://{socket.gethostname()}:8080/v1")


@pytest.mark.parametrize(
    "url",
    ["http://spark:8000/v1", "http://192.0.2.1/v1", "http://[2001:db8::1]/v1", "http:///v1", "http://0.0.0.0/v1",
     "http://224.0.0.1", "http://[::1", "", "http://localhost.example.com"],
)  # fmt: skip
def test_everything_else_is_elsewhere(url: str) -> None:
    assert not is_here(url)


def test_one_server_that_is_here_is_enough() -> None:
    assert source_of(["http://spark:8000", "http://localhost:1"]) == "local"
    assert source_of(["http://spark:8000"]) == source_of([]) == "none"
