"""VictoriaMetrics, vmagent and vmalert of Debian, as processes."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from debian import binaries

START_S = 60.0
PROGRAMS = ("victoria-metrics", "vmagent", "vmalert")


def victoria(config: pytest.Config) -> Path:
    """The folder with the programs. Skips where they are not available."""
    return binaries(config, "victoria-metrics", *PROGRAMS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@contextmanager
def running(program: Path, log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process until the context ends: properly, so that what it holds in memory is on disk."""
    with log.open("ab") as said:
        process = subprocess.Popen([program, *arguments], stdout=said, stderr=said, cwd=log.parent)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
            process.wait()


def value(port: int, query: str) -> float | None:
    """The value of the first series of a query; None without one, or while nobody answers."""
    try:
        found = get(port, "/api/v1/query", query=query, nocache="1")["data"]["result"]
    except OSError:
        return None
    return float(found[0]["value"][1]) if found else None


def get(port: int, path: str, **parameters: str) -> Any:
    with urlopen(f"http://127.0.0.1:{port}{path}?{urlencode(parameters)}", timeout=60) as answer:
        return json.load(answer)


def wait_for(port: int, query: str, wanted: float) -> None:
    deadline = time.monotonic() + START_S
    while (found := value(port, query)) != wanted:
        assert time.monotonic() < deadline, f"{query} is {found}"
        time.sleep(0.2)
