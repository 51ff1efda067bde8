"""The service as install.sh leaves it, on a machine that is thrown away."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import patience
from nspawn import CHECKOUT, Machine
from scripted import Servers

UNIT = "voice-probe.service"
CONFIG = "/etc/probe/probe.toml"
INSTALL = f"{CHECKOUT}/deploy/install.sh"
INSTALL_S = 240
# The unit's own are a minute and ten seconds.
_SHORTER = """
[Service]
WatchdogSec=4s
RestartSec=1s
"""


@dataclass(frozen=True)
class Installed:
    """`said` is what the installation printed."""

    machine: Machine
    servers: Servers
    said: str

    def shows(self, name: str) -> str:
        """A property of the unit."""
        return self.machine.run("systemctl", "show", "--property", name, "--value", UNIT).strip()

    def systemctl(self, verb: str, code: int | None = 0) -> str:
        return self.machine.run("systemctl", verb, UNIT, code=code)

    def runs(self) -> list[dict[str, Any]]:
        """The recorded runs, as root's `probe history` lists them."""
        listed = json.loads(self.machine.run("probe", "history", "--json", "--limit", "1000"))
        return list(listed["runs"])

    def journal(self) -> str:
        return self.machine.run("journalctl", "--no-pager", "--output=cat", f"--unit={UNIT}")

    def is_as_configured(self) -> bool:
        usual = self.machine.path(CONFIG).read_text() == configuration(self.servers)
        return usual and self.shows("ActiveState") == "active"

    def configure(self, otlp: str = 'protocol = "none"') -> None:
        """Have the service start again with the usual configuration."""
        self.machine.path(CONFIG).write_text(configuration(self.servers, otlp))
        self.machine.run("systemctl", "reset-failed", UNIT, code=None)
        self.systemctl("restart")


def install(machine: Machine, servers: Servers, *options: str) -> Installed:
    """Install onto a machine whose configuration is there already."""
    machine.sh("mkdir -p /etc/probe /etc/systemd/system/voice-probe.service.d")
    machine.path(CONFIG).write_text(configuration(servers))
    machine.path("/etc/systemd/system/voice-probe.service.d/shorter.conf").write_text(_SHORTER)
    return Installed(machine, servers, machine.run(INSTALL, *options, seconds=INSTALL_S))


def configuration(servers: Servers, otlp: str = 'protocol = "none"') -> str:
    return f"""
[targets.scripted]
llm_url = "{servers.llm.url}"
tts_url = "{servers.tts.url}"
objective_ms = 60_000
[schedules.often]
every_s = 1
[http]
port = 0
[otlp]
{otlp}
{patience.PATIENT_TOML}"""


def until(check: Callable[[], Any], *, seconds: float = 120) -> Any:
    """Call until it returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found
