"""How much wrong do scrapes over TLS add to what is measured meanwhile?

The probe measures scripted servers that log when they really wrote each frame, with everything that a daemon is made
of, and is scraped by another process: in one round plainly, in the next over TLS, with a new connection and a full
handshake each time. Both see the same machine, however busy it is.

    python bench/tls_error.py --targets 10 --rounds 20 --every 1
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path
from unittest.mock import patch

from accuracy import MORE, compare
from scrape_lag import scrape_once, with_certificate
from scripted_servers import configured

from probe import garbage
from probe.cli.calibrate import truth_servers
from probe.clock import AnchoredClock
from probe.config import Config, state_dir
from probe.daemon.composition import build, pages
from probe.daemon.http_access import Access
from probe.daemon.http_server import HttpServer
from probe.daemon.plans import entries
from probe.daemon.runs import Runs
from probe.daemon.schedule import Entry
from probe.daemon.service import SWITCH_INTERVAL_S
from probe.history.reader import reading
from probe.record import RunRecord

WAYS = ("plainly", "over TLS")
LENGTH_S = 1.2
CHANCE = random.Random(1)  # noqa: S311 - only spreads the starts
SPAWNING = multiprocessing.get_context("spawn")


def scrape_in_turn(port: int, every_s: float, way: str, turn: Event) -> None:
    """Ask for ever, while it is our turn."""
    while turn.wait():
        began = time.monotonic()
        scrape_once(port, tls=way == WAYS[1])
        time.sleep(max(0.0, every_s - (time.monotonic() - began)))


@contextlib.contextmanager
def scrapers(ports: tuple[int, int], every_s: float) -> Iterator[dict[str, Event]]:
    """A scraper for each way, and what gives it its turn."""
    turns = {way: SPAWNING.Event() for way in WAYS}
    processes = [
        SPAWNING.Process(target=scrape_in_turn, args=(port, every_s, way, turns[way]), daemon=True)
        for way, port in zip(WAYS, ports, strict=True)
    ]
    for process in processes:
        process.start()
    yield turns
    for process in processes:
        process.terminate()
        process.join()


async def measure(config: Config, rounds: int, every_s: float, certified: Path) -> list[tuple[int, str]]:
    """Measure every target in each round, all at once; when each round ended, and how it was scraped."""
    parts = build(config)
    over_tls = HttpServer("127.0.0.1", 0, pages(parts.metrics, parts.health), access=Access(certified))
    for http in (parts.http, over_tls):
        http.start()
    parts.metrics.render("application/openmetrics-text")
    garbage.freeze()
    listener = Runs(config, parts.dispatch, parts.metrics, parts.health, parts.log, asyncio.Event())

    async def run(entry: Entry) -> None:
        await asyncio.sleep(CHANCE.uniform(0, LENGTH_S))
        await listener.due(entry, 0.0)

    ends = []
    with scrapers((parts.http.port, over_tls.port), every_s) as turns:
        # Not the scrapers' start.
        await asyncio.sleep(2)
        for number in range(2 * rounds):
            way = WAYS[number % 2]
            turns[way].set()
            await asyncio.gather(*(run(each) for each in entries(config)))
            turns[way].clear()
            ends.append((time.time_ns(), way))
            await asyncio.sleep(every_s)
    await parts.dispatch.drain(10)
    over_tls.close()
    parts.close(10)
    return ends


def sorted_out(records: list[RunRecord], ends: list[tuple[int, str]]) -> dict[str, list[RunRecord]]:
    """The records by how the daemon was scraped meanwhile."""
    found: dict[str, list[RunRecord]] = {way: [] for way in WAYS}
    for record in records:
        found[next(way for at, way in ends if record.started < at)].append(record)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=20, help="so many each way")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two scrapes")
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    clock = AnchoredClock.anchored_now()
    with contextlib.ExitStack() as stack:
        begin = stack.enter_context
        servers = begin(truth_servers())
        config, path = begin(configured(options.targets, MORE, servers.urls["founding"]))
        certified = with_certificate(path.parent)
        with (
            Path(os.devnull).open("w") as silence,
            contextlib.redirect_stdout(silence),
            patch("probe.daemon.attempt.AnchoredClock.anchored_now", return_value=clock),
        ):
            ends = asyncio.run(measure(config, options.rounds, options.every, certified))
        with reading(state_dir(config)) as history:
            records = sorted_out(list(history.runs(limit=10**6)), ends)
        truth = servers.end()
    p99 = {}
    for way, those in records.items():
        bars = compare(those, clock, truth).bars()
        if bars is None:
            raise SystemExit("no run was valid: the machine is too busy")
        p99[way] = bars.p99
        print(f"scraped {way:9}  {bars.count:5} latencies  error p50 {bars.p50:5.3f} ms  p99 {bars.p99:5.3f} ms")
    print(f"TLS adds {p99[WAYS[1]] - p99[WAYS[0]]:+.3f} ms to the p99")


if __name__ == "__main__":
    main()
