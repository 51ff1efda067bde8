"""What systemd hears of the daemon, on a socket as systemd's own."""

import asyncio
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from service import PATIENCE_S, Service, eventually, page, service, write_config

from probe.reference.faults import ScriptedLlm, ScriptedTts

# A loop that is stuck, as a mistake in the daemon would leave it: from the first run on that finds the file.
STUCK = """
import os, time
import probe.daemon.lifecycle, probe.daemon.runs, probe.daemon.health
probe.daemon.health.STUCK_S = 1.0
measure = probe.daemon.runs.attempt
async def attempt(*arguments):
    if os.path.exists(os.environ["STUCK"]):
        time.sleep(600)
    return await measure(*arguments)
probe.daemon.runs.attempt = attempt
"""


class Supervisor:
    """Hears what a service says."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind("\0" + path[1:] if path.startswith("@") else path)
        self._heard: list[str] = []

    def close(self) -> None:
        self._socket.close()

    def heard(self) -> list[str]:
        """Every assignment so far."""
        while True:
            try:
                self._heard += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self._heard


@pytest.fixture(params=["path", "abstract"])
def supervisor(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Supervisor]:
    path = str(tmp_path / "notify") if request.param == "path" else f"@probe-test-{tmp_path.name}-{id(tmp_path)}"
    listener = Supervisor(path)
    yield listener
    listener.close()


def _complaint(port: int) -> str:
    """What /healthz says, without the seconds, once it says that something is wrong."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        status, _, body = page(port, "/healthz")
        if status == 503:
            return body.rpartition(" ")[0].rpartition(" ")[0]
        time.sleep(0.1)
    return "nothing"


async def _is_well(daemon: Service) -> bool:
    return (await daemon.get("/healthz"))[0] == 200


async def test_from_ready_to_stopping(supervisor: Supervisor, tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "400000"}
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url)
        async with service(config, environment=environment) as daemon:
            await eventually(lambda: "READY=1" in supervisor.heard())
            await daemon.until("run")
            await eventually(lambda: any(each.startswith("STATUS=last run ") for each in supervisor.heard()))
            pings = supervisor.heard().count("WATCHDOG=1")
            await eventually(lambda: supervisor.heard().count("WATCHDOG=1") > pings + 2)
            daemon.process.send_signal(signal.SIGHUP)
            await eventually(lambda: supervisor.heard().count("READY=1") == 2)
            code = await daemon.end()
    heard = supervisor.heard()
    assert code == 0
    assert heard.index("READY=1") < heard.index("RELOADING=1") < heard.index("STOPPING=1")
    assert heard[heard.index("RELOADING=1") + 1].startswith("MONOTONIC_USEC=")
    status = next(each for each in heard if each.startswith("STATUS=last run "))
    assert "scripted/default" in status
    assert "next at" in status


async def test_a_watchdog_meant_for_another_process_gets_nothing(tmp_path: Path) -> None:
    supervisor = Supervisor(str(tmp_path / "notify"))
    environment = {"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "400000", "WATCHDOG_PID": "1"}
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url)
        async with service(config, environment=environment) as daemon:
            await daemon.until("run")
            await eventually(lambda: any(each.startswith("STATUS=last run ") for each in supervisor.heard()))
            assert "WATCHDOG=1" not in supervisor.heard()
    supervisor.close()


async def test_a_stuck_loop_gives_no_sign_of_life(tmp_path: Path) -> None:
    supervisor = Supervisor(str(tmp_path / "notify"))
    mistake = tmp_path / "stuck"
    environment = {"NOTIFY_SOCKET": supervisor.path, "WATCHDOG_USEC": "400000", "STUCK": str(mistake)}
    async with ScriptedLlm() as llm_server, ScriptedTts() as tts_server:
        config = write_config(tmp_path, llm_server.url, tts_server.url, every_s=1)
        async with service(config, environment=environment, prelude=STUCK) as daemon:
            await daemon.until("run")
            await eventually(lambda: _is_well(daemon))
            await eventually(lambda: supervisor.heard().count("WATCHDOG=1") > 1)
            mistake.touch()
            assert await asyncio.to_thread(_complaint, daemon.port) == "the event loop has been stuck for"
            pings = supervisor.heard().count("WATCHDOG=1")
            # Five times as long as between two signs of life.
            await asyncio.sleep(1)
            assert supervisor.heard().count("WATCHDOG=1") == pings
    supervisor.close()
