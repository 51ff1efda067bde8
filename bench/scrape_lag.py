"""How late is the daemon's event loop while it is scraped?

The daemon's metrics with many targets, served as the daemon serves them; another process scrapes them, and a thread
counts a run as often, which has the page formatted again. A ticker on the event loop notes how late it wakes, first
in peace, then scraped.

    python bench/scrape_lag.py --targets 20 --seconds 20 --every 1
"""

import argparse
import asyncio
import multiprocessing
import sys
import threading
import time
from collections.abc import Iterable
from http.client import HTTPConnection
from statistics import quantiles

from probe import garbage
from probe.config import ScenarioConfig, TargetConfig
from probe.daemon.composition import pages
from probe.daemon.health import Health
from probe.daemon.http_server import HttpServer
from probe.daemon.service import SWITCH_INTERVAL_S
from probe.metrics.registry import Metrics
from probe.plan import new_plan
from probe.record import RunRecord

TICK_S = 0.002


def scrape(port: int, every_s: float) -> None:
    """Ask for ever."""
    while True:
        began = time.monotonic()
        connection = HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
        connection.getresponse().read()
        connection.close()
        time.sleep(max(0.0, every_s - (time.monotonic() - began)))


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
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    metrics = Metrics("bench", ["history"])
    metrics.expect((f"target-{number}", "default") for number in range(options.targets))
    http = HttpServer("127.0.0.1", 0, pages(metrics, Health()))
    http.start()
    metrics.render("application/openmetrics-text")
    garbage.freeze()
    report("in peace", asyncio.run(lags_ms(options.seconds)))
    scraper = multiprocessing.get_context("spawn").Process(target=scrape, args=(http.port, options.every), daemon=True)
    scraper.start()
    threading.Thread(target=count_runs, args=(metrics, options.every), daemon=True).start()
    # Not the other process's start.
    time.sleep(3)
    report("scraped", asyncio.run(lags_ms(options.seconds)))
    scraper.terminate()
    http.close()


if __name__ == "__main__":
    main()
