"""What does reading the machine cost a run: CPU time, wall time, memory, and certainty of its figures?

The same runs against scripted servers in another process, in turn with and without it, in random order. CPU time is of
this process with all its threads. The figure is the first byte of audio, whose time the servers' script fixes.

    python bench/machine.py --runs 300
    python bench/machine.py --runs 300 --nvml FOLDER/libnvidia-ml.so.1     a library that stands in for NVIDIA's
"""

import argparse
import asyncio
import ctypes
import gc
import random
import resource
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median, quantiles

from scripted_servers import configured

from probe.config import Config
from probe.daemon.plans import entries
from probe.daemon.schedule import Entry
from probe.machine import gpu
from probe.machine.state import Source
from probe.measurement import measure
from probe.measures import outcome, summarise
from probe.plan import new_plan
from probe.tolerance import Tolerance


@dataclass
class Costs:
    """Of all runs of one kind, milliseconds each."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    first_byte: list[float] = field(default_factory=list)
    doubtful: int = 0


async def one(entry: Entry, machine: Source, costs: Costs) -> None:
    plan = new_plan(replace(entry.target, machine=machine), entry.scenario)
    cpu, wall = time.process_time(), time.perf_counter()
    record = (await measure(plan, Tolerance(20.0, 100.0))).record
    costs.cpu.append((time.process_time() - cpu) * 1000)
    costs.wall.append((time.perf_counter() - wall) * 1000)
    if outcome(record) in ("ok", "slow"):
        costs.first_byte.append(summarise(record).response_ttfb_ms or 0.0)
    else:
        costs.doubtful += 1


async def compare(config: Config, runs: int) -> None:
    (entry,) = entries(config)
    kinds: dict[Source, Costs] = {"none": Costs(), "local": Costs()}
    for kind in kinds:
        await one(entry, kind, Costs())
    gc.collect()
    for _ in range(runs):
        for kind in random.sample([*kinds], 2):
            await one(entry, kind, kinds[kind])
    for kind, costs in kinds.items():
        p99 = quantiles(costs.first_byte, n=100)[98]
        print(
            f"{kind:6} CPU {fmean(costs.cpu):6.2f} ms per run (median {median(costs.cpu):.2f}), "
            f"wall {fmean(costs.wall):8.2f} ms (median {median(costs.wall):.2f}), "
            f"first byte p50 {median(costs.first_byte):.3f}, p99 {p99:.3f} ms, {costs.doubtful} not trusted"
        )
    more = median(kinds["local"].cpu) - median(kinds["none"].cpu)
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"the machine adds {more:.2f} ms of CPU per run (difference of medians); {size:.0f} MB at most")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--nvml", type=Path, help="a library that stands in for NVIDIA's")
    given = parser.parse_args()
    if given.nvml:
        import pynvml  # noqa: PLC0415 - the extra `gpu`, which is wanted here only

        pynvml.nvmlLib = ctypes.CDLL(str(given.nvml))
        gpu.LIBRARY = str(given.nvml)
    with configured() as (config, _):
        asyncio.run(compare(config, given.runs))


if __name__ == "__main__":
    main()
