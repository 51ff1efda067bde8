"""How soon is drift found, and how often for nothing? The probe's detector and its rivals, on the same simulated runs.

For each kind of runs: false alarms in 30 days, then steps and a ramp of one stage: the share found within 24 h, the
median delay in runs, how often the right stage was named, and how well the moment was dated. Then latencies of many
other kinds (`drift_noises.py`): alarms of the first week and in each of the three after it, and steps on the eleventh
day.

    python bench/drift.py                      everything, Otava included (in a venv of its own, made when needed)
    python bench/drift.py --world usual --trials 20 --otava-trials 0
    python bench/drift.py --noise "office hours" --noise "nightly job"
"""

import argparse
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from statistics import median

import numpy as np
from drift_noises import KINDS, simulate_kind
from drift_otava import Otava
from drift_rivals import STATISTICS, alarms, threshold_for
from drift_runs import PARTS_MS, START_S, Change, Series, World, simulate

from probe.drift import THRESHOLD, Monitor, Shift

WORLDS = {
    "usual": World(),
    "all stages scatter as one": World(stages="shared"),
    "5 % is of one stage": World(stages="own", correlation=0.0),
    "noise 10 %": World(noise=0.10),
    "strong dependence": World(correlation=0.6),
    "rhythm of 8 %": World(rhythm=0.08),
    "every five minutes": World(every_s=300),
    "missing hours": World(missing_hours=3.0),
}
STEPS = (0.05, 0.10, 0.20)
RAMP = 0.10
TITLES = ("+5 % runs", "+10 % runs", "+20 % runs", "+10 % a day")
# Other seeds than the thresholds were set on.
TRAINING, TESTING = 1_000, 50_000
QUIET_DAYS = 31
WARM_UP_DAYS = 3
DATED_WITHIN = 10
# Of the other latencies.
EVERY_S = 60


@dataclass(frozen=True)
class Found:
    """One change that was there to be found; None where it was not, within 24 h."""

    delay: int | None
    stage_right: bool = False
    dated_off: float = math.inf


def trial(world: World, size: float, seed: int, ramp: bool) -> tuple[Series, Change]:
    """A series with one change on its fourth day, in one of the stages."""
    day = world.runs_per_day
    at = WARM_UP_DAYS * day + (seed * 7919) % day
    stage = list(PARTS_MS)[seed % len(PARTS_MS)]
    change = Change(at, size, stage, over=day if ramp else 1)
    return simulate(world, (at + day) / day, seed, change), change


def false_alarms(world: World, seed: int, threshold: float) -> int:
    """Alarms after the first day of a month in which nothing changed."""
    monitor = Monitor(threshold)
    first = START_S + 86_400
    found = [monitor.add(point) for point in simulate(world, QUIET_DAYS, seed).points()]
    return sum(1 for each in found if isinstance(each, Shift) and each.found >= first * 1e9)


def find(world: World, size: float, seed: int, ramp: bool, threshold: float) -> Found:
    """What the detector makes of one change."""
    series, change = trial(world, size, seed, ramp)
    monitor = Monitor(threshold)
    for number, point in zip(series.number.tolist(), series.points(), strict=True):
        found = monitor.add(point)
        if number >= change.at and isinstance(found, Shift) and found.direction == "slower":
            dated = (found.since / 1e9 - START_S) / world.every_s
            runs = int(((series.number >= change.at) & (series.number <= number)).sum())
            return Found(runs, found.stage == change.stage, abs(dated - change.at))
    return Found(None)


def alarms_of_kind(kind: str, seed: int) -> tuple[int, int]:
    """Alarms of the first week, except for its first day, and of the three weeks after it."""
    monitor = Monitor()
    found = [monitor.add(point) for point in simulate_kind(kind, EVERY_S, 29, seed).points()]
    days = [(each.found / 1e9 - START_S) / 86_400 for each in found if isinstance(each, Shift)]
    return sum(1 <= day < 7 for day in days), sum(7 <= day < 28 for day in days)


def find_in_kind(kind: str, size: float, seed: int) -> Found:
    """A step on the eleventh day."""
    day = 86_400 // EVERY_S
    stage = list(PARTS_MS)[seed % len(PARTS_MS)]
    at = 10 * day + (seed * 7919) % day
    series, monitor = simulate_kind(kind, EVERY_S, (at + day) / day, seed, Change(at, size, stage)), Monitor()
    for number, point in enumerate(series.points()):
        found = monitor.add(point)
        if number >= at and isinstance(found, Shift) and found.direction == "slower":
            return Found(number - at + 1, found.stage == stage)
    return Found(None)


def quiet(world: World, seed: int) -> dict[str, list[float]]:
    """Each rival's statistic over a month in which nothing changed."""
    series = simulate(world, QUIET_DAYS, seed)
    return {name: statistic(series).tolist() for name, statistic in STATISTICS.items()}


def rivals_find(world: World, size: float, seed: int, ramp: bool, thresholds: dict[str, float]) -> dict[str, Found]:
    """What the rivals make of the same change."""
    series, change = trial(world, size, seed, ramp)
    start = int((series.number < change.at).sum())
    found = {}
    for name, statistic in STATISTICS.items():
        after = [at for at in alarms(statistic(series), thresholds[name]) if at >= start]
        found[name] = Found(after[0] - start + 1 if after else None)
    return found


