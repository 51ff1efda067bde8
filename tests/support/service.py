"""The daemon as a process of its own, and what it says."""

import asyncio
import inspect
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import patience

from probe.history.reader import reading
from probe.record import RunRecord

# What only bounds a hang.
PATIENCE_S = 60.0


@dataclass
class Service:
    process: asyncio.subprocess.Process
    state_dir: Path
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def until(self, event: str, *, seconds: float = PATIENCE_S, **values: Any) -> dict[str, Any]:
        """Wait for a log line with this event and these values."""
        wanted = {"event": event, **values}
        found = await eventually(
            lambda: [line for line in self.lines if wanted.items() <= line.items()], seconds=seconds
        )
        return dict(found[0])

    @property
    def port(self) -> int:
        return int(next(line["http_port"] for line in self.lines if line["event"] == "started"))

    async def get(self, path: str, accept: str = "", method: str = "GET") -> tuple[int, str, str]:
        """Status, content type and body of a page."""
        return await asyncio.to_thread(page, self.port, path, accept, method)

    async def metrics(self) -> dict[str, float]:
        _, _, body = await self.get("/metrics")
        samples = (line.rpartition(" ") for line in body.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    def records(self) -> list[RunRecord]:
        with reading(self.state_dir) as history:
            return list(history.runs())

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; return the exit code.

        0 says that it ended in time as well: where it does not, it leaves with 1 by its own last resort.
        """
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            return await self.process.wait()


def write_config(
    folder: Path,
    llm_url: str,
    tts_url: str,
    *,
    every_s: float = 3600.0,
    objective_ms: float = 60_000,
    more: str = "",
    target: str = "",
) -> Path:
    """A configuration that keeps everything in `folder`, and with which a slow machine is neither slow nor suspect."""
    path = folder / "probe.toml"
    path.write_text(f"""
[targets.scripted]
llm_url = "{llm_url}"
tts_url = "{tts_url}"
objective_ms = {objective_ms}
{target}
[targets.scripted.limits]
connect_s = 60
llm_s = 60
tts_s = 60
[schedules.scripted]
every_s = {every_s}
[daemon]
state_dir = "{folder / "state"}"
[http]
port = 0
[otlp]
protocol = "none"
[log]
format = "json"
{patience.PATIENT_TOML}{more}
""")
    return path


@asynccontextmanager
async def service(
    config: Path, *, environment: Mapping[str, str] | None = None, prelude: str = ""
) -> AsyncIterator[Service]:
    """Run `probe daemon` until the context ends; `prelude` is Python that sabotages it beforehand."""
    command = ["-m", "probe"] if not prelude else ["-c", f"{prelude}\nfrom probe.cli import main\nmain()"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, "daemon", "--config", str(config),
        stdout=asyncio.subprocess.PIPE, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    running = Service(process, config.parent / "state")
    reading_log = asyncio.ensure_future(_read(process, running.lines))
    try:
        await running.until("started")
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading_log


async def _read(process: asyncio.subprocess.Process, lines: list[dict[str, Any]]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        lines.append(json.loads(line))


def page(port: int, path: str, accept: str = "", method: str = "GET") -> tuple[int, str, str]:
    """Status, content type and body of a page."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, headers={"Accept": accept})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


async def eventually(check: Callable[[], Any], *, seconds: float = PATIENCE_S) -> Any:
    """Call until it returns something true, or that can be awaited and then is, and return that."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.05)


async def refused(arguments: Sequence[str]) -> tuple[int, str]:
    """Exit code and stderr of a command that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "probe", *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_S):
        _, stderr = await process.communicate()
    return process.returncode or 0, stderr.decode()
