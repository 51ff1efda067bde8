"""Another machine beside a run: Debian's own node_exporter, and servers that are none or behave badly."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import debian
import pytest

from probe.machine import scrape
from probe.machine.answer import NoPageError
from probe.machine.exporters import NodeExporter

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
DCGM = (
    b'DCGM_FI_DEV_SM_CLOCK{gpu="0",modelName="NVIDIA GB10",DCGM_FI_DRIVER_VERSION="580.95"} 2418\n'
    b'DCGM_FI_DEV_CLOCK_THROTTLE_REASONS{gpu="0"} 4\n'
)


@contextmanager
def answering(*pieces: bytes, then: Callable[[socket.socket], object] = lambda _connection: None) -> Iterator[str]:
    """A server that answers every request with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    for piece in pieces:
                        connection.sendall(piece)
                    then(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/metrics"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(30)


@pytest.fixture(scope="module")
def exporter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    package = "prometheus-node-exporter"
    program = debian.binaries(request.config, package, package) / package
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("node_exporter") / "log"
    with log.open("w") as out:
        command = [str(program), f"--web.listen-address=127.0.0.1:{port}", "--no-collector.hwmon"]
        process = subprocess.Popen(command, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}/metrics"
    try:
        deadline = time.monotonic() + 60
        while not _is_there(url):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _is_there(url: str) -> bool:
    try:
        return bool(scrape.page(url, 5.0))
    except NoPageError:
        return False


def run(tmp_path: Path, **exporters: str) -> dict[str, Any]:
    """The document of a run that nobody answers: it is over at once."""
    urls = {f"PROBE_TARGETS__FAR__EXPORTERS__{name.upper()}": url for name, url in exporters.items()}
    environment = {**os.environ, **urls, "XDG_STATE_HOME": str(tmp_path)}
    command = [
        sys.executable, "-m", "probe", "run", "--json", "--target", "far",
        "--llm-url", "ws://127.0.0.1:9/ws", "--tts-url", "ws://127.0.0.1:9/ws",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_real_node_exporter_shows_this_machine(exporter: str) -> None:
    found = NodeExporter(exporter, lambda url, _s: scrape.page(url, 30.0)).whole()
    assert found.counters is not None and found.conditions is not None
    ticks = found.counters.ticks
    assert ticks is not None and 0 < ticks.idle <= ticks.total
    total = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    assert found.levels.memory_available_bytes is not None
    assert 0 < found.levels.memory_available_bytes <= int(total.split()[1]) * 1024
    assert found.conditions.load is not None
    assert found.conditions.kernel == os.uname().release
    assert found.conditions.started is not None and 0 < found.conditions.started < time.time()
    if Path("/proc/pressure/cpu").exists():
        assert found.counters.stalled_cpu_us is not None


def test_a_run_has_the_machine_that_its_exporters_show(exporter: str, tmp_path: Path) -> None:
    with answering(HEAD + b"\r\n", DCGM) as gpus:
        found = run(tmp_path, node=exporter, dcgm=gpus)["machine"]
    assert (found["name"], found["silent"]) == ("127.0.0.1", [])
    assert found["host"]["kernel"] == os.uname().release
    assert found["host"]["memory_available_bytes"] > 0
    assert (found["driver"], found["gpus"][0]["sm_mhz"]) == ("580.95", 2418)
    assert found["gpus"][0]["reasons"] == ["power_cap"]


def checked(tmp_path: Path, node: str, dcgm: str, *more: str) -> str:
    """What `check-config --probe` prints of a target whose servers nobody runs."""
    nobody = 'protocol = "{}"\nurl = "ws://127.0.0.1:9/ws"'
    parts = (
        f"[targets.far.llm]\n{nobody.format('chunked')}", f"[targets.far.tts]\n{nobody.format('magpie')}",
        f'voice = "a"\n[targets.far.exporters]\nnode = "{node}"\ndcgm = "{dcgm}"\n',
    )  # fmt: skip
    (tmp_path / "probe.toml").write_text("\n".join(parts))
    command = [sys.executable, "-m", "probe", "check-config", str(tmp_path / "probe.toml"), "--probe", *more]
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "COLUMNS": "200"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    return done.stdout


def test_check_config_reports_what_each_exporter_gives_and_what_it_does_not(tmp_path: Path) -> None:
    with (
        answering(HEAD + b"\r\n", b"node_load1 1\nnode_memory_MemAvailable_bytes 5\n") as node,
        answering(HEAD + b"\r\n", DCGM) as dcgm,
    ):
        found = checked(tmp_path, node, dcgm)
        document = json.loads(checked(tmp_path, node, dcgm, "--json"))
    assert f"far node ({node}): it answers\n  ok       gives: load, available memory\n" in found
    assert "  unknown  does not give: CPU clock (cpufreq), CPU use (cpu), pressure (pressure), temperature" in found
    assert "  ok       gives: SM clock, what lowers the clocks, driver\n" in found
    assert "power (DCGM_FI_DEV_POWER_USAGE)" in found
    assert [(each["exporter"], each["error"]) for each in document["exporters"]] == [("node", None), ("dcgm", None)]
    assert [each["state"] for each in document["exporters"][0]["findings"]] == ["ok", "unknown"]


def test_check_config_says_what_to_do_about_an_exporter_that_gives_nothing(tmp_path: Path) -> None:
    with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as none:
        found = checked(tmp_path, "http://name:secret-word@127.0.0.1:9/metrics", none)
    assert "targets.far.exporters.node: nothing listens there: is it running, and is this its port?" in found
    assert "targets.far.exporters.dcgm: there is no such page (status 404): the path of exporters is /metrics" in found
    assert "secret-word" not in found


def test_exporters_that_are_not_there_change_nothing_else(tmp_path: Path) -> None:
    with answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") as none:
        document = run(tmp_path, node="http://name:secret-word@127.0.0.1:9/metrics", dcgm=none)
    found = document["machine"]
    assert (found["name"], found["silent"], found["gpus"]) == ("127.0.0.1", ["node", "dcgm"], [])
    assert document["failure"]["reason"] == "refused"
    assert "secret-word" not in json.dumps(document)


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + b"\r\n", b"a 1\n"),
        (HEAD + b"Content-Length: 4\r\n\r\n", b"a 1\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\na \r\n2\r\n1\n\r\n0\r\n\r\n"),
    ],
)
def test_a_page_is_read_however_it_is_sent(pieces: tuple[bytes, ...]) -> None:
    with answering(*pieces) as url:
        assert scrape.page(url, 30.0) == b"a 1\n"


