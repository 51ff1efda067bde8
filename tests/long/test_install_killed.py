"""install.sh killed with SIGKILL before each of its commands: the old version runs, or the new one does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import INSTALL, INSTALL_S, UNIT, Installed, install, until
from nspawn import CHECKOUT, booted
from scripted import servers

ROOT = Path(__file__).parents[2]
NEWER = "9.5.0"
CURRENT = "/opt/voice-probe/current"
# Bash sources this first. DEBUG comes before each simple command, in functions, too; a subshell is one step.
KILLER = "/srv/killer.sh"
KILL = """
unset BASH_ENV
set -o functrace
step=0
trap '[[ $BASHPID != $$ ]] || ((++step != KILL_AT)) || { echo "$BASH_COMMAND" >/srv/killed; kill -9 $$; }' DEBUG
"""


@pytest.fixture(scope="module")
def installed(pytestconfig: pytest.Config) -> Iterator[Installed]:
    assert pytestconfig.cache is not None
    with servers() as both, booted(pytestconfig.cache.mkdir("nspawn"), ROOT) as machine:
        yield install(machine, both)


def newer(installed: Installed, version: str = NEWER) -> str:
    """A newer version's checkout, the old one running; returns its install.sh."""
    installed.machine.run(INSTALL, seconds=INSTALL_S)
    installed.machine.sh(
        "rm -rf /srv/newer; mkdir -p /srv/newer"
        f" && cd {CHECKOUT} && cp -r pyproject.toml README.md LICENSE src requirements deploy docs grafana /srv/newer"
        f" && sed -i 's/^version = .*/version = \"{version}\"/' /srv/newer/pyproject.toml"
    )
    installed.machine.path(KILLER).write_text(KILL)
    return "/srv/newer/deploy/install.sh"


def killed_before(installed: Installed, script: str, step: int) -> str:
    """Run it until before that step; returns the command there, an empty text where it ended by itself, and well."""
    machine = installed.machine
    machine.sh("rm -f /srv/killed")
    code = machine.sh(f"BASH_ENV={KILLER} KILL_AT={step} {script} >/srv/said 2>&1; echo $?", seconds=INSTALL_S).strip()
    killed = machine.sh("cat /srv/killed 2>/dev/null || true").strip()
    assert (code, bool(killed)) in {("137", True), ("0", False)}, machine.sh("cat /srv/said")
    return killed


class Killed:
    """The commands before which it was killed, and what was found each time."""

    def __init__(self, installed: Installed, script: str) -> None:
        self.commands: list[str] = []
        self._installed = installed
        self._script = script
        self._old = installed.machine.run("readlink", CURRENT).strip()
        self._seen = ""

    def before(self, step: int) -> bool:
        """Kill it there, and look; False where it ended by itself."""
        command = killed_before(self._installed, self._script, step)
        self.commands += filter(None, [command])
        self._look()
        return bool(command)

    def is_built(self) -> bool:
        return bool(
            self._installed.machine.sh(
                f"ls -d /opt/voice-probe/versions/{NEWER}-*/complete 2>/dev/null || true"
            ).strip()
        )

    def go_back(self) -> None:
        """Have the old version run, the new one being there as it is."""
        if self._installed.machine.run("readlink", CURRENT).strip() != self._old:
            said = self._installed.machine.run(INSTALL, seconds=INSTALL_S)
            assert "is running" in said

    def _look(self) -> None:
        """A service runs, and does so after a reboot: what is on disk is one version as a whole."""
        machine = self._installed.machine
        assert self._installed.shows("ActiveState") == "active"
        # It fails where one of them is not there.
        state = machine.sh(f"set -e; readlink {CURRENT}; sha256sum /etc/systemd/system/{UNIT} /usr/local/bin/probe")
        if state == self._seen:
            return
        self._seen = state
        machine.run("probe", "--version")
        machine.run("systemctl", "daemon-reload")
        self._installed.systemctl("restart")
        assert self._installed.shows("ActiveState") == "active"
        assert machine.run("systemctl", "is-enabled", UNIT).strip() == "enabled"


@pytest.mark.timeout(1800)
def test_the_old_version_runs_or_the_new_one_does(installed: Installed) -> None:
    recorded = len(until(installed.runs))
    killed = Killed(installed, newer(installed))
    step = 1
    # A version that is partly built is built again: each of these is killed in the same place of its own build.
    while not killed.is_built():
        assert killed.before(step)
        step += 1
    step = 1 + next(at for at, command in enumerate(killed.commands) if command.startswith("is_complete"))
    while killed.before(step):
        killed.go_back()
        step += 1
    assert NEWER in installed.machine.run("probe", "--version")
    assert len(installed.runs()) > recorded
    # What it does, and not only what it checks before.
    building = ('"$python" -I -m venv', '"${pip[@]}" install', 'touch "$target/complete"')
    for begin in (*building, "mv -T", "systemctl daemon-reload", 'systemctl restart "$UNIT"'):
        assert any(each.startswith(begin) for each in killed.commands), killed.commands


def test_one_that_was_killed_before_the_start_is_done_the_next_time(installed: Installed) -> None:
    """The old version still runs, though the new one is in place."""
    machine = installed.machine
    script = newer(installed, "9.6.0")
    machine.sh(f"sed -i 's/^start_service() {{/&\\n    kill -9 $$/' {script.rpartition('/')[0]}/installer/service.sh")
    machine.run(script, code=None, seconds=INSTALL_S)
    assert "9.6.0" in machine.run("readlink", CURRENT)
    assert "9.6.0" not in running(installed)
    machine.sh(f"cp {CHECKOUT}/deploy/installer/service.sh /srv/newer/deploy/installer/")
    machine.run(script, seconds=INSTALL_S)
    assert "9.6.0" in running(installed)


def running(installed: Installed) -> str:
    """The command line of what runs."""
    return installed.machine.sh(f"tr '\\0' ' ' </proc/{installed.shows('MainPID')}/cmdline")
