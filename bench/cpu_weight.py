"""What does it cost the probe to leave the processor to the agent?

Two busy processes a core, as an agent at full load, and beside them one that wakes every 10 ms, as the probe's event
loop does: how late is it, with which share of the processor? deploy/systemd/voice-probe.service has its CPUWeight= from
here. Needs root, for control groups.

    python bench/cpu_weight.py --seconds 20
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

TICK_S = 0.01
USUAL = "100"
UNIFIED, CPU = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/cpu")
# Where a loop that is later makes a run suspect.
LIMIT_MS = 20


@contextmanager
def group(name: str, weight: str) -> Iterator[Path]:
    """A control group with a share of the processor, as systemd makes it from CPUWeight=, on either version."""
    unified = (UNIFIED / "cgroup.controllers").exists()
    path = (UNIFIED if unified else CPU) / f"voice-probe-bench-{name}"
    path.mkdir()
    try:
        if weight == "idle":
            (path / "cpu.idle").write_text("1")
        elif unified:
            (path / "cpu.weight").write_text(weight)
        else:
            (path / "cpu.shares").write_text(str(int(weight) * 1024 // int(USUAL)))
        yield path
    finally:
        path.rmdir()


def busy(where: Path) -> None:
    (where / "cgroup.procs").write_text(str(os.getpid()))
    while True:
        pass


def lags_ms(where: Path, seconds: float) -> list[float]:
    (where / "cgroup.procs").write_text(str(os.getpid()))
    lags = []
    end = time.monotonic() + seconds
    while (due := time.monotonic() + TICK_S) < end:
        time.sleep(TICK_S)
        lags.append((time.monotonic() - due) * 1000)
    return lags


def measure(weight: str, seconds: float) -> None:
    with group("probe", weight) as where, multiprocessing.Pool(1) as pool:
        lags = pool.apply(lags_ms, (where, seconds))
    cuts = quantiles(lags, n=1000)
    late = sum(lag > LIMIT_MS for lag in lags)
    print(
        f"CPUWeight={weight:5}  p50 {cuts[499]:7.2f} ms  p99 {cuts[989]:7.2f} ms  p99.9 {cuts[998]:7.2f} ms"
        f"  over {LIMIT_MS} ms: {100 * late / len(lags):5.2f} %"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    with group("agent", USUAL) as agent:
        hogs = [multiprocessing.Process(target=busy, args=(agent,)) for _ in range(2 * (os.cpu_count() or 1))]
        for hog in hogs:
            hog.start()
        try:
            for weight in (USUAL, "50", "20", "10", "1", "idle"):
                measure(weight, seconds)
        finally:
            for hog in hogs:
                hog.kill()
                hog.join()


if __name__ == "__main__":
    main()
