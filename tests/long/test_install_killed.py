"""install.sh killed with SIGKILL before each of its commands: the old version runs, or the new one does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import INSTALL_S, UNIT, Installed, install, until
from nspawn import CHECKOUT, booted
from scripted import servers

ROOT = Path(__file__).parents[2]
NEWER = "9.5.0"
# Bash sources this first. DEBUG comes before each simple command, in functions, too; a subshell is one step.
KILLER = "/srv/killer.sh"
KILL = """
unset BASH_ENV
set -o functrace
step=0
trap '[[ $BASHPID != $$ ]] || ((++step != KILL_AT)) || { echo "$BASH_COMMAND" >/srv/killed; kill -9 $$; }' DEBUG
"""
MOST_STEPS = 400


@pytest.fixture(scope="module")
def installed(pytestconfig: pytest.Config) -> Iterator[Installed]:
    assert pytestconfig.cache is not None
    with servers() as both, booted(pytestconfig.cache.mkdir("nspawn"), ROOT) as machine:
        yield install(machine, both)


def newer(installed: Installed) -> str:
    """A newer version's checkout; returns its install.sh."""
    installed.machine.sh(
        "mkdir -p /srv/newer"
        f" && cd {CHECKOUT} && cp -r pyproject.toml README.md LICENSE src requirements deploy /srv/newer"
        f" && sed -i 's/^version = .*/version = \"{NEWER}\"/' /srv/newer/pyproject.toml"
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


def assert_something_runs(installed: Installed, old: str) -> None:
    """It runs as it is, and after a reboot it would: what is on disk is one version as a whole."""
    assert installed.shows("ActiveState") == "active"
    version = installed.machine.run("probe", "--version")
    assert old in version or NEWER in version
    installed.machine.run("systemctl", "daemon-reload")
    installed.systemctl("restart")
    assert installed.shows("ActiveState") == "active"
    assert installed.machine.run("systemctl", "is-enabled", UNIT).strip() == "enabled"


@pytest.mark.timeout(1800)
def test_the_old_version_runs_or_the_new_one_does(installed: Installed) -> None:
    machine, script = installed.machine, newer(installed)
    old = machine.run("probe", "--version").split()[-1]
    recorded = len(until(installed.runs))
    commands = []
    for step in range(1, MOST_STEPS):
        if not (command := killed_before(installed, script, step)):
            break
        commands.append(command)
        assert_something_runs(installed, old)
    assert_something_runs(installed, old)
    assert NEWER in machine.run("probe", "--version")
    assert len(installed.runs()) > recorded
    # What it does, and not only what it checks before.
    for begin in (
        '"$python" -I -m venv',
        '"${pip[@]}" install',
        'touch "$target/complete"',
        "mv -T",
        "systemctl restart",
    ):
        assert any(each.startswith(begin) for each in commands), commands