def row(name: str, a_month: float, columns: Iterable[Sequence[Found]]) -> str:
    """One line of the table; a column for each change that was looked for."""
    cells = [f"{name:16} {a_month:8.2f}"]
    for found in columns:
        delays = [each.delay for each in found if each.delay is not None]
        cells.append(f"{len(delays) / len(found):5.0%} {median(delays) if delays else math.nan:6.0f}")
    return "  ".join(cells)


def remarks(columns: Sequence[Sequence[Found]]) -> str:
    """How well our detector names and dates what it has found: the stage in all of it, the time of a 10 % step."""
    found = [each for column in columns for each in column if each.delay is not None]
    dated = columns[STEPS.index(0.10)]
    within = sum(each.dated_off <= DATED_WITHIN for each in dated) / len(dated)
    named = sum(each.stage_right for each in found) / max(1, len(found))
    return f"the right stage {named:.1%}; +10 % dated within {DATED_WITHIN} runs {within:.0%}"


def measure(name: str, world: World, trials: int, months: int, pool: Executor) -> None:
    """Print one world's part of the table."""
    kinds = [*((step, False) for step in STEPS), (RAMP, True)]
    quiet_ones = [pool.submit(false_alarms, world, TESTING + each, THRESHOLD) for each in range(months)]
    trained = [pool.submit(quiet, world, TRAINING + each) for each in range(months)]
    tested = [pool.submit(quiet, world, TESTING + each) for each in range(months)]
    found = [
        [pool.submit(find, world, size, TESTING + each, ramp, THRESHOLD) for each in range(trials)]
        for size, ramp in kinds
    ]
    thresholds = {
        rival: threshold_for([np.array(each.result()[rival]) for each in trained], months) for rival in STATISTICS
    }
    others = [
        [pool.submit(rivals_find, world, size, TESTING + each, ramp, thresholds) for each in range(trials)]
        for size, ramp in kinds
    ]
    columns = [[each.result() for each in column] for column in found]
    alarmed = [each.result() for each in quiet_ones]
    print(f"\n{name}: {remarks(columns)}")
    print(f"{'':16} {'alarms':>8}  " + "  ".join(f"{title:>12}" for title in TITLES))
    print(row("probe", sum(alarmed) / months, columns))
    for rival in STATISTICS:
        alarm_counts = [len(alarms(np.array(each.result()[rival]), thresholds[rival])) for each in tested]
        print(row(rival, sum(alarm_counts) / months, [[each.result()[rival] for each in column] for column in others]))


def measure_kinds(kinds: Iterable[str], trials: int, months: int, pool: Executor) -> None:
    """Print a line for each of the other kinds of latencies."""
    pending = {
        kind: (
            [pool.submit(alarms_of_kind, kind, TESTING + each) for each in range(months)],
            [[pool.submit(find_in_kind, kind, size, TESTING + each) for each in range(trials)] for size in STEPS],
        )
        for kind in kinds
    }
    print(f"\n{'':21} {'1st week':>8} {'a week':>8}  " + "  ".join(f"{title:>12}" for title in TITLES[: len(STEPS)]))
    for kind, (quiet_ones, found) in pending.items():
        first, later = zip(*(each.result() for each in quiet_ones), strict=True)
        name = f"{kind:21} {sum(first) / months:8.1f}"
        print(row(name, sum(later) / months / 3, [[each.result() for each in column] for column in found]), flush=True)


def measure_otava(world: World, trials: int, months: int) -> None:
    """Print Otava's line of a world."""
    otava = Otava()
    try:
        p_value = otava.calibrated([simulate(world, QUIET_DAYS, TRAINING + each) for each in range(months)])
        tested = [simulate(world, QUIET_DAYS, TESTING + each) for each in range(months)]
        a_month = sum(otava.false_alarms(each, p_value) for each in tested) / months
        columns = []
        for size, ramp in [*((step, False) for step in STEPS), (RAMP, True)]:
            trials_made = [trial(world, size, TESTING + each, ramp) for each in range(trials)]
            columns.append([Found(otava.delay(series, change.at, p_value)) for series, change in trials_made])
        print(row(f"Otava p={p_value:.0e}", a_month, columns), flush=True)
    finally:
        otava.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--world", choices=WORLDS, action="append", help="default: all")
    parser.add_argument("--noise", choices=KINDS, action="append", help="default: all, without --world")
    parser.add_argument("--trials", type=int, default=100, help="of each kind of change")
    parser.add_argument("--months", type=int, default=6, help="in which nothing changes")
    parser.add_argument("--otava-trials", type=int, default=15, help="0 leaves Otava out; it is slow")
    options = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in options.world or ([] if options.noise else WORLDS):
            measure(name, WORLDS[name], options.trials, options.months, pool)
            if options.otava_trials and name == "usual":
                measure_otava(WORLDS[name], options.otava_trials, min(2, options.months))
        if options.noise or not options.world:
            measure_kinds(options.noise or KINDS, options.trials // 4, options.months, pool)


if __name__ == "__main__":
    main()
