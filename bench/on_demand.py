"""How much does `/probe` add to the run that it asks for?

Two real daemons with every sink but audio, on the same scripted servers in another process, at the same time: one does
a run per second by its schedule, the other one when it is asked. CPU time of a daemon per run, which other work on the
machine changes little, and what a scrape took beyond its run, the questions to the servers before it included, as for
any run. The least of all scrapes is what it takes if nobody else wants the processor. Before that, what a scrape takes
of a run that is over at once: all that `/probe` itself does.

    python bench/on_demand.py --runs 100
"""

import argparse
import asyncio
import json
import multiprocessing
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch

from fleet import run, used
from scripted_servers import configured

from probe.cli import main as command_line
from probe.config import Config, ScenarioConfig, TargetConfig
from probe.daemon.composition import slow_pages
from probe.daemon.http_server import HttpServer
from probe.daemon.on_demand import Found, OnDemand
from probe.daemon.runs import Runs
from probe.daemon.schedule import Entry, Schedule
from probe.daemon.service import SWITCH_INTERVAL_S
from probe.history.reader import reading
from probe.metrics.one_run import one_run
from probe.record import RunRecord
from probe.report.debug_text import debug_text

# From one run to the next, of both daemons.
EVERY_S = 1.0
WARM_UP = 5
PAGES = 500
STARTED, RAN = "started", "ran"


class TimedRuns(Runs):
    """Prints how long each run on demand took that a scrape gets, from its turn to its record."""

    async def asked_for(self, entry: Entry, patience_s: float, found: Found) -> None:
        began = time.monotonic()

        async def timed(record: RunRecord) -> None:
            print(json.dumps({"event": RAN, "ms": (time.monotonic() - began) * 1000}), flush=True)
            await found(record)

        await super().asked_for(entry, patience_s, timed)


class AtOnce:
    """Stands for Runs: a run is over when it begins."""

    config = Config(targets={"local": TargetConfig()}, scenarios={"default": ScenarioConfig()}, schedules={})

    def __init__(self) -> None:
        self._record = run()

    async def asked_for(self, entry: Entry, patience_s: float, found: Found) -> None:
        del entry, patience_s
        await found(self._record)


def asked(port: int, target: str) -> float:
    """How long a scrape took, in milliseconds."""
    began = time.monotonic()
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", f"/probe?target={target}")
    answer = connection.getresponse()
    body = answer.read()
    took = (time.monotonic() - began) * 1000
    connection.close()
    if answer.status != 200:
        raise SystemExit(body.decode())
    return took


def asked_often(port: int, count: int) -> list[float]:
    return [asked(port, "local") for _ in range(count)]


async def pages_ms(count: int) -> list[float]:
    """How long scrapes take, made by another process, of runs that are over at once."""
    listener: Any = AtOnce()
    on_demand = OnDemand(lambda _: None, one_run, debug_text)
    on_demand.attach(listener, Schedule(listener))
    http = HttpServer("127.0.0.1", 0, {}, slow_pages=slow_pages(on_demand))
    http.start()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as scraper:
        found = await asyncio.get_running_loop().run_in_executor(scraper, asked_often, http.port, count)
    http.close()
    return found


class Daemon:
    """A daemon in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._lines = (json.loads(line) for line in process.stdout or ())
        self.pid = process.pid
        self.port = int(self._next(STARTED)["http_port"])

    def _next(self, event: str) -> dict[str, Any]:
        return next(line for line in self._lines if line["event"] == event)

    def scrape(self, target: str) -> tuple[float, float]:
        """How long a scrape took, and how much of it the run, in milliseconds."""
        took = asked(self.port, target)
        return took, self._next(RAN)["ms"]

    def scrapes(self, target: str, count: int) -> list[tuple[float, float]]:
        """One per second."""
        found = []
        for _ in range(count):
            due = time.monotonic() + EVERY_S
            found.append(self.scrape(target))
            time.sleep(max(0.0, due - time.monotonic()))
        return found


@contextmanager
def daemon(path: Path) -> Iterator[Daemon]:
    """A daemon until the context ends."""
    command = [sys.executable, __file__, "--daemon", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield Daemon(process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def serve(path: Path) -> None:
    """Be such a daemon."""
    with patch("probe.daemon.service.Runs", TimedRuns):
        command_line(["daemon", "--config", str(path)])


def runs(state_dir: Path) -> int:
    """How many took place."""
    with reading(state_dir) as history:
        return sum(each.skipped is None for each in history.runs(limit=10_000))


def compare(count: int) -> None:
    with configured() as (config, path):
        target, state_dir = next(iter(config.targets)), path.parent / "state"
        other = path.with_name("asked.toml")
        text = path.read_text().replace(str(state_dir), str(path.parent / "asked"))
        other.write_text(re.sub(r"\[schedules\..*\]\n.*\n", "[schedules]\n", text))
        path.write_text(path.read_text().replace("[schedules.t0]\n", f"[schedules.t0]\nevery_s = {EVERY_S}\n"))
        with daemon(path) as scheduled, daemon(other) as on_demand:
            on_demand.scrapes(target, WARM_UP)
            pids = scheduled.pid, on_demand.pid
            before, done = [used(pid)[0] for pid in pids], runs(state_dir)
            found = on_demand.scrapes(target, count)
            cpu_s = [used(pid)[0] - so_far for pid, so_far in zip(pids, before, strict=True)]
            by_schedule = runs(state_dir) - done
    each = 1000 * cpu_s[0] / by_schedule, 1000 * cpu_s[1] / count
    added = [took - ran for took, ran in found]
    print(f"CPU per run: {each[0]:.1f} ms by schedule, {each[1]:.1f} ms on demand ({each[1] - each[0]:+.1f} ms)")
    print(
        f"a scrape took {median(took for took, _ in found):.1f} ms; beyond its run at least {min(added):.1f} ms, "
        f"a quarter under {quantiles(added)[0]:.1f} ms, half under {median(added):.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100, help="one per second")
    parser.add_argument("--daemon", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.daemon is not None:
        serve(options.daemon)
        return
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    took = asyncio.run(pages_ms(PAGES))
    print(f"/probe itself takes at least {min(took):.1f} ms, half under {median(took):.1f} ms")
    compare(options.runs)


if __name__ == "__main__":
    main()
