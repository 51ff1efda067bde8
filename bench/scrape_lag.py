"""How late is the daemon's event loop while it is scraped?

The daemon's metrics with many targets, served as the daemon serves them; another process scrapes them, and a thread
counts a run as often, which has the page formatted again. A ticker on the event loop notes how late it wakes, first
in peace, then scraped.

    python bench/scrape_lag.py --targets 20 --seconds 20 --every 1 --tls

With --tls, it is scraped a third time over TLS, with a new connection and a full handshake each time.
"""

import argparse
import asyncio
import multiprocessing
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from statistics import quantiles

import trustme

from probe import garbage
from probe.config import ScenarioConfig, TargetConfig
from probe.daemon.composition import pages
from probe.daemon.health import Health
from probe.daemon.http_access import Access
from probe.daemon.http_server import HttpServer
from probe.daemon.service import SWITCH_INTERVAL_S
from probe.metrics.registry import Metrics
from probe.plan import new_plan
from probe.record import RunRecord

TICK_S = 0.002
# The certificate is one of this bench.
UNVERIFIED = ssl._create_unverified_context()  # noqa: S323, SLF001


def scrape(port: int, every_s: float, *, tls: bool) -> None:
    """Ask for ever."""
    while True:
        began = time.monotonic()
        scrape_once(port, tls=tls)
        time.sleep(max(0.0, every_s - (time.monotonic() - began)))


def scrape_once(port: int, *, tls: bool) -> None:
    connection = (
        HTTPSConnection("127.0.0.1", port, timeout=30, context=UNVERIFIED)
        if tls
        else HTTPConnection("127.0.0.1", port, timeout=30)
    )
    connection.request("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
    connection.getresponse().read()
    connection.close()


def count_runs(metrics: Metrics, every_s: float) -> None:
    """Have a run end for ever: one that was skipped, for what costs is the page."""
    plan = new_plan(TargetConfig().record("target-0"), ScenarioConfig().record("default"))
    while True:
        time.sleep(every_s)
        metrics.write(RunRecord(plan, time.time_ns(), time.time_ns(), skipped="bench"))


async def lags_ms(seconds: float) -> list[float]:
    """How late the loop wakes, in milliseconds."""
    loop = asyncio.get_running_loop()
    lags = []
    end = loop.time() + seconds
    while (due := loop.time() + TICK_S) < end:
        await asyncio.sleep(TICK_S)
        lags.append((loop.time() - due) * 1000)
    return lags


def report(what: str, lags: Iterable[float]) -> None:
    values = [*lags]
    cuts = quantiles(values, n=1000)
    shown = {"p50": cuts[499], "p99": cuts[989], "p99.9": cuts[998], "max": max(values)}
    print(f"{what:8}  " + "  ".join(f"{name} {value:6.2f} ms" for name, value in shown.items()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two scrapes")
    parser.add_argument("--tls", action="store_true", help="scrape over TLS, too")
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    metrics = Metrics("bench", ["history"])
    metrics.expect((f"target-{number}", "default") for number in range(options.targets))
    metrics.render("application/openmetrics-text")
    garbage.freeze()
    report("in peace", asyncio.run(lags_ms(options.seconds)))
    threading.Thread(target=count_runs, args=(metrics, options.every), daemon=True).start()
    scraped("scraped", metrics, options.every, options.seconds)
    if options.tls:
        with tempfile.TemporaryDirectory() as folder:
            scraped("by TLS", metrics, options.every, options.seconds, with_certificate(Path(folder)))


def scraped(what: str, metrics: Metrics, every_s: float, seconds: float, file: Path | None = None) -> None:
    """Report the lags while another process scrapes, over TLS where there is a file for that."""
    http = HttpServer("127.0.0.1", 0, pages(metrics, Health()), access=Access(file))
    http.start()
    scraper = multiprocessing.get_context("spawn").Process(
        target=scrape, args=(http.port, every_s), kwargs={"tls": file is not None}, daemon=True
    )
    scraper.start()
    # Not the other process's start.
    time.sleep(3)
    report(what, asyncio.run(lags_ms(seconds)))
    scraper.terminate()
    http.close()


def with_certificate(folder: Path) -> Path:
    """A file of the port's settings with a certificate."""
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "server.key"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    file = folder / "web.yml"
    file.write_text("tls_server_config: {cert_file: server.pem, key_file: server.key}")
    return file


if __name__ == "__main__":
    main()
