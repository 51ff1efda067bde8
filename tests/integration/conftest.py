"""Reference servers as processes, one of each kind for the whole session."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from recogniser import Recogniser

# What it asserts is shown as in a test.
pytest.register_assert_rewrite("fault_matrix.required")

START_S = 60
READY = ("healthy", "ok")


@pytest.fixture(scope="session")
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Start `probe serve` with the given arguments; return the address that it prints. It ends with the session."""
    with ExitStack() as servers:
        yield lambda *arguments: servers.enter_context(_process(arguments, tmp_path_factory.mktemp("serve") / "stderr"))


@pytest.fixture(scope="session")
def serve_tts(serve: Callable[..., str]) -> Callable[..., str]:
    return lambda *options: serve("tts", *options)


@pytest.fixture(scope="session")
def tts_server(serve_tts: Callable[..., str]) -> str:
    return serve_tts()


@pytest.fixture(scope="session")
def older_tts_server(serve_tts: Callable[..., str]) -> str:
    return serve_tts("--generation", "older")


@pytest.fixture(scope="session")
def llm_server(serve: Callable[..., str]) -> str:
    """Return the address of a reference LLM server on the real embedded model, with one slot."""
    return serve("llm")


@pytest.fixture(scope="session")
def openai_server(serve: Callable[..., str]) -> str:
    """Return the base URL of the OpenAI-compatible reference server, with one slot and hibari's voice."""
    return serve("openai")


@contextmanager
def _process(arguments: tuple[str, ...], log: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "probe", "serve", *arguments, "--port", "0"]
    with log.open("w") as stderr, subprocess.Popen(command, stderr=stderr, stdout=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + START_S
            while not log.read_text().endswith("\n"):
                _wait_a_little(process, log, deadline)
            url = log.read_text().rpartition("listening on ")[2].split()[0]
            while not _is_healthy(url):
                _wait_a_little(process, log, deadline)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()


def _is_healthy(url: str) -> bool:
    try:
        with urlopen(f"http://{urlsplit(url).netloc}/health", timeout=5) as response:
            return json.load(response)["status"] in READY
    except OSError:
        return False


def _wait_a_little(process: subprocess.Popen[bytes], log: Path, deadline: float) -> None:
    assert process.poll() is None, log.read_text()
    assert time.monotonic() < deadline, f"the server did not start: {log.read_text()}"
    time.sleep(0.05)
