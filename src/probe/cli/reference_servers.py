"""The reference servers as processes of their own, started and ended with what uses them."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from probe.cli.processes import background, free_port, tail

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class _Server:
    """`port` is the one that it has where that is free; `healthy` looks into its health document."""

    port: int
    url: str
    healthy: Callable[[dict[str, object]], bool]


_SERVERS = {
    "llm": _Server(8002, "ws://127.0.0.1:{}/ws", lambda health: health.get("llama_server") == "healthy"),
    "tts": _Server(8001, "ws://127.0.0.1:{}/ws/tts/stream", lambda health: health.get("model_loaded") is True),
    "openai": _Server(8003, "http://127.0.0.1:{}/v1", lambda health: health.get("status") == "ok"),
}

# name of a pair -> its LLM server and its TTS server, which may be one
_PAIRS = {"chunked": ("llm", "tts"), "openai": ("openai", "openai")}


@dataclass(frozen=True, slots=True)
class ReferencePair:
    """Where the two servers of a voice agent run."""

    llm_url: str
    tts_url: str


@contextmanager
def reference_servers(logs: Path, *pairs: str) -> Iterator[dict[str, ReferencePair]]:
    """Start the servers of these pairs (`chunked`, `openai`), wait until they are healthy, end them afterwards.

    Yields where each pair runs. Each process writes `NAME.log`. Raises ClickException where one fails.
    """
    names = dict.fromkeys(name for pair in pairs for name in _PAIRS[pair])
    with ExitStack() as stack:
        started = {name: stack.enter_context(_process(name, logs / f"{name}.log")) for name in names}
        for name, (process, port, log) in started.items():
            _wait_until_healthy(name, process, port, log)
        urls = {name: _SERVERS[name].url.format(port) for name, (_, port, _) in started.items()}
        yield {pair: ReferencePair(*(urls[name] for name in _PAIRS[pair])) for pair in pairs}


@contextmanager
def _process(name: str, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    port = free_port(_SERVERS[name].port)
    with background(["serve", name, "--port", str(port)], log, STOP_TIMEOUT_S) as process:
        yield process, port, log


def _wait_until_healthy(name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Show progress until the server says that it is ready."""
    healthy = _SERVERS[name].healthy
    began = time.monotonic()
    animated = sys.stderr.isatty()
    while not healthy(_health(port)):
        waited = time.monotonic() - began
        if process.poll() is not None or waited > START_TIMEOUT_S:
            what = "ended" if process.poll() is not None else f"is not ready after {START_TIMEOUT_S:g} s"
            raise click.ClickException(f"the reference {name} server {what}: {tail(log)}")
        if animated:
            click.echo(f"\rStarting the reference {name} server ... {waited:.0f} s", nl=False, err=True)
        time.sleep(_POLL_S)
    start = "\r" if animated else ""
    click.echo(f"{start}Reference {name} server ready on port {port} after {time.monotonic() - began:.1f} s", err=True)


def _health(port: int) -> dict[str, object]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
            document = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
