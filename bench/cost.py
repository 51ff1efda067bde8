"""What does a run cost, and does a target cost more the more there are?

A daemon's own parts in a fresh process for each number of targets, every sink but audio on, against scripted servers in
another process; then the naive client. CPU time of the process, all threads.

    make bench-cost
"""

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import os
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from naive_client import converse
from scripted_servers import AUDIO_S, configured, servers

from probe import config as configuration
from probe.daemon.composition import build
from probe.daemon.plans import entries
from probe.daemon.runs import Runs

TARGETS = (1, 10, 50, 200)
OPENMETRICS = "application/openmetrics-text"


@dataclass(frozen=True)
class Cost:
    """What so many targets cost: CPU and wall time in milliseconds, memory in MB."""

    cpu_ms_a_run: float
    resident_mb: float
    first_scrape_ms: float = 0.0
    scrape_ms: float = 0.0
    page_kb: float = 0.0


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def cost_of_daemon(path: Path, runs: int) -> Cost:
    config = configuration.load(path)
    parts = build(config)
    parts.http.start()
    listener = Runs(config, parts.dispatch, parts.metrics, parts.health, parts.log, asyncio.Event())
    due = list(entries(config))
    await listener.due(due[0], 0.0)
    first, page = _scrape_ms(parts.metrics.render)
    gc.collect()
    began = time.process_time()
    for number in range(runs):
        await listener.due(due[number % len(due)], 0.0)
    await parts.dispatch.drain(30)
    cpu = (time.process_time() - began) * 1000 / runs
    scrape, page = _scrape_ms(parts.metrics.render)
    parts.close(10)
    return Cost(cpu, resident_mb(), first, scrape, len(page) / 1000)


def _scrape_ms(render: Callable[[str], tuple[bytes, str]]) -> tuple[float, bytes]:
    began = time.perf_counter()
    page, _ = render(OPENMETRICS)
    return (time.perf_counter() - began) * 1000, page


async def cost_of_naive_client(urls: tuple[str, str], runs: int) -> Cost:
    await converse(*urls, secrets.token_hex(16))
    began = time.process_time()
    for _ in range(runs):
        await converse(*urls, secrets.token_hex(16))
    return Cost((time.process_time() - began) * 1000 / runs, resident_mb())


def _measure(pipe: Connection, what: Callable[..., Any], *arguments: Any) -> None:
    with Path(os.devnull).open("w") as silence, contextlib.redirect_stdout(silence):
        pipe.send(asyncio.run(what(*arguments)))


def in_a_process(what: Callable[..., Any], *arguments: Any) -> Cost:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_measure, args=(theirs, what, *arguments))
    process.start()
    cost: Cost = ours.recv()
    process.join()
    return cost


def report(targets: str, cost: Cost) -> None:
    print(
        f"{targets:>12} {cost.cpu_ms_a_run:8.2f} ms {cost.cpu_ms_a_run / AUDIO_S:8.2f} ms {cost.resident_mb:7.1f} MB",
        end="",
    )
    if cost.scrape_ms:
        print(f" {cost.first_scrape_ms:9.1f} ms {cost.scrape_ms:9.1f} ms {cost.page_kb:9.0f} kB", end="")
    print(flush=True)


def report_growth(costs: Sequence[tuple[int, Cost]]) -> None:
    (few, least), (many, most) = costs[0], costs[-1]
    a_target = (most.resident_mb - least.resident_mb) / (many - few)
    print(f"a target more: {a_target * 1000:.0f} kB; a run with {many} targets costs "
          f"{most.cpu_ms_a_run / least.cpu_ms_a_run:.2f} times one with {few}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    heads = ("CPU a run", "audio s", "memory", "1st scrape", "scrape", "page")
    print(
        f"{'targets':>12} {heads[0]:>11} {heads[1]:>11} {heads[2]:>10} " + " ".join(f"{head:>12}" for head in heads[3:])
    )
    costs = []
    for targets in TARGETS:
        with configured(targets, "[courtesy]\nenabled = false") as (_, path):
            cost = in_a_process(cost_of_daemon, path, max(runs, targets))
        report(str(targets), cost)
        costs.append((targets, cost))
    with servers() as at:
        report("naive client", in_a_process(cost_of_naive_client, (at.llm_url, at.tts_url), runs))
    report_growth(costs)


if __name__ == "__main__":
    main()
