"""What does reading the machine cost a run: CPU time, wall time, memory, and certainty of its figures?

The same runs against scripted servers in another process, in turn with and without it, in random order. CPU time is of
this process with all its threads. The figure is the first byte of audio, whose time the servers' script fixes.

    python bench/machine.py --runs 300
    python bench/machine.py --runs 300 --nvml FOLDER/libnvidia-ml.so.1     a library that stands in for NVIDIA's
    python bench/machine.py --runs 300 --node http://127.0.0.1:9100/metrics     another machine, by its exporters
    python bench/machine.py --runs 300 --every 0.01     as if a run took long: these are over before a second reading

These runs hardly wait, so that waiting for an exporter slows them down for itself: its own cost is that of its thread.
Last the program prints what reading a page of metrics costs, as a server with many models would show it before and
after a run.
"""

import argparse
import asyncio
import ctypes
import gc
import random
import resource
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median, quantiles

from scripted_servers import configured

from probe.config import Config
from probe.daemon.plans import entries
from probe.daemon.schedule import Entry
from probe.machine import gpu, watching
from probe.machine.state import Exporter, Source
from probe.measurement import measure
from probe.measures import outcome, summarise
from probe.plan import new_plan
from probe.protocols import server_page
from probe.tolerance import Tolerance


@dataclass
class Costs:
    """Of all runs of one kind, milliseconds each."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    first_byte: list[float] = field(default_factory=list)
    doubtful: int = 0


@dataclass(frozen=True)
class Kind:
    """How the machine is read."""

    name: str
    machine: Source = "none"
    exporters: Mapping[Exporter, str] = field(default_factory=dict, hash=False)


async def one(entry: Entry, kind: Kind, costs: Costs) -> None:
    target = replace(entry.target, machine=kind.machine, exporters=kind.exporters)
    plan = new_plan(target, entry.scenario)
    cpu, wall = time.process_time(), time.perf_counter()
    record = (await measure(plan, Tolerance(20.0, 100.0))).record
    costs.cpu.append((time.process_time() - cpu) * 1000)
    costs.wall.append((time.perf_counter() - wall) * 1000)
    if record.machine is not None and record.machine.silent:
        raise SystemExit(f"no answer from {record.machine.silent}")
    if outcome(record) in ("ok", "slow"):
        costs.first_byte.append(summarise(record).response_ttfb_ms or 0.0)
    else:
        costs.doubtful += 1


async def compare(config: Config, runs: int, exporters: Mapping[Exporter, str]) -> None:
    (entry,) = entries(config)
    elsewhere = (Kind("exporters", exporters=exporters),) if exporters else ()
    kinds = {each: Costs() for each in (Kind("none"), Kind("local", "local"), *elsewhere)}
    for kind in kinds:
        await one(entry, kind, Costs())
    gc.collect()
    for _ in range(runs):
        for kind in random.sample([*kinds], len(kinds)):
            await one(entry, kind, kinds[kind])
    for kind, costs in kinds.items():
        p99 = quantiles(costs.first_byte, n=100)[98]
        print(
            f"{kind.name:9} CPU {fmean(costs.cpu):6.2f} ms per run (median {median(costs.cpu):.2f}), "
            f"wall {fmean(costs.wall):8.2f} ms (median {median(costs.wall):.2f}), "
            f"first byte p50 {median(costs.first_byte):.3f}, p99 {p99:.3f} ms, {costs.doubtful} not trusted"
        )
    none, *others = kinds.items()
    for kind, costs in others:
        more = median(costs.cpu) - median(none[1].cpu)
        print(f"{kind.name:9} adds {more:.2f} ms of CPU per run (difference of medians)")
    for name, spent_ms in of_threads():
        print(f"the thread {name} takes {spent_ms / (runs + 1):.2f} ms of CPU per run")
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{size:.0f} MB at most")


def of_threads() -> Iterator[tuple[str, float]]:
    """The CPU time in ms of each thread that reads a machine, since its start."""
    for thread in threading.enumerate():
        if thread.name.startswith("machine-") and thread.ident is not None:
            yield thread.name, 1000 * time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


def read_pages() -> None:
    """What a server's page of metrics costs to read."""
    for models in (1, 20, 80):
        buckets = "".join(
            f'vllm:e2e_request_latency_seconds_bucket{{engine="0",le="{le}",model_name="model-{model}"}} 1.0\n'
            for model in range(models)
            for le in range(100)
        )
        asked = "".join(
            f'vllm:{name}{{engine="0",model_name="model-{model}"}} 1.0\n'
            for name in ("num_requests_running", "num_requests_waiting", "prefix_cache_queries_total")
            for model in range(models)
        )
        page = (buckets + asked).encode()
        times = []
        for _ in range(100):
            began = time.thread_time()
            server_page.state(page)
            times.append((time.thread_time() - began) * 1000)
        print(f"a server's page of {len(page) // 1024} KiB is read in {median(times):.2f} ms of CPU")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--nvml", type=Path, help="a library that stands in for NVIDIA's")
    parser.add_argument("--node", help="the page of a node_exporter")
    parser.add_argument("--dcgm", help="the page of a dcgm-exporter")
    parser.add_argument("--every", type=float, default=watching.EVERY_S, help="seconds between readings during a run")
    given = parser.parse_args()
    watching.EVERY_S = given.every
    pages: dict[Exporter, str | None] = {"node": given.node, "dcgm": given.dcgm}
    if given.nvml:
        import pynvml  # noqa: PLC0415 - the extra `gpu`, which is wanted here only

        pynvml.nvmlLib = ctypes.CDLL(str(given.nvml))
        gpu.LIBRARY = str(given.nvml)
    with configured() as (config, _):
        asyncio.run(compare(config, given.runs, {each: url for each, url in pages.items() if url}))
    read_pages()


if __name__ == "__main__":
    main()
