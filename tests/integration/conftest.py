"""The reference servers, each a process of its own, started once for all tests."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def llm_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the WebSocket address of a reference LLM server on the real embedded model, with one slot."""
    log = tmp_path_factory.mktemp("llm") / "stderr"
    with log.open("wb") as stderr:
        command = [sys.executable, "-m", "probe", "serve", "llm", "--port", "0"]
        process = subprocess.Popen(command, stderr=stderr, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 40
        while "listening on " not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, f"no server after 40 s: {log.read_text()}"
            time.sleep(0.05)
        yield log.read_text().partition("listening on ")[2].split()[0]
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
