"""How far is each measure from the truth: one target or many at once, on an idle machine and a busy one?

Scripted servers in a process of their own log when they really wrote each frame (`probe.reference.truth`). The probe
measures them as its daemon does, with history, histograms, log and spans on, and scraped once a second; then a naive
client measures the same servers, where they are those of the founding pair of protocols. For each measure, measured
less true in milliseconds. A run with an error over 5 ms must not count as valid.

    make bench-accuracy
    make bench-accuracy ARGS='--pair openai --targets 1 --busy 4'
    make bench-accuracy ARGS='--pair riva'
    make bench-accuracy ARGS='--pair wyoming'
    make bench-accuracy ARGS='--pair realtime --targets 1'
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import random
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from naive_client import NaiveChunk, converse
from scrape_lag import scrape
from scripted_servers import configured

from probe import garbage
from probe.accuracy import Calibration, Truth, spread
from probe.cli.calibrate import truth_servers
from probe.clock import AnchoredClock
from probe.config import Config, state_dir
from probe.daemon.composition import build
from probe.daemon.plans import entries
from probe.daemon.runs import Runs
from probe.daemon.schedule import Entry
from probe.daemon.service import SWITCH_INTERVAL_S
from probe.history.reader import reading
from probe.measures import outcome
from probe.record import RunRecord
from probe.tolerance import PUBLISHED_MS

CHANCE = random.Random(1)  # noqa: S311 - only spreads the starts
PAIRS = ("founding", "openai", "riva", "wyoming", "realtime")
CASES = ((1, 0), (10, 0), (50, 0), (200, 0), (1, 1), (50, 1), (10, 4))
# The servers of so many targets answer in a second; those of more are slower by as much, so that as many runs end each
# second and what differs is how many are going on.
TARGETS_PER_STRETCH = 10
LEAST_CHUNKS = 200
# Between two runs on a target, as there is time between two runs of a daemon.
REST_S = 0.1


class Case(NamedTuple):
    """What is measured: the protocols, how many targets at once, and how many processes are busy meanwhile."""

    pair: str
    targets: int
    busy: int


@contextlib.contextmanager
def burden(busy: int) -> Iterator[None]:
    """Have so many processes be busy meanwhile."""
    spawning = multiprocessing.get_context("spawn")
    processes = [spawning.Process(target=_spin, daemon=True) for _ in range(busy)]
    for process in processes:
        process.start()
    yield
    for process in processes:
        process.terminate()
        process.join()


def _spin() -> None:
    """Until whoever wanted it is gone, however that ended."""
    parent = os.getppid()
    while os.getppid() == parent:
        pass


@contextlib.contextmanager
def scraped(port: int) -> Iterator[None]:
    process = multiprocessing.get_context("spawn").Process(
        target=scrape, args=(port, 1.0), kwargs={"tls": False}, daemon=True
    )
    process.start()
    yield
    process.terminate()
    process.join()


async def probe_all(config: Config, rounds: int, length_s: float, clock: AnchoredClock) -> list[RunRecord]:
    """Measure every target so often, all at once, with everything that a daemon is made of."""
    parts = build(config)
    parts.http.start()
    # The first page is made of everything, those after it of what has changed.
    parts.metrics.render("application/openmetrics-text")
    garbage.freeze()
    listener = Runs(config, parts.dispatch, parts.metrics, parts.health, parts.log, asyncio.Event())

    async def measure(entry: Entry) -> None:
        await asyncio.sleep(CHANCE.uniform(0, length_s))
        for _ in range(rounds):
            await listener.due(entry, 0.0)
            await asyncio.sleep(REST_S)

    with scraped(parts.http.port), patch("probe.daemon.attempt.AnchoredClock.anchored_now", return_value=clock):
        # Not the scraper's start.
        await asyncio.sleep(2)
        await asyncio.gather(*(measure(entry) for entry in entries(config)))
    await parts.dispatch.drain(10)
    parts.close(10)
    with reading(state_dir(config)) as history:
        return list(history.runs(limit=10**6))


async def ask_all(urls: tuple[str, str], clients: int, rounds: int, length_s: float) -> dict[str, list[NaiveChunk]]:
    """The same with the naive client: trace id -> chunks."""
    found: dict[str, list[NaiveChunk]] = {}

    async def ask() -> None:
        await asyncio.sleep(CHANCE.uniform(0, length_s))
        for _ in range(rounds):
            trace = secrets.token_hex(16)
            found[trace] = await converse(*urls, trace)

    await asyncio.gather(*(ask() for _ in range(clients)))
    return found


def compare(records: Sequence[RunRecord], clock: AnchoredClock, truth: dict[str, Truth]) -> Calibration:
    found = Calibration(limit_ms=PUBLISHED_MS)
    for record in records:
        if outcome(record) in ("failed", "skipped"):
            raise SystemExit(f"a run came to nothing: {record.failure or record.skipped}")
        found.add(record, clock, truth[record.plan.trace_id])
    return found


def compare_naive(asked: dict[str, list[NaiveChunk]], truth: dict[str, Truth]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for trace, chunks in asked.items():
        # It may leave before the end of a segment that it believes to be over.
        for chunk, true in zip(chunks, truth[trace].chunks(), strict=False):
            if true.uncertain:
                continue
            ends = {
                "llm_ttft_ms": true.tokens[0] - chunk.asked,
                "llm_gen_time_ms": true.done - chunk.asked,
                "tts_ttfb_ms": true.frames[0][0] - chunk.sent,
                "tts_gen_time_ms": true.marker - chunk.sent,
                "tts_stream_time_ms": true.frames[-1][0] - chunk.sent,
                "combined_ttfb_ms": true.frames[0][0] - chunk.asked,
            }
            for name, ns in ends.items():
                found.setdefault(name, []).append(chunk.figures[name] - ns / 1e6)
    return found


def report(case: Case, found: Calibration, naive: dict[str, list[float]]) -> None:
    load = f"{case.busy} busy process{'es'[: 2 * (case.busy > 1)]}" if case.busy else "no load of ours"
    print(f"\n{case.pair}: {case.targets} target{'s'[: case.targets > 1]} at once, {load}: {found.valid} runs valid, "
          f"{found.suspect} suspect, {found.untrue} valid with an error over {found.limit_ms:g} ms")  # fmt: skip
    loads = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"  {os.cpu_count()} cores; load averages with this bench included: {loads}")
    if found.uncertain:
        print(f"  {found.uncertain} chunks left out: the server itself was held up in the middle of a write")
    beside = f"   naive: {'p50':>7} {'p99':>7} {'max':>7}" if naive else ""
    print(f"  {'error in ms':27} {'n':>5}   {'p50':>7} {'p99':>7} {'max':>7}{beside}")
    for name, own in found.spreads().items():
        beside = ""
        if name in naive:
            other = spread(naive[name])
            beside = f"          {other.p50:7.2f} {other.p99:7.2f} {other.largest:7.2f}"
        print(f"  {name:27} {own.count:5}   {own.p50:7.2f} {own.p99:7.2f} {own.largest:7.2f}{beside}")
    if (bars := found.bars()) is not None:
        print(f"  {'all latencies':27} {bars.count:5}   {bars.p50:7.2f} {bars.p99:7.2f} {bars.largest:7.2f}")
    if found.doubted:
        own = spread(found.doubted)
        print(f"  {'latencies of suspect runs':27} {own.count:5}   {own.p50:7.2f} {own.p99:7.2f} {own.largest:7.2f}")
    sys.stdout.flush()


def run_case(case: Case, least_chunks: int) -> None:
    stretch = max(1.0, case.targets / TARGETS_PER_STRETCH)
    clock = AnchoredClock.anchored_now()
    rounds = max(1, round(least_chunks / 4 / case.targets))
    asked: dict[str, list[NaiveChunk]] = {}
    with contextlib.ExitStack() as stack:
        servers = stack.enter_context(truth_servers(stretch))
        urls = servers.urls[case.pair]
        config, _ = stack.enter_context(configured(case.targets, MORE, urls))
        stack.enter_context(burden(case.busy))
        silence = stack.enter_context(Path(os.devnull).open("w"))
        with contextlib.redirect_stdout(silence):
            records = asyncio.run(probe_all(config, rounds, 1.2 * stretch, clock))
        if case.pair == "founding":
            asked = asyncio.run(ask_all((urls[0], urls[1]), case.targets, rounds, 1.2 * stretch))
        truth = servers.end()
    report(case, compare(records, clock, truth), compare_naive(asked, truth))


MORE = "[courtesy]\nenabled = false"


def chosen_cases(options: argparse.Namespace) -> Iterator[Case]:
    for pair in PAIRS if options.pair is None else (options.pair,):
        for targets, busy in CASES if options.targets is None else ((options.targets, options.busy),):
            # Requests to a Wyoming server do not say which run they belong to.
            if pair != "wyoming" or targets == 1:
                yield Case(pair, targets, busy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", choices=PAIRS, help="one pair of protocols instead of both")
    parser.add_argument("--targets", type=int, help="one case instead of all")
    parser.add_argument("--busy", type=int, default=0, help="so many busy processes (together with --targets)")
    parser.add_argument("--chunks", type=int, default=LEAST_CHUNKS, help="at least, for each case")
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    for case in chosen_cases(options):
        run_case(case, options.chunks)


if __name__ == "__main__":
    main()
