"""What do the pages cost: time and bytes per page, memory, and what a measurement loses while ten people look?

A history of so many runs, each as large as a real one, is made in a temporary folder. Each page is asked for many
times, one after the other, and all of them by ten readers at once, as fast as they are answered. With --beside,
scripted servers are measured meanwhile as in bench/accuracy.py (their log says when each frame was really written):
with nobody looking, and with ten people who open a page each second. What differs is what looking costs a measurement.

    make bench-pages
    make bench-pages ARGS='--beside --rounds 40'
"""

import argparse
import asyncio
import http.client
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles

import accuracy
from scripted_servers import configured

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "support"))

from long_history import fill, run_id  # noqa: E402
from runs import record  # noqa: E402
from served_pages import Served, served  # noqa: E402

from probe.accuracy import LATENCIES  # noqa: E402
from probe.cli.calibrate import truth_servers  # noqa: E402
from probe.clock import AnchoredClock  # noqa: E402
from probe.history.file import encode  # noqa: E402
from probe.record import ServerIdentity  # noqa: E402

# Compressed, as an answer of a few sentences with its frames is.
_RECORD_BYTES = 5500
_READERS = 10
# Of the runs, one that every history has.
_FIRST = 1000
PATHS = (
    "/", "/runs", "/runs?target=spark", "/runs?outcome=failed", "/runs?sort=slowest", "/runs?slower=1300&sort=oldest",
    f"/runs/{run_id(_FIRST)}", f"/runs/{run_id(_FIRST)}/run.json", "/drift", "/compare",
    "/compare?a=spark&b=local&scenario=default",
)  # fmt: skip


def get(port: int, path: str) -> tuple[float, int, int]:
    """Seconds, bytes and the status of one page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    size = len(answer.read())
    took = time.perf_counter() - began
    connection.close()
    return took, size, answer.status


def cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def one_by_one(pages: Served, times: int) -> None:
    print(f"{'page':45} {'median':>8} {'p95':>8} {'CPU':>8} {'bytes':>8}")
    for path in PATHS:
        get(pages.port, path)
        began = cpu_s(pages.process.pid)
        found = [get(pages.port, path) for _ in range(times)]
        cpu = (cpu_s(pages.process.pid) - began) / times
        took = [each[0] * 1000 for each in found]
        slowest, wrong = quantiles(took, n=20)[18], {each[2] for each in found} - {200}
        print(
            f"{path:45} {median(took):5.1f} ms {slowest:5.1f} ms {cpu * 1000:5.1f} ms {found[0][1]:8,}"
            + (f"  status {wrong}" if wrong else "")
        )


@contextmanager
def looking(port: int, pause_s: float) -> Iterator[list[float]]:
    """Ten readers, who open page after page; the seconds of each page."""
    over, took = threading.Event(), list[float]()

    def look(start: int) -> None:
        for path in cycle([*PATHS[start:], *PATHS[:start]]):
            if over.wait(pause_s):
                return
            with suppress(OSError):
                took.append(get(port, path)[0])

    readers = [threading.Thread(target=look, args=(number % len(PATHS),)) for number in range(_READERS)]
    for each in readers:
        each.start()
    yield took
    over.set()
    for each in readers:
        each.join()


@contextmanager
def people(port: int) -> Iterator[None]:
    """Ten people, in a process of their own: what they take must not be the measuring process's."""
    process = multiprocessing.get_context("spawn").Process(target=_look_on, args=(port,), daemon=True)
    process.start()
    # Not the start of it.
    time.sleep(3)
    yield
    process.terminate()
    process.join()


def _look_on(port: int) -> None:
    with looking(port, 1.0):
        threading.Event().wait()


def beside(port: int, rounds: int) -> None:
    """Errors of a measurement with nobody looking and with ten people, in turns: other work shifts both alike."""
    errors: dict[str, list[float]] = {"nobody looks": [], "ten people look": []}
    for _ in range(2):
        errors["nobody looks"] += measured(rounds)
        with people(port):
            errors["ten people look"] += measured(rounds)
    for how, found in errors.items():
        print(
            f"{how:20} {len(found):6} latencies: p50 {median(found):.3f} ms, p99 {quantiles(found, n=100)[98]:.3f} ms"
        )


def measured(rounds: int) -> list[float]:
    """The error of every latency, in milliseconds, of so many runs on one target."""
    clock = AnchoredClock.anchored_now()
    with truth_servers(1.0) as servers, configured(1, accuracy.MORE, servers.urls["founding"]) as (config, _):
        with Path(os.devnull).open("w", encoding="utf-8") as silence, redirect_stdout(silence):
            records = asyncio.run(accuracy.probe_all(config, rounds, 1.2, clock))
        found = accuracy.compare(records, clock, servers.end())
    return [abs(error) for name in LATENCIES for error in found.errors.get(name, ())]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--beside", action="store_true")
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        like = replace(record(1), served=ServerIdentity("Qwen3-8B-Q4_K_M.gguf", "b6123-1a2b3c4"))
        blob = encode(like)
        # What follows the end of compressed data is not read.
        fill(Path(folder), given.runs, like, blob + random.Random(1).randbytes(max(0, _RECORD_BYTES - len(blob))))  # noqa: S311
        with served(Path(folder), "--no-texts") as pages:
            print(f"{given.runs:,} runs, {(Path(folder) / 'history.sqlite3').stat().st_size / 1e6:.0f} MB")
            one_by_one(pages, given.times)
            with looking(pages.port, 0.0) as took:
                time.sleep(10)
            fast = f"{len(took)} pages in 10 s, median {median(took) * 1000:.0f} ms"
            print(f"ten readers at once, as fast as they can: {fast}")
            print(f"memory at most: {rss_mb(pages.process.pid):.0f} MB")
            if given.beside:
                beside(pages.port, given.rounds)


if __name__ == "__main__":
    main()
