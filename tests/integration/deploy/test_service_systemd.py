"""The service under a real systemd: installed by install.sh, hardened by its unit, watched, restarted, stopped."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from installed import CONFIG, INSTALL, UNIT, Installed, install, until
from nspawn import booted
from scripted import servers

from probe.reference.faults import LlmScript, llm

ROOT = Path(__file__).parents[3]
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

# The daemon waits for its history before it is ready, as it would for a slow disk.
START_WITH_A_LOCKED_HISTORY = """
import glob, os, sqlite3, subprocess, time
def shows(name):
    command = ["systemctl", "show", "--property=" + name, "--value", "voice-probe"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
def has_opened_its_history():
    try:
        held = [os.readlink(each) for each in glob.glob("/proc/" + shows("MainPID") + "/fd/*")]
    except FileNotFoundError:
        return False
    return any(each.endswith("history.sqlite3") for each in held)
history = sqlite3.connect("/var/lib/voice-probe/history.sqlite3", isolation_level=None)
history.execute("BEGIN IMMEDIATE")
subprocess.run(["systemctl", "start", "--no-block", "voice-probe"], check=True)
deadline = time.monotonic() + 50
while not has_opened_its_history() and time.monotonic() < deadline:
    time.sleep(0.05)
print(shows("ActiveState"))
"""
DROP_INS = "/etc/systemd/system/voice-probe.service.d"
SECRET = "Bearer a-secret-from-a-file"  # noqa: S105 - what the test looks for
# What the service finds that it can do, reported by a command that runs as the service does.
LOOK = """
import json, os
def seen(top, depth=3):
    yield top
    if depth:
        try:
            names = os.listdir(top)
        except OSError:
            return
        for name in names:
            path = os.path.join(top, name)
            if os.path.isdir(path) and not os.path.islink(path):
                yield from seen(path, depth - 1)
tops = ["/" + name for name in os.listdir("/") if name not in ("proc", "sys")]
writable = [path for top in tops for path in seen(top) if os.access(path, os.W_OK)]
def readable(path):
    try:
        return bool(os.listdir(path)) if os.path.isdir(path) else bool(open(path).read())
    except OSError:
        return False
print("LOOK " + json.dumps({"writable": writable, "readable": [p for p in ("/root", "/etc/shadow",
    "/etc/probe/credentials", "/etc/probe/probe.toml") if readable(p)], "uid": os.getuid()}))
"""


@pytest.fixture(scope="module")
def service(pytestconfig: pytest.Config) -> Iterator[Installed]:
    assert pytestconfig.cache is not None
    with servers() as both, booted(pytestconfig.cache.mkdir("nspawn"), ROOT) as machine:
        yield install(machine, both)


@pytest.fixture(autouse=True)
def _as_installed(service: Installed) -> None:
    """Give each test the service as the installation left it, whatever the one before did to it."""
    left = service.machine.sh(f"find {DROP_INS} /etc/probe/credentials -type f ! -name shorter.conf -print -delete")
    if left:
        service.machine.run("systemctl", "daemon-reload")
    if left or not service.is_as_configured():
        service.configure()


def test_it_runs_and_says_where_to_look(service: Installed) -> None:
    assert service.shows("ActiveState") == "active"
    assert service.shows("UnitFileState") == "enabled"
    assert re.search(r"voice-probe [\d.]+ is running", service.said)
    for place in ("sudo probe history", "journalctl -u voice-probe", "/metrics", CONFIG):
        assert place in service.said
    recorded = len(service.runs())
    assert until(lambda: len(service.runs()) > recorded + 1)
    assert service.runs()[-1]["outcome"] == "ok"


def test_the_runbook_that_alerts_link_to_is_installed(service: Installed) -> None:
    (installed,) = service.machine.path("/opt/voice-probe/versions").glob(
        "*/lib/python*/site-packages/probe/daemon/runbook.md"
    )
    assert installed.read_bytes() == (ROOT / "docs" / "runbook.md").read_bytes()


def test_a_configuration_that_was_there_stays_and_the_example_lies_beside_it(service: Installed) -> None:
    assert "[targets.scripted]" in service.machine.path(CONFIG).read_text()
    example = service.machine.path("/etc/probe/probe.example.toml").read_bytes()
    assert example == (ROOT / "deploy" / "probe.example.toml").read_bytes()


def test_installing_again_changes_nothing(service: Installed) -> None:
    before = service.shows("MainPID")
    said = service.machine.run(INSTALL)
    assert "nothing to do" in said
    assert service.shows("MainPID") == before


def test_a_dry_run_changes_nothing(service: Installed) -> None:
    said = service.machine.run(INSTALL, "--uninstall", "--purge", "--dry-run")
    assert said.count("would ") == 3
    assert service.shows("ActiveState") == "active"
    assert service.runs()


def test_the_unit_has_no_mistake_and_little_exposure(service: Installed) -> None:
    assert service.machine.run("systemd-analyze", "verify", UNIT) == ""
    unit = f"/etc/systemd/system/{UNIT}"
    judged = service.machine.run("systemd-analyze", "security", "--offline=true", "--threshold=15", unit)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", judged)
    assert exposure and float(exposure[1]) <= 1.5


def test_it_is_active_only_once_it_is_ready(service: Installed) -> None:
    service.systemctl("stop")
    assert service.machine.run("/usr/bin/python3", "-c", START_WITH_A_LOCKED_HISTORY).split() == ["activating"]
    until(lambda: service.shows("ActiveState") == "active")


def test_it_comes_back_after_kill_9_with_its_history(service: Installed) -> None:
    before, recorded = service.shows("MainPID"), len(until(service.runs))
    with in_a_long_answer(service) as stream:
        service.machine.run("systemctl", "kill", "--signal=KILL", UNIT)
        assert stream in service.servers.llm.active_streams
    started_again(service, before)
    assert until(lambda: stream not in service.servers.llm.active_streams)
    assert until(lambda: len(service.runs()) > recorded)
    assert service.runs()[-1]["outcome"] == "ok"


def test_the_watchdog_ends_a_process_that_hangs(service: Installed) -> None:
    before, restarts = service.shows("MainPID"), int(service.shows("NRestarts"))
    with in_a_long_answer(service) as stream:
        service.machine.run("systemctl", "kill", "--signal=STOP", UNIT)
    started_again(service, before)
    assert until(lambda: stream not in service.servers.llm.active_streams)
    assert int(service.shows("NRestarts")) > restarts
    assert "Watchdog timeout" in service.journal()


def test_it_gives_its_slot_back_when_it_is_stopped(service: Installed) -> None:
    with in_a_long_answer(service):
        service.systemctl("stop")
        assert not service.servers.llm.active_streams
    assert service.shows("Result") == "success"
    assert service.shows("ExecMainStatus") == "0"


def test_a_reload_takes_over_a_good_file_and_refuses_a_bad_one(service: Installed) -> None:
    before = service.shows("MainPID")
    path = service.machine.path(CONFIG)
    path.write_text(path.read_text().replace("often", "seldom"))
    service.systemctl("reload")
    until(lambda: '"schedules": ["seldom"]' in service.journal())
    path.write_text("nonsense = 1\n")
    service.systemctl("reload", code=1)
    assert "nonsense: unknown key" in service.journal()
    assert service.shows("MainPID") == before


def test_a_wrong_configuration_is_not_tried_again_and_again(service: Installed) -> None:
    service.machine.path(CONFIG).write_text("nonsense = 1\n")
    service.systemctl("restart", code=1)
    assert service.shows("ActiveState") == "failed"
    assert service.shows("ExecMainStatus") == "2"
    assert "correct" in service.machine.run(INSTALL, code=1)


def test_a_secret_reaches_the_collector_and_nobody_else(service: Installed) -> None:
    with collector() as (url, authorizations):
        service.machine.path("/etc/probe/credentials/OTLP__HEADERS__AUTHORIZATION").write_text(SECRET)
        service.configure(f'endpoint = "{url}"')
        until(lambda: authorizations)
    assert set(authorizations) == {SECRET}
    process = service.shows("MainPID")
    assert SECRET not in service.machine.sh(f"cat /proc/{process}/environ /proc/{process}/cmdline")
    assert SECRET not in service.journal()


def test_it_can_write_to_its_own_directory_and_nowhere_else(service: Installed) -> None:
    service.machine.path(f"{DROP_INS}/look.conf").write_text(
        "[Service]\nExecStartPre=/opt/voice-probe/current/bin/python /etc/probe/look.py\n"
    )
    service.machine.path("/etc/probe/look.py").write_text(LOOK)
    service.machine.path("/etc/probe/credentials/OTLP__HEADERS__AUTHORIZATION").write_text(SECRET)
    service.machine.run("systemctl", "daemon-reload")
    service.systemctl("restart")
    found = json.loads(service.journal().rpartition("LOOK ")[2].partition("\n")[0])
    own = {"/tmp", "/var/tmp", "/var/lib/private/voice-probe"}  # noqa: S108 - systemd gives it an empty one of its own
    assert set(found["writable"]) == own
    assert found["readable"] == ["/etc/probe/probe.toml"]
    assert found["uid"] >= 61184  # a user that exists while the service runs


def test_the_history_is_read_while_the_service_is_stopped_and_goes_on(service: Installed) -> None:
    until(service.runs)
    service.systemctl("stop")
    recorded = len(service.runs())
    service.systemctl("start")
    assert until(lambda: len(service.runs()) > recorded)


@contextmanager
def in_a_long_answer(service: Installed) -> Iterator[str]:
    """Be in the middle of a run, whose stream holds the only slot: its name."""
    language_model = service.servers.llm
    sent = tokens_sent(service)
    language_model.script = LlmScript(turns=((llm.chunk(*["na "] * 60, gap=0.05),),))
    try:
        until(lambda: language_model.active_streams and tokens_sent(service) > sent + 2)
        (stream,) = language_model.active_streams
        yield stream
    finally:
        language_model.script = LlmScript()


def started_again(service: Installed, before: str) -> None:
    """Wait for the process after that one."""
    until(lambda: service.shows("MainPID") not in {before, "0"})
    until(lambda: service.shows("ActiveState") == "active")


def tokens_sent(service: Installed) -> int:
    """How many of a long answer's."""
    return sum("na " in str(entry.data) for entry in service.servers.llm.log.sent("text"))


@contextmanager
def collector() -> Iterator[tuple[str, list[str | None]]]:
    """Takes spans as a collector does; keeps the authorization that came with each batch."""
    authorizations: list[str | None] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            authorizations.append(self.headers["authorization"])
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", authorizations
        server.shutdown()
        thread.join(10)
