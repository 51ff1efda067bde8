"""A month of runs against servers that go wrong at random: does anything grow, and is every run accounted for?

Everything that a daemon is made of, in this process; its servers in another. No run waits for its time: four targets
are measured at once, one run after the other, and now and then a run is missed or skipped, as the schedule would tell
it. Prints resident memory, open descriptors, threads, tasks and the size of the history on the way, then the books.
Exit code 1 where something grows, is left over, or is not accounted for.

    make bench-soak
    make bench-soak ARGS='--runs 2000'
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import linear_regression
from unittest.mock import patch

from drift_runs import World, simulate
from faulty_servers import FaultyServers, Left, faulty_servers

from probe import config as configuration
from probe import garbage
from probe.config import Config, state_dir
from probe.daemon.attempt import skipped
from probe.daemon.composition import Parts, build
from probe.daemon.plans import entries
from probe.daemon.runs import Runs
from probe.daemon.schedule import Entry
from probe.drift.fingerprint import fingerprint
from probe.drift.series import Point
from probe.history.reader import HistoryReader
from probe.measures import outcome
from probe.record import RunRecord

MONTH = 43_000
PAST_DAYS = 3
REBUILD_S = 120.0
SAMPLES = 40
# How often a run is due while the one before it still goes on, and how often the machine sleeps through some.
SKIPPED_SHARE, MISSED_SHARE, MOST_MISSED = 0.01, 0.005, 5
# What must not be exceeded over the second half: growth of memory, in MB, and of counts.
MOST_MB, MOST_COUNT = 3.0, 3
KEEP_MB = 5
LIMITS = """
[targets.{name}.limits]
connect_s = 0.3
llm_s = 0.3
tts_s = 0.3
run_s = 5
release_s = 4
hold_s = 0.2
"""
SETTINGS = """
[daemon]
state_dir = "{folder}/state"
[http]
port = 0
[otlp]
protocol = "none"
[courtesy]
enabled = false
[history]
keep_megabytes = {keep_mb}
[log]
format = "json"
"""


@dataclass
class Sample:
    """What the process holds after so many runs."""

    runs: int
    resident_mb: float
    descriptors: int
    threads: int
    tasks: int
    history_mb: float


@dataclass
class Books:
    """What was due, and its results."""

    expected: int = 0
    # Not a Counter, which `asdict` of Python 3.11 makes one of pairs.
    handed_on: dict[str, int] = field(default_factory=dict)
    missed: int = 0


@dataclass
class Soaked:
    """What a soak has found."""

    samples: list[Sample]
    books: Books
    counted: dict[str, int]
    counted_missed: int
    tasks_left: int
    left: Left
    took_s: float

    def complaints(self) -> Iterator[str]:
        """Everything that is not as it must be."""
        books = self.books
        if books.handed_on != self.counted:
            yield f"passed on {books.handed_on}, counted {self.counted}"
        if books.expected != sum(self.counted.values()) + self.counted_missed:
            yield f"{books.expected} runs expected, {sum(self.counted.values())} recorded, {self.counted_missed} missed"
        if self.left.slots or self.left.connections or self.tasks_left:
            yield f"left over: {self.left}, {self.tasks_left} tasks"
        for what, most in (("resident_mb", MOST_MB), ("descriptors", MOST_COUNT), ("threads", MOST_COUNT)):
            if (growth := self.growth(what)) > most:
                yield f"{what} has grown by {growth:.1f} over the second half"
        if (size := self.samples[-1].history_mb) > 2 * KEEP_MB:
            yield f"the history has {size:.1f} MB, and the limit is {KEEP_MB} MB"

    def growth(self, what: str) -> float:
        """How much of it there is more at the end than in the middle, by least squares."""
        steady = self.samples[len(self.samples) // 2 :]
        slope, _ = linear_regression([each.runs for each in steady], [getattr(each, what) for each in steady])
        return slope * (steady[-1].runs - steady[0].runs)


def configure(folder: Path, at: FaultyServers) -> Path:
    """Four targets, two of each version."""
    tables = []
    for number, tts_url in enumerate((at.newer_url, at.older_url) * 2):
        name = f"t{number}"
        tables.append(f'[targets.{name}]\nllm_url = "{at.llm_url}"\ntts_url = "{tts_url}"{LIMITS.format(name=name)}')
        tables.append(f'[schedules.{name}]\ntarget = "{name}"')
    path = folder / "probe.toml"
    path.write_text("\n".join(tables) + SETTINGS.format(folder=folder, keep_mb=KEEP_MB))
    return path


def fill_detectors(config: Config, parts: Parts) -> None:
    """Have the drift detectors hold as many runs as they ever do: filling up would look like a leak."""
    served = {entry.target.name: fingerprint(skipped(entry, "overlap")) for entry in entries(config)}
    past = list(simulate(World(), PAST_DAYS, seed=0).points())

    def page(_reader: HistoryReader, target: str, _scenario: str, _since: int, after: int) -> list[tuple[int, Point]]:
        return [] if after else [(at, replace(each, serving=served[target])) for at, each in enumerate(past, 1)]

    with patch.object(HistoryReader, "page", page):
        parts.rebuild.start()
        parts.rebuild.join(REBUILD_S)


async def soak(path: Path, runs: int) -> tuple[list[Sample], Books, str, int]:
    """Run so often; samples, books, the last page of metrics, and how many tasks are left."""
    config = configuration.load(path)
    parts = build(config)
    parts.http.start()
    fill_detectors(config, parts)
    books, samples = Books(), list[Sample]()
    _keep_books(parts, books)
    listener = Runs(config, parts.dispatch, parts.metrics, parts.health, parts.log, asyncio.Event())
    garbage.freeze()

    def look() -> None:
        if books.expected >= (len(samples) + 1) * max(1, runs // SAMPLES):
            parts.metrics.render("text/plain")
            samples.append(_sample(books.expected, state_dir(config)))

    due = list(entries(config))
    share = runs // len(due)
    await asyncio.gather(*(_measure(listener, entry, books, share, seed, look) for seed, entry in enumerate(due)))
    await parts.dispatch.drain(30)
    page = parts.metrics.render("text/plain")[0].decode()
    parts.close(10)
    await asyncio.sleep(0.1)
    return samples, books, page, len(asyncio.all_tasks()) - 1


async def _measure(listener: Runs, entry: Entry, books: Books, runs: int, seed: int, look: Callable[[], None]) -> None:
    """What is due on one target, one after the other."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    left = runs
    while left > 0:
        dice = chance.random()
        if dice < MISSED_SHARE:
            missed = min(left, chance.randint(1, MOST_MISSED))
            listener.missed(entry, missed)
            books.missed += missed
        elif dice < MISSED_SHARE + SKIPPED_SHARE:
            missed = 1
            await listener.skipped(entry, 0.0)
        else:
            missed = 1
            await listener.due(entry, 0.0)
        books.expected += missed
        left -= missed
        look()


