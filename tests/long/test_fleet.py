"""Two boxes, their agents, a store that is down for a while, and the rules over boxes at the store."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from released import ROOT
from runs import record
from victoria import free_port, get, running, victoria, wait_for

from probe.daemon.composition import pages
from probe.daemon.health import Health
from probe.daemon.http_server import HttpServer
from probe.metrics.registry import Metrics

FLEET = ROOT / "deploy" / "fleet"
DOWN_S = 10.0


@contextmanager
def box(name: str, store: int, programs: Path, folder: Path) -> Iterator[Metrics]:
    """What a daemon serves, and its agent as deploy/fleet has it, but a scrape per second."""
    metrics = Metrics("1", [])
    metrics.expect([("local", "default")])
    metrics.write(record(1))
    http = HttpServer("127.0.0.1", 0, pages(metrics, Health()))
    http.start()
    settings = (FLEET / "vmagent.yml").read_text()
    for old, new in (("SITE", "shop"), ("BOX", name), ("9850", str(http.port)), ("interval: 15s", "interval: 1s")):
        assert old in settings
        settings = settings.replace(old, new)
    path = folder / f"{name}.yml"
    path.write_text(settings)
    agent = (
        f"-promscrape.config={path}", f"-remoteWrite.url=http://127.0.0.1:{store}/api/v1/write",
        f"-remoteWrite.tmpDataPath={folder / name}", f"-httpListenAddr=127.0.0.1:{free_port()}",
    )  # fmt: skip
    with running(programs / "vmagent", folder / f"{name}.log", *agent):
        yield metrics
    http.close()


def store_at(port: int, programs: Path, folder: Path) -> ExitStack:
    """The store, on the same folder each time; close it to stop it."""
    stack = ExitStack()
    # It usually answers for 30 s ago, and each rule that needs another one waits for so long.
    options = (
        f"-storageDataPath={folder / 'store'}", f"-httpListenAddr=127.0.0.1:{port}", "-search.latencyOffset=1s"
    )  # fmt: skip
    stack.enter_context(running(programs / "victoria-metrics", folder / "store.log", *options))
    return stack


def test_nothing_is_lost_while_the_store_is_down(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    programs, port = victoria(request.config), free_port()
    reporting = 'count(count by (box) (voice_probe_build_info{site="shop"}))'
    ok = 'sum(voice_probe_runs_total{outcome="ok",box="a"})'
    with ExitStack() as fleet:
        store = fleet.enter_context(store_at(port, programs, tmp_path))
        metrics = fleet.enter_context(box("a", port, programs, tmp_path))
        fleet.enter_context(box("b", port, programs, tmp_path))
        wait_for(port, reporting, 2)
        wait_for(port, ok, 1)
        store.close()
        down = time.time()
        metrics.write(record(2))
        # The agents scrape on meanwhile.
        time.sleep(DOWN_S)
        up = time.time()
        fleet.enter_context(store_at(port, programs, tmp_path))
        wait_for(port, ok, 2)
        exported = get(port, "/api/v1/export", match='voice_probe_build_info{box="a"}')["timestamps"]
        assert sum(down + 1 < each / 1000 < up for each in exported) >= DOWN_S / 3
        _judged(port, programs, tmp_path)


def _judged(port: int, programs: Path, folder: Path) -> None:
    """The rules at the store."""
    url = f"http://127.0.0.1:{port}"
    options = (
        f"-rule={FLEET / 'voice_probe_fleet.yml'}", f"-datasource.url={url}", f"-remoteWrite.url={url}",
        "-notifier.url=http://127.0.0.1:1", "-evaluationInterval=1s", f"-httpListenAddr=127.0.0.1:{free_port()}",
    )  # fmt: skip
    with running(programs / "vmalert", folder / "rules.log", *options):
        wait_for(port, "voice_probe_fleet:boxes:reporting", 2)
        wait_for(port, "voice_probe_fleet:boxes:gone", 0)
        wait_for(port, 'count(voice_probe_fleet:box:reporting{site="shop"})', 2)
