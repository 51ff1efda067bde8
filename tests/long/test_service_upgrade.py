"""What install.sh does to a service that is there: upgraded, rolled back, removed. Under a real systemd."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from installed import CONFIG, INSTALL, INSTALL_S, UNIT, Installed, configuration, install, until
from nspawn import CHECKOUT, booted
from scripted import servers

ROOT = Path(__file__).parents[2]
CURRENT = "/opt/voice-probe/current"
STARTS = "supervisor = Supervisor("
DOES_NOT_START = 'raise click.ClickException("broken on purpose")'


@pytest.fixture(scope="module")
def installed(pytestconfig: pytest.Config) -> Iterator[Installed]:
    assert pytestconfig.cache is not None
    with servers() as both, booted(pytestconfig.cache.mkdir("nspawn"), ROOT) as machine:
        yield install(machine, both)


@pytest.fixture
def service(installed: Installed) -> Installed:
    """The service, running, with a run in its history; installed again where the test before removed it."""
    if not installed.machine.path(f"/etc/systemd/system/{UNIT}").exists():
        installed = replace(installed, said=install(installed.machine, installed.servers).said)
    if not installed.is_as_configured():
        installed.configure()
    until(installed.runs)
    return installed


def checkout(service: Installed, version: str, change: str = "true") -> str:
    """Another version's checkout, changed by a command; returns its install.sh."""
    folder = f"/srv/{version}"
    service.machine.sh(
        f"mkdir -p {folder} && cd {CHECKOUT}"
        f" && cp -r pyproject.toml README.md LICENSE src requirements deploy docs grafana {folder}"
        f" && cd {folder} && sed -i 's/^version = .*/version = \"{version}\"/' pyproject.toml && {change}"
    )
    return f"{folder}/deploy/install.sh"


def current(service: Installed) -> str:
    return service.machine.run("readlink", CURRENT).strip()


def test_an_upgrade_keeps_configuration_and_history(service: Installed) -> None:
    before, runs = current(service), [run["run_id"] for run in service.runs()]
    newer = checkout(service, "9.1.0", "echo '# a setting that is new' >> deploy/probe.example.toml")
    said = service.machine.run(newer, seconds=INSTALL_S)
    assert "voice-probe 9.1.0 is running" in said
    assert "9.1.0" in service.machine.run("probe", "--version")
    assert service.machine.path(CONFIG).read_text() == configuration(service.servers)
    assert service.machine.path("/etc/probe/probe.example.toml").read_text().endswith("that is new\n")
    assert [run["run_id"] for run in until(service.runs)][: len(runs)] == runs
    assert until(lambda: len(service.runs()) > len(runs))
    assert service.machine.path(f"/opt/voice-probe/{before}").is_dir()


def test_a_version_that_does_not_start_gives_way_to_the_one_before(service: Installed) -> None:
    before, recorded = current(service), len(service.runs())
    broken = checkout(service, "9.2.0", f"sed -i 's/{STARTS}.*/{DOES_NOT_START}/' src/probe/cli/daemon.py")
    said = service.machine.run(broken, code=1, seconds=INSTALL_S)
    assert "broken on purpose" in said
    assert f"{before.rpartition('/')[2]} runs again" in said
    assert current(service) == before
    assert service.shows("ActiveState") == "active"
    assert until(lambda: len(service.runs()) > recorded)


def test_a_configuration_with_an_error_stops_an_upgrade_before_it_changes_anything(service: Installed) -> None:
    before, process = current(service), service.shows("MainPID")
    service.machine.path(CONFIG).write_text("[targets.local]\nvoice = 3\n")
    said = service.machine.run(checkout(service, "9.3.0"), code=1, seconds=INSTALL_S)
    assert "targets.local.voice" in said
    assert f"correct {CONFIG}" in said
    assert (current(service), service.shows("MainPID")) == (before, process)


def test_packages_that_can_not_be_had_leave_nothing_behind(service: Installed) -> None:
    before = service.machine.run("ls", "/opt/voice-probe/versions")
    offline = [
        "env",
        "-u",
        "PIP_EXTRA_INDEX_URL",
        "PIP_CONFIG_FILE=/dev/null",
        "PIP_NO_INDEX=1",
        "PIP_FIND_LINKS=/nowhere",
    ]
    said = service.machine.run(*offline, checkout(service, "9.4.0"), code=1, seconds=INSTALL_S)
    assert "the packages could not be installed" in said
    assert service.machine.run("ls", "/opt/voice-probe/versions") == before
    assert service.shows("ActiveState") == "active"


def test_what_was_disabled_on_purpose_is_not_started(service: Installed) -> None:
    service.machine.run("systemctl", "disable", "--now", UNIT)
    assert "not started" in service.machine.run(INSTALL, seconds=INSTALL_S)
    assert service.shows("ActiveState") == "inactive"
    service.machine.run("systemctl", "enable", UNIT)


def test_an_uninstalled_service_leaves_configuration_and_history_to_the_next(service: Installed) -> None:
    runs = [run["run_id"] for run in service.runs()]
    assert "kept: /etc/probe" in service.machine.run(INSTALL, "--uninstall")
    for gone in (f"/etc/systemd/system/{UNIT}", "/opt/voice-probe", "/usr/local/bin/probe"):
        assert not service.machine.path(gone).exists()
    assert service.machine.run("systemctl", "is-active", UNIT, code=None).strip() == "inactive"
    assert service.machine.path(CONFIG).exists()
    service.machine.run(INSTALL, seconds=INSTALL_S)
    assert [run["run_id"] for run in service.runs()][: len(runs)] == runs


def test_a_purge_leaves_nothing(service: Installed) -> None:
    service.machine.run(INSTALL, "--uninstall", "--purge")
    left = service.machine.sh(
        "ls -d /etc/probe /var/lib/voice-probe /var/lib/private/voice-probe /opt/voice-probe", code=None
    )
    assert left.count("No such file") == 4
    assert "kept" in service.machine.run(INSTALL, "--uninstall"), "removing what is gone is no mistake"
