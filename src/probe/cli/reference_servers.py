"""The reference servers as processes of their own, started and ended with what uses them."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import click

from probe.cli.processes import background, free_port, tail
from probe.plan import Role

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
_POLL_S = 0.1


def _answers(says: Callable[[dict[str, object]], bool]) -> Callable[[int], bool]:
    """Whether the health document at a port says so."""
    return lambda port: says(_health(port))


def listens(port: int) -> bool:
    """Of servers that listen once they are warm."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass(frozen=True, slots=True)
class _Server:
    """`port` is the one that it has where that is free; `ready` looks whether it is warm."""

    port: int
    url: str
    ready: Callable[[int], bool]
    options: tuple[str, ...] = ()


# name, as `probe serve` has it -> where it listens
_SERVERS = {
    "llm": _Server(8002, "ws://127.0.0.1:{}/ws", _answers(lambda health: health.get("llama_server") == "healthy")),
    "tts": _Server(
        8001, "ws://127.0.0.1:{}/ws/tts/stream", _answers(lambda health: health.get("model_loaded") is True)
    ),
    "openai": _Server(8003, "http://127.0.0.1:{}/v1", _answers(lambda health: health.get("status") == "ok")),
    "wyoming": _Server(10200, "tcp://127.0.0.1:{}", listens),
    "riva": _Server(50051, "grpc://127.0.0.1:{}", listens, ("--http-port", "0")),
    "realtime": _Server(8004, "ws://127.0.0.1:{}/v1/realtime", listens),
}

# The one that is asked by voice.
VOICE = "voice"
# What `probe demo` shows: a name -> what each server of the voice agent does, and which one it is.
PAIRS: Mapping[str, Mapping[Role, str]] = {
    "chunked": {"llm": "llm", "tts": "tts"},
    "openai": {"llm": "openai", "tts": "openai"},
    "wyoming": {"llm": "openai", "tts": "wyoming"},
    "riva": {"llm": "openai", "tts": "riva"},
    "realtime": {"agent": "realtime"},
    VOICE: {"llm": "openai", "tts": "wyoming", "stt": "wyoming"},
}
# Names of protocols that are shown with others.
SHOWN_BY = {
    "magpie": "chunked",
    "openai_chat": "openai",
    "openai_speech": "openai",
    "openai_realtime": "realtime",
}


@dataclass(frozen=True, slots=True)
class ReferencePair:
    """Where the servers of a voice agent run, by what they do."""

    urls: Mapping[Role, str]

    @property
    def llm_url(self) -> str:
        return self.urls["llm"]

    @property
    def tts_url(self) -> str:
        return self.urls["tts"]


@contextmanager
def reference_servers(logs: Path, *pairs: str) -> Iterator[dict[str, ReferencePair]]:
    """Start the servers of these `PAIRS`, wait until they are warm, end them afterwards.

    Yields where each pair runs. Each process writes `NAME.log`. Raises ClickException where one fails.
    """
    names = dict.fromkeys(name for pair in pairs for name in PAIRS[pair].values())
    with ExitStack() as stack:
        started = {name: stack.enter_context(_process(name, logs / f"{name}.log")) for name in names}
        for name, (process, port, log) in started.items():
            _wait_until_healthy(name, process, port, log)
        urls = {name: _SERVERS[name].url.format(port) for name, (_, port, _) in started.items()}
        yield {pair: ReferencePair({role: urls[name] for role, name in PAIRS[pair].items()}) for pair in pairs}


@contextmanager
def _process(name: str, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    port = free_port(_SERVERS[name].port)
    with background(["serve", name, "--port", str(port), *_SERVERS[name].options], log, STOP_TIMEOUT_S) as process:
        yield process, port, log


def _wait_until_healthy(name: str, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Show progress until the server says that it is ready."""
    ready = _SERVERS[name].ready
    began = time.monotonic()
    animated = sys.stderr.isatty()
    while not ready(port):
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
