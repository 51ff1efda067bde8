"""A process between a client and a server, which notes each piece of data with the time at which it came by.

It shares nothing with what is tested: neither code nor a process. As a program: `between.py HOST PORT LOG` prints the
port at which it listens.
"""

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

_NS_PER_S = 1e9


@dataclass(frozen=True)
class Passed:
    """One event of Wyoming that came by: seconds of the monotonic clock, when its last byte came."""

    at: float
    connection: int
    to_server: bool
    type: str
    data: dict[str, Any]
    payload: bytes


@contextmanager
def between(url: str, log: Path) -> Iterator[str]:
    """Yield the URL to use in place of a server's `tcp://HOST:PORT`."""
    host, port = url.removeprefix("tcp://").split(":")
    command = [sys.executable, __file__, host, port, str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"tcp://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def passed(log: Path) -> list[Passed]:
    """Every event of the log that is complete, by its time."""
    pieces = [json.loads(line) for line in log.read_text().splitlines()]
    streams = {(piece["connection"], piece["to_server"]) for piece in pieces}
    found = [
        Passed(at, connection, to_server, kind, data, payload)
        for connection, to_server in streams
        for at, kind, data, payload in _events(
            [piece for piece in pieces if (piece["connection"], piece["to_server"]) == (connection, to_server)]
        )
    ]
    return sorted(found, key=lambda event: event.at)


def _events(pieces: list[dict[str, Any]]) -> Iterator[tuple[float, str, dict[str, Any], bytes]]:
    """Events of Wyoming: a line of JSON, then data and a payload of the lengths in it."""
    data = b""
    for piece in pieces:
        data += base64.b64decode(piece["data"])
        while (end := data.find(b"\n")) >= 0:
            line = json.loads(data[:end])
            behind = end + 1 + (line.get("data_length") or 0)
            all_of_it = behind + (line.get("payload_length") or 0)
            if len(data) < all_of_it:
                break
            more = json.loads(data[end + 1 : behind] or b"{}")
            yield piece["at"] / _NS_PER_S, line["type"], (line.get("data") or {}) | more, data[behind:all_of_it]
            data = data[all_of_it:]


def _main(host: str, port: int, log: Path) -> None:
    # One line for each write, so that a reader never sees half of one.
    with socket.create_server(("127.0.0.1", 0)) as listening, log.open("w", buffering=1) as lines:
        print(listening.getsockname()[1], flush=True)  # noqa: T201 - what it is asked for
        number = 0
        while True:
            client, _ = listening.accept()
            server = socket.create_connection((host, port))
            number += 1
            for ends in ((client, server, True), (server, client, False)):
                threading.Thread(target=_pass, args=(*ends, number, lines), daemon=True).start()


def _pass(source: socket.socket, sink: socket.socket, to_server: bool, number: int, lines: TextIO) -> None:
    with suppress(OSError):
        while data := source.recv(2**16):
            at = time.monotonic_ns()
            sink.sendall(data)
            text = base64.b64encode(data).decode()
            lines.write(json.dumps({"at": at, "connection": number, "to_server": to_server, "data": text}) + "\n")
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
