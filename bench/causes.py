"""How often is an irrelevant figure named beside a drift, and how often the true one? On simulated histories.

Each history has a change of one stage, found and dated by the probe's own detector, and ten figures that have nothing
to do with it (`causes_figures.py`). Then one more figure moves with the latency, as a cause would.

    python bench/causes.py                     everything
    python bench/causes.py --trials 50 --first 9000 --processes 1
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from causes_figures import HARDER, IRRELEVANT, TRUE, Figure, Moving, Span
from drift_runs import PARTS_MS, WHOLE_MS, Floats, Series, World, autoregressive, finished, simulate

from probe.drift import Monitor, Shift
from probe.drift.beside import associated
from probe.drift.causes import MOST_NAMED, Cause
from probe.drift.change import Verdict
from probe.drift.series import Point

WARM_UP = 1500
# After it was found, the probe goes on for so long before somebody asks.
ASKED_AFTER = (0, 30, 300)
# A verdict whose change began so many runs from ours is about something else that happened in the history.
NEAR = 60
SIZES = (0.1, 0.2, 0.5)
SETS: dict[str, Mapping[str, Figure]] = {"ten irrelevant figures": IRRELEVANT, "ten harder ones": HARDER}
BOTH = "two figures that scatter by a tenth"


@dataclass(frozen=True, eq=False)
class Found:
    """A change that was found in a history, and the runs that were known when somebody asked."""

    shift: Shift
    points: list[Point]


# The irrelevant figures that are named beside the last change.
_JUDGED: dict[Found, list[Cause]] = {}


@dataclass(frozen=True)
class Result:
    """The irrelevant figures that were named, and the places of the true ones, None of one that was not."""

    wrong: tuple[str, ...] = ()
    places: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Seed:
    """What the random numbers of one history make of it."""

    number: int

    @property
    def span(self) -> Span:
        at = WARM_UP + self.number % 97
        return Span(at + 900, at)

    @property
    def stage(self) -> str:
        return list(PARTS_MS)[self.number % len(PARTS_MS)]

    @property
    def size(self) -> float:
        return SIZES[self.number // 3 % len(SIZES)]

    @property
    def wait(self) -> int:
        return ASKED_AFTER[self.number // 9 % len(ASKED_AFTER)]

    def rng(self, what: str) -> np.random.Generator:
        return np.random.default_rng([self.number, *what.encode()])


def trial(number: int) -> dict[str, Result]:
    """Of each case whose change was found."""
    seed = Seed(number)
    plain = watched(seed, seed.span.changed)
    results = {}
    for title, figures in SETS.items():
        if plain is not None:
            results[title] = judged(causes_of(plain, made(seed, figures)), ())
    for title, moving in TRUE.items():
        dose, shown = moved(seed, title, moving)
        found = watched(seed, dose) if moving.dose else plain
        if found is not None:
            results[title] = judged([*irrelevant(seed, found), *causes_of(found, {"true": shown})], ("true",))
    if plain is not None:
        two = {name: moved(seed, name, Moving(0.1))[1] for name in ("one", "other")}
        results[BOTH] = judged([*irrelevant(seed, plain), *causes_of(plain, two)], tuple(two))
    return results


def made(seed: Seed, figures: Mapping[str, Figure]) -> dict[str, Floats]:
    return {name: figure(seed.span, seed.rng(name)) for name, figure in figures.items()}


def moved(seed: Seed, title: str, moving: Moving) -> tuple[Floats, Floats]:
    """What the latency follows, and what is read of it."""
    span, rng = seed.span, seed.rng(title)
    scattered = span.changed + autoregressive(span.runs, moving.scatter, moving.correlation, rng)
    return scattered, moving.shown(scattered + moving.under(span, rng), rng)


def watched(seed: Seed, dose: Floats) -> Found | None:
    """The change, as the probe's own detector finds and dates it; None if it does not, or finds another one."""
    span = seed.span
    series = with_dose(simulate(World(), span.runs / 1440, seed.number), seed.stage, seed.size * dose)
    monitor, points, asked = Monitor(), list[Point](), None
    for place, point in enumerate(series.points()):
        points.append(point)
        if isinstance(monitor.add(point), Shift) and place >= span.at and asked is None:
            asked = place + seed.wait
        if asked is not None and place >= asked:
            break
    shift = shift_of(monitor.verdict())
    if shift is None or abs(sum(each.started < shift.since for each in points) - span.at) > NEAR:
        return None
    return Found(shift, points)


def with_dose(series: Series, stage: str, added: Floats) -> Series:
    parts = {name: series.stages_ms[name] for name in PARTS_MS}
    parts[stage] = np.maximum(1.0, parts[stage] + added * WHOLE_MS)
    return replace(finished(series.number, series.started_s, parts), number=series.number)


def shift_of(verdict: Verdict) -> Shift | None:
    """The change that the verdict is about."""
    going_on = [each for each in verdict.changes if isinstance(each, Shift) and each.until is None]
    return going_on[0] if verdict.drift is not None and going_on else None


def causes_of(found: Found, figures: Mapping[str, Floats]) -> list[Cause]:
    by_run = {
        point.run_id: {name: float(values[place]) for name, values in figures.items() if not np.isnan(values[place])}
        for place, point in enumerate(found.points)
    }
    return associated(found.shift, found.points, by_run)


def irrelevant(seed: Seed, found: Found) -> list[Cause]:
    """Each figure is judged by itself: those of one history are judged once, whatever true one is beside them."""
    if found not in _JUDGED:
        _JUDGED.clear()
        _JUDGED[found] = causes_of(found, made(seed, IRRELEVANT))
    return _JUDGED[found]


def judged(causes: list[Cause], true: tuple[str, ...]) -> Result:
    """What is named: the three surest."""
    names = [cause.name for cause in sorted(causes, key=lambda cause: -cause.score)[:MOST_NAMED]]
    places = {name: names.index(name) if name in names else None for name in true}
    return Result(tuple(name for name in names if name not in true), places)


def lines(trials: Iterable[dict[str, Result]]) -> Iterator[str]:
    results = list(trials)
    for title in (*SETS, *TRUE, BOTH):
        yield shown(title, [each[title] for each in results if title in each])


def shown(title: str, found: list[Result]) -> str:
    if not found:
        return f"{title:40}     0 verdicts"
    wrong = Counter(name for each in found for name in each.wrong)
    text = f"{title:40} {len(found):5} verdicts, {share(bool(each.wrong) for each in found)} name an irrelevant figure"
    if found[0].places:
        named_all = share(all(place is not None for place in each.places.values()) for each in found)
        first = share(0 in each.places.values() for each in found)
        text += f", {named_all} the true one ({first} first)"
    return text + (f"; {dict(wrong)}" if wrong else "")


def share(values: Iterable[bool]) -> str:
    known = list(values)
    return f"{sum(known) / len(known):6.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--first", type=int, default=70_000, help="the first seed")
    parser.add_argument("--processes", type=int, default=None)
    given = parser.parse_args()
    with ProcessPoolExecutor(given.processes) as pool:
        trials = pool.map(trial, range(given.first, given.first + given.trials), chunksize=4)
        print(*lines(trials), sep="\n", flush=True)


if __name__ == "__main__":
    main()
