"""How often is an irrelevant figure named beside a drift, and how often the true one? On simulated histories.

Each history has a change of one stage, found and dated by the probe's own detector, and ten figures that have nothing
to do with it: noise, figures that wander, rhythms, spikes, states that flip. In the second half one more figure moves
with the latency, as a cause would.

    python bench/causes.py                     everything
    python bench/causes.py --trials 50 --first 9000
"""

import argparse
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from drift_runs import PARTS_MS, WHOLE_MS, Change, Floats, Series, World, autoregressive, finished, simulate

from probe.drift import Monitor, Shift
from probe.drift.beside import associated
from probe.drift.change import Verdict

WARM_UP = 1440
# After it was found, the probe goes on for so long before somebody asks.
ASKED_AFTER = (0, 30, 300)
SIZES = (0.1, 0.2, 0.5)
Rng = np.random.Generator
Figure = Callable[[int, Rng], Floats]


def noise(runs: int, rng: Rng) -> Floats:
    return 50 + 5 * rng.standard_normal(runs)


def heavy(runs: int, rng: Rng) -> Floats:
    return np.asarray(np.exp(rng.standard_normal(runs)))


def wandering(runs: int, rng: Rng) -> Floats:
    return 60 + autoregressive(runs, 3.0, 0.98, rng)


def walk(runs: int, rng: Rng) -> Floats:
    return np.asarray(40 + np.cumsum(rng.standard_normal(runs)) * 0.2)


def day(runs: int, rng: Rng) -> Floats:
    phase = rng.random()
    return np.asarray(30 + 10 * np.sin(2 * math.pi * (np.arange(runs) / 1440 + phase)) + rng.standard_normal(runs))


def spikes(runs: int, rng: Rng) -> Floats:
    return np.where(rng.random(runs) < 0.03, 100.0, 0.0)


def flips(runs: int, rng: Rng) -> Floats:
    """Two states, each for some hours."""
    return np.asarray(np.cumsum(rng.random(runs) < 1 / 300) % 2 * 1.0 + 0.01 * rng.standard_normal(runs))


def rare(runs: int, rng: Rng) -> Floats:
    """A constant that is another one from some moment on, every second day."""
    return np.asarray(np.cumsum(rng.random(runs) < 1 / 2880) * 1.0)


def sawtooth(runs: int, rng: Rng) -> Floats:
    """What fills up, and is emptied."""
    return np.asarray((np.arange(runs) + rng.integers(0, 500)) % 500 / 5.0)


def constant(runs: int, _rng: Rng) -> Floats:
    return np.full(runs, 2418.0)


IRRELEVANT: dict[str, Figure] = {
    each.__name__: each for each in (noise, heavy, wandering, walk, day, spikes, flips, rare, sawtooth, constant)
}


@dataclass(frozen=True)
class Moving:
    """A figure that goes with the latency: it moves by `moved` at the change, scatters by `scatter` (a share of that).

    With `dose` the latency follows this scatter, too.
    """

    scatter: float
    correlation: float = 0.0
    dose: bool = False


TRUE = {
    "a clock is capped": Moving(0.0),
    "it scatters by a tenth": Moving(0.1),
    "it scatters by a quarter": Moving(0.25),
    "it wanders by a fifth": Moving(0.2, 0.95),
    "it scatters by a half, with its dose": Moving(0.5, 0.0, dose=True),
    "it wanders by a half, with its dose": Moving(0.5, 0.9, dose=True),
}


@dataclass(frozen=True)
class Result:
    """Whether the change was found, which irrelevant figures were named, and whether the true one was, and how high."""

    found: bool
    wrong: tuple[str, ...] = ()
    place: int | None = None


def trial(seed: int, true: Moving | None) -> Result:
    rng = np.random.default_rng(seed)
    at, size, wait = WARM_UP + seed % 97, SIZES[seed % len(SIZES)], ASKED_AFTER[seed % 5 % len(ASKED_AFTER)]
    stage = list(PARTS_MS)[seed % len(PARTS_MS)]
    runs = at + 900
    series = simulate(World(), runs / 1440, seed, Change(at, size, stage) if true is None else None)
    figures = {name: figure(runs, rng) for name, figure in IRRELEVANT.items()}
    if true is not None:
        dose = np.where(np.arange(runs) >= at, 1.0, 0.0)
        scatter = autoregressive(runs, true.scatter, true.correlation, rng)
        figures["true"] = dose + scatter
        series = with_dose(series, stage, size * (dose + scatter if true.dose else dose))
    return judged(series, figures, at, wait)


def with_dose(series: Series, stage: str, added: Floats) -> Series:
    parts = {name: series.stages_ms[name] for name in PARTS_MS}
    parts[stage] = np.maximum(1.0, parts[stage] + added * WHOLE_MS)
    return replace(finished(series.number, series.started_s, parts), number=series.number)


def judged(series: Series, figures: dict[str, Floats], at: int, wait: int) -> Result:
    """What is said of the change `wait` runs after it was found."""
    monitor, points, asked = Monitor(), [], None
    for place, point in enumerate(series.points()):
        points.append(point)
        found = monitor.add(point)
        if isinstance(found, Shift) and place >= at and asked is None:
            asked = place + wait
        if asked is not None and place >= asked:
            break
    shift = shift_of(monitor.verdict())
    if shift is None:
        return Result(found=False)
    by_run = {
        point.run_id: {name: float(values[place]) for name, values in figures.items()}
        for place, point in enumerate(points)
    }
    named = [cause.name for cause in associated(shift, points, by_run)]
    wrong = tuple(name for name in named if name != "true")
    return Result(found=True, wrong=wrong, place=named.index("true") if "true" in named else None)


def shift_of(verdict: Verdict) -> Shift | None:
    """The change that the verdict is about."""
    going_on = [each for each in verdict.changes if isinstance(each, Shift) and each.until is None]
    return going_on[0] if verdict.drift is not None and going_on else None


def of_seed(given: tuple[int, str | None]) -> Result:
    seed, name = given
    return trial(seed, None if name is None else TRUE[name])


def shown(title: str, results: Iterable[Result], *, true: bool) -> str:
    found = [each for each in results if each.found]
    wrong = sum(bool(each.wrong) for each in found)
    text = f"{title:40} {len(found):5} verdicts, {wrong / len(found):6.1%} name an irrelevant figure"
    if true:
        named = sum(each.place is not None for each in found)
        first = sum(each.place == 0 for each in found)
        text += f", {named / len(found):6.1%} the true one ({first / len(found):.1%} first)"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--first", type=int, default=70_000, help="the first seed")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.trials)
    with ProcessPoolExecutor() as pool:
        nothing = list(pool.map(of_seed, [(seed, None) for seed in seeds], chunksize=10))
        print(shown("no figure belongs to it", nothing, true=False), flush=True)
        by_name: dict[str, int] = {}
        for name in (name for each in nothing for name in each.wrong):
            by_name[name] = by_name.get(name, 0) + 1
        print(f"{'':40} by figure: {by_name}", flush=True)
        for name in TRUE:
            results = list(pool.map(of_seed, [(seed, name) for seed in seeds], chunksize=10))
            print(shown(name, results, true=True), flush=True)


if __name__ == "__main__":
    main()