def _keep_books(parts: Parts, books: Books) -> None:
    submit = parts.dispatch.submit

    async def noted(record: RunRecord) -> None:
        ended = outcome(record)
        books.handed_on[ended] = books.handed_on.get(ended, 0) + 1
        await submit(record)

    parts.dispatch.submit = noted  # type: ignore[method-assign]  # the soak looks over its shoulder


def _sample(runs: int, folder: Path) -> Sample:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    history = sum(file.stat().st_size for file in folder.iterdir())
    return Sample(
        runs,
        pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        len(list(Path("/proc/self/fd").iterdir())),
        threading.active_count(),
        len(asyncio.all_tasks()),
        history / 1e6,
    )


def _counted(page: str) -> dict[str, int]:
    """The runs by outcome, as Prometheus would see them."""
    counts: Counter[str] = Counter()
    for name, value in re.findall(r'^voice_probe_runs_total\{outcome="(\w+)".*\} (\S+)$', page, re.MULTILINE):
        counts[name] += int(float(value))
    return {name: count for name, count in counts.items() if count}


def _counted_missed(page: str) -> int:
    found = re.findall(r"^voice_probe_runs_missed_total\{.*\} (\S+)$", page, re.MULTILINE)
    return sum(int(float(value)) for value in found)


def run(runs: int) -> Soaked:
    with (
        faulty_servers() as at,
        tempfile.TemporaryDirectory() as folder,
        Path(os.devnull).open("w") as silence,
        contextlib.redirect_stdout(silence),
    ):
        began = time.monotonic()
        samples, books, page, tasks_left = asyncio.run(soak(configure(Path(folder), at), runs))
        took = time.monotonic() - began
        return Soaked(samples, books, _counted(page), _counted_missed(page), tasks_left, at.left(), took)


def report(soaked: Soaked) -> None:
    print(f"{'runs':>7} {'memory':>9} {'descriptors':>11} {'threads':>7} {'tasks':>5} {'history':>9}")
    for each in soaked.samples[:: max(1, len(soaked.samples) // 10)]:
        print(f"{each.runs:7} {each.resident_mb:6.1f} MB {each.descriptors:11} {each.threads:7} {each.tasks:5} "
              f"{each.history_mb:6.2f} MB")  # fmt: skip
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(soaked.counted.items()))
    print(f"{soaked.books.expected} runs expected = {sum(soaked.counted.values())} recorded ({outcomes}) "
          f"+ {soaked.counted_missed} missed, in {soaked.took_s / 60:.1f} minutes")  # fmt: skip
    print(f"over the second half: memory {soaked.growth('resident_mb'):+.2f} MB, "
          f"descriptors {soaked.growth('descriptors'):+.1f}; left over: {soaked.tasks_left} tasks, "
          f"{soaked.left.slots} slots, {soaked.left.connections} connections")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=MONTH)
    parser.add_argument("--json", action="store_true", help="what was found as one JSON document")
    options = parser.parse_args()
    soaked = run(options.runs)
    complaints = list(soaked.complaints())
    if options.json:
        print(json.dumps(asdict(soaked) | {"complaints": complaints}))
    else:
        report(soaked)
    for complaint in complaints:
        print(f"soak: {complaint}", file=sys.stderr)
    raise SystemExit(1 if complaints else 0)


if __name__ == "__main__":
    main()
