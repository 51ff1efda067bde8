"""How much memory does the daemon hold, and does it grow?

Everything that a daemon is made of, every sink but audio included, run after run without a pause against scripted
servers in another process. Prints the resident memory on the way, and its slope by least squares over the last four
fifths.

    python bench/memory.py --runs 5000
"""

import argparse
import asyncio
import contextlib
import os
from pathlib import Path
from statistics import linear_regression

from scripted_servers import configured

from probe.config import Config
from probe.daemon.parts import build
from probe.daemon.plans import entries
from probe.daemon.runs import Runs

SAMPLES = 50


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def measure(config: Config, runs: int) -> list[tuple[int, float]]:
    """Run so often; (runs done, resident MB) now and then."""
    parts = build(config)
    parts.http.start()
    listener = Runs(config, parts.dispatch, parts.histograms, parts.health, parts.log, asyncio.Event())
    (entry,) = entries(config)
    samples = []
    for number in range(1, runs + 1):
        await listener.due(entry, 0.0)
        if number % max(1, runs // SAMPLES) == 0:
            parts.histograms.render("application/openmetrics-text")
            samples.append((number, resident_mb()))
    await parts.dispatch.drain(5)
    parts.http.close()
    return samples


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5000)
    runs = parser.parse_args().runs
    with (
        configured(more="[courtesy]\nenabled = false") as (config, _),
        Path(os.devnull).open("w") as silence,
        contextlib.redirect_stdout(silence),
    ):
        samples = asyncio.run(measure(config, runs))
    for number, megabytes in samples[:: max(1, len(samples) // 10)]:
        print(f"{number:6} runs  {megabytes:6.1f} MB")
    steady = samples[len(samples) // 5 :]
    slope, _ = linear_regression([number for number, _ in steady], [megabytes for _, megabytes in steady])
    print(f"resident at the end {samples[-1][1]:.1f} MB, slope {slope * 1000:+.3f} MB a thousand runs")


if __name__ == "__main__":
    main()