def test_a_page_that_is_complete_is_not_waited_for() -> None:
    asked = threading.Event()
    with answering(HEAD + b"Content-Length: 4\r\n\r\na 1\n", then=lambda _connection: asked.wait(30)) as url:
        assert scrape.page(url, 60.0) == b"a 1\n"
        asked.set()


@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ((b"HTTP/1.1 500 no\r\n\r\n",), "status 500"),
        ((HEAD + b"Content-Length: 9\r\n\r\n", b"a 1\n"), "cut off"),
        ((b"no HTTP at all\r\n\r\n",), "no HTTP"),
        ((), "no answer"),
    ],
)
def test_what_is_no_page_is_none(pieces: tuple[bytes, ...], why: str) -> None:
    with answering(*pieces) as url, pytest.raises(NoPageError, match=why):
        scrape.page(url, 30.0)


def test_a_connection_is_kept_for_the_next_page_and_a_new_one_opened_when_it_was_closed() -> None:
    asked: list[int] = []
    page = HEAD + b"Content-Length: 4\r\n\r\na 1\n"

    def two_pages(connection: socket.socket) -> None:
        asked.append(1)
        if connection.recv(65_536):
            asked.append(2)
            connection.sendall(page)

    with answering(page, then=two_pages) as url, closing(scrape.Reader()) as reader:
        assert [reader.page(url, 30.0) for _ in range(3)] == [b"a 1\n"] * 3
        reader.close()
    assert asked == [1, 2, 1]


def test_a_kept_connection_is_not_used_for_another_server() -> None:
    page = HEAD + b"Content-Length: 4\r\n\r\n"
    waiting = threading.Event()
    with (
        closing(scrape.Reader()) as reader,
        answering(page, b"a 1\n", then=lambda _connection: waiting.wait(30)) as one,
        answering(page, b"b 1\n") as other,
    ):
        assert [reader.page(url, 30.0) for url in (one, other)] == [b"a 1\n", b"b 1\n"]
        waiting.set()


def test_a_page_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "MAX_BYTES", 1000)
    with answering(HEAD + b"\r\n", b"x" * 1001) as url, pytest.raises(NoPageError, match="longer than 1000"):
        scrape.page(url, 30.0)


def test_a_page_that_drips_is_given_up_at_its_deadline() -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        try:
            while not over.wait(0.01):
                connection.sendall(b"x")
        except OSError:
            return

    with answering(HEAD, then=drip) as url:
        try:
            with pytest.raises(NoPageError, match="TimeoutError"):
                scrape.page(url, 0.2)
        finally:
            over.set()
