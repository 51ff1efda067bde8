"""A history as a week leaves it: targets that do well, that stall, that fail, that have become slower.

`python tests/support/a_day.py FOLDER` writes one; the pictures of docs/web.md are of it.
"""

import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from many_runs import keep
from runs import MS, chunk, failed, record

from probe.drift import Monitor
from probe.drift.state import Kept, encode
from probe.history.drift_states import DriftStates
from probe.history.reader import reading
from probe.record import RunRecord, ServerIdentity
from probe.timestamps import NS_PER_S, utc

_EVERY_S = 300


def write(state_dir: Path, now: int, days: float = 7) -> None:
    """So many days of runs up to now (nanoseconds since the epoch), and the daemon's verdict on each series."""
    keep(state_dir, sorted(_runs(now, round(days * 86_400 / _EVERY_S)), key=lambda each: each.started))
    watch(state_dir)


def watch(state_dir: Path) -> None:
    """Save what the daemon would have made of the runs."""
    states = DriftStates(state_dir)
    with reading(state_dir) as reader:
        for series in reader.series():
            monitor, last = Monitor(), ""
            for each in reader.points(*series):
                monitor.add(each)
                last = each.run_id
            states.save(*series, encode(series, Kept(last, monitor, {})))


def stalled(number: int, started: int, target: str) -> RunRecord:
    """The first byte came in time, and the second chunk 2.4 s after the first was over."""
    made = record(number, started=started, target=target, ttfb_ms=420)
    first, _ = made.turns[0].chunks
    late = chunk(2, (first.tts_segment_done or 0) + MS, 3400)
    ended = (late.tts_segment_done or 0) + 2 * MS
    return replace(made, turns=(replace(made.turns[0], chunks=(first, late), done=ended - MS),), ended=ended)


def _runs(now: int, count: int) -> Iterator[RunRecord]:
    rng = random.Random(7)
    # Who has seen fewer days takes the rhythm of the day for a change.
    daily = 1.08 if count * _EVERY_S > 2 * 86_400 else 1.0
    for number in range(count):
        age = count - 1 - number
        started = now - (age * _EVERY_S + 40) * NS_PER_S
        busy = daily if 8 <= (started // NS_PER_S // 3600) % 24 < 18 else 1.0
        if not 1000 < age < 1030:
            yield _named(_good(rng, number, started, "kitchen", 420 * busy), number)
        slower = 1.35 if age < 150 else 1.0
        yield _named(_good(rng, number, started + NS_PER_S, "office", 510 * slower * busy), number + 100_000)
        down = age < 5 or age in (300, 301, 620)
        made = failed(1, started=started + 2 * NS_PER_S, target="workshop")
        made = replace(made, ended=made.started + 11 * NS_PER_S)
        yield _named(made if down else _good(rng, number, made.started, "workshop", 640 * busy), number + 200_000)
        late = 1500 if age < 40 and rng.random() < 0.2 else 580
        last = stalled(1, started + 3 * NS_PER_S, "hall")
        yield _named(last if age == 0 else _good(rng, number, last.started, "hall", late * busy), number + 300_000)


def _good(rng: random.Random, number: int, started: int, target: str, ms: float) -> RunRecord:
    ttfb = round(ms * rng.lognormvariate(0, 0.06))
    made = record(number, started=started, target=target, ttfb_ms=ttfb)
    return replace(made, served=ServerIdentity("qwen3-8b-q4", "b7042"))


def _named(made: RunRecord, number: int) -> RunRecord:
    run_id = f"{utc(made.started):%Y%m%dT%H%M%SZ}-{number:06x}"
    return replace(
        made, plan=replace(made.plan, run_id=run_id, trace_id=f"{number:032x}", span_id=f"{number + 1:016x}")
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder, time.time_ns())
