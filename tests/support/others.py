"""Servers that others wrote, as processes: `make servers` installs them into an environment of their own."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from probe.reference.llm_model import default_model

ENVIRONMENT = Path(__file__).parents[2] / ".venv-servers"
START_S = 120


def program(name: str, wants: str) -> Path:
    """Return a program of that environment. Skips where it is missing: no environment, or none that it `wants`."""
    if not (ENVIRONMENT / ".installed").exists():
        pytest.skip(f"{name} is not installed: make servers")
    found = ENVIRONMENT / "bin" / name
    if not found.exists():
        pytest.skip(f"make servers installed no {name}, which wants {wants}")
    return found


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[bytes]
    log: Path

    def says(self, pattern: str) -> str:
        """Return the pattern's group, once the log has it. Skips where the processor can't run the program."""
        deadline = time.monotonic() + START_S
        while (said := re.search(pattern, self.log.read_text())) is None:
            if self.process.poll() == -signal.SIGILL:
                pytest.skip("this processor lacks what the program was compiled for")
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, f"it did not start: {self.log.read_text()}"
            time.sleep(0.05)
        return said[1]


@contextmanager
def running(folder: Path, *command: str | Path, **environment: str) -> Iterator[Running]:
    """Run it for a while, with nothing of our environment; `folder` is its home and gets its log."""
    log = folder / f"{Path(command[0]).name}.log"
    own = {"PATH": os.defpath, "HOME": str(folder), "PYTHONUNBUFFERED": "1", **environment}
    with (
        log.open("w") as output,
        subprocess.Popen(command, env=own, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process,
    ):
        try:
            yield Running(process, log)
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()


@contextmanager
def llama_server(folder: Path, *options: str) -> Iterator[Running]:
    """llama.cpp's own server with one slot, which says where it listens once its model is loaded."""
    found = program("llama-server-vulkan", "an x86_64 processor")
    few = ("-c", "2048", "-np", "1", "-t", "1", "--no-webui")
    with running(folder, found, "-m", default_model(), *few, "--port", "0", *options) as server:
        yield server


def llama_url(server: Running) -> str:
    return server.says(r"listening on (http://[\d.:]+)")


def free_port() -> int:
    """A port for a server that can't choose one and say which."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
