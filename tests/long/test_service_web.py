"""The pages as a service of their own, installed by install.sh --with-web. Under a real systemd."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import INSTALL, INSTALL_S, UNIT, Installed, install, until
from nspawn import booted
from scripted import servers

ROOT = Path(__file__).parents[2]
WEB = "voice-probe-web.service"
ADDRESS = "http://127.0.0.1:9851"
# What a process of the same user can do beside the service, which a filter of system calls must take away.
REACH = """
import json, os, sqlite3
found = {"history": sqlite3.connect("file:/var/lib/voice-probe/history.sqlite3?mode=ro", uri=True).execute(
    "SELECT count(*) FROM runs").fetchone()[0]}
for name, path in (("write", "/var/lib/voice-probe/new"), ("var", "/var/lib/new"), ("tmp", "/tmp/new")):
    try:
        open(path, "w").close()
        found[name] = "could"
    except OSError as error:
        found[name] = error.strerror
try:
    os.kill(int(os.environ["DAEMON"]), 0)
    found["kill"] = "could"
except OSError as error:
    found["kill"] = error.strerror
found["credentials"] = os.path.isdir("/etc/probe/credentials") and os.access("/etc/probe/credentials", os.R_OK)
print("REACH " + json.dumps(found))
"""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def service(pytestconfig: pytest.Config) -> Iterator[Installed]:
    assert pytestconfig.cache is not None
    with servers() as both, booted(pytestconfig.cache.mkdir("nspawn"), ROOT) as machine:
        yield install(machine, both, "--with-web")


def web(service: Installed, name: str) -> str:
    return service.machine.run("systemctl", "show", "--property", name, "--value", WEB).strip()


def page(service: Installed, path: str) -> str:
    return service.machine.sh(
        f"python3 -c \"import urllib.request as u; print(u.urlopen('{ADDRESS}{path}').read().decode())\""
    )


def test_the_pages_show_the_runs_of_the_daemon_without_words(service: Installed) -> None:
    assert f"pages     {ADDRESS}/" in service.said
    assert web(service, "ActiveState") == "active"
    until(service.runs)
    listed = until(lambda: re.findall(r'href="(/runs/[^"]+Z-[^"]+)"', page(service, "/runs")))
    assert "figures only" in page(service, listed[0])


def test_the_unit_has_no_mistake_and_little_exposure(service: Installed) -> None:
    assert service.machine.run("systemd-analyze", "verify", WEB) == ""
    judged = service.machine.run(
        "systemd-analyze", "security", "--offline=true", "--threshold=15", f"/etc/systemd/system/{WEB}"
    )
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", judged)
    assert exposure and float(exposure[1]) <= 1.5


def test_it_reads_the_history_and_can_do_nothing_else(service: Installed) -> None:
    folder = f"/etc/systemd/system/{WEB}.d"
    until(service.runs)
    daemon = service.shows("MainPID")
    service.machine.sh(f"mkdir -p {folder}")
    service.machine.path(f"{folder}/reach.py").write_text(REACH)
    service.machine.path(f"{folder}/reach.conf").write_text(
        f"[Service]\nEnvironment=DAEMON={daemon}\nExecStartPre=/opt/voice-probe/current/bin/python {folder}/reach.py\n"
    )
    service.machine.sh(f"systemctl daemon-reload && systemctl restart {WEB}")
    said = service.machine.run("journalctl", "--no-pager", "--output=cat", f"--unit={WEB}")
    found = re.findall(r"REACH (.*)", said)[-1]
    assert re.search(r'"history": [1-9]', found), found
    assert '"write": "Read-only file system"' in found
    assert '"kill": "Operation not permitted"' in found
    assert '"credentials": false' in found
    assert "could" not in found
    service.machine.sh(f"rm -r {folder} && systemctl daemon-reload && systemctl restart {WEB}")
    assert service.shows("MainPID") == daemon


def test_an_upgrade_keeps_the_pages_and_an_option_removes_them(service: Installed) -> None:
    assert "nothing to do" in service.machine.run(INSTALL, seconds=INSTALL_S)
    service.machine.run(INSTALL, "--without-web", seconds=INSTALL_S)
    assert not service.machine.path(f"/etc/systemd/system/{WEB}").exists()
    assert web(service, "ActiveState") == "inactive"
    assert service.shows("ActiveState") == "active"
    service.machine.run(INSTALL, "--with-web", seconds=INSTALL_S)
    assert web(service, "ActiveState") == "active"
    service.machine.run(INSTALL, "--uninstall", seconds=INSTALL_S)
    for unit in (WEB, UNIT):
        assert not service.machine.path(f"/etc/systemd/system/{unit}").exists()
    # As the other tests expect it, in whatever order they run.
    service.machine.run(INSTALL, "--with-web", seconds=INSTALL_S)
