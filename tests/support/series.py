"""Series of runs made by hand or by a seed, for the tests of drift."""

import copy
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from probe.drift import Change, Monitor
from probe.drift.fingerprint import Fingerprint
from probe.drift.series import Point
from probe.record import Outcome
from probe.waits import Asked

START_S = 1_700_438_400
SERVED = Fingerprint("model b1", "aria en 22000 Hz", "00000000")
PARTS_MS = (180.0, 220.0, 190.0)
HANDOVER_MS = 0.4
# Every five minutes, as long as nothing else is asked for: two days are enough to learn from.
EVERY_S = 300.0
DAY = 288
# So many runs at the beginning are learned from once for all series that have them.
LEARNED = 2 * DAY


def point(
    number: int,
    parts: Sequence[float | None] = PARTS_MS,
    *,
    every_s: float = EVERY_S,
    outcome: Outcome = "ok",
    serving: Fingerprint = SERVED,
) -> Point:
    """A run whose stages took so long; the whole is their sum."""
    known = [each for each in parts if each is not None]
    whole = sum(known) + HANDOVER_MS if len(known) == len(parts) else None
    started = round((START_S + number * every_s) * 1e9)
    return Point(f"r{number:06}", started, outcome, serving, (whole, *parts))


# Of a target that hears: endpointing and transcription, and what the first sound comes after the first byte.
HEARING_MS = (500.0, 250.0)
SILENCE_MS = 40.0


def spoken(
    runs: int,
    seed: int = 1,
    *,
    factors: Callable[[int], Sequence[float]] = lambda _number: (1.0, 1.0),
    asked: Asked = "speech",
    of_answer: Callable[[int], Sequence[float]] = lambda _number: (1.0, 1.0, 1.0),
) -> Iterator[Point]:
    """Runs of a target that hears, whose stages scatter independently; endpointing and transcription have a factor.

    An agent that is spoken to answers without a request, and transcribes beside its answer.
    """
    rng = random.Random(seed)
    for number, each in enumerate(noisy(runs, seed + 1000, factors=of_answer)):
        heard = [
            ms * factor * math.exp(rng.gauss(0, 0.05)) for ms, factor in zip(HEARING_MS, factors(number), strict=True)
        ]
        by_agent = asked == "agent_speech"
        whole = heard[0] + (0.0 if by_agent else heard[1]) + (each.stages_ms[0] or 0.0) + SILENCE_MS
        stages = (None, None, None, each.stages_ms[3]) if by_agent else each.stages_ms
        yield replace(each, asked=asked, stages_ms=stages, hearing_ms=(whole, *heard))


def noisy(
    runs: int,
    seed: int = 1,
    *,
    scatter: float = 0.05,
    factors: Callable[[int], Sequence[float]] = lambda _number: (1.0, 1.0, 1.0),
    every_s: float = EVERY_S,
) -> Iterator[Point]:
    """Runs whose stages scatter independently, each times its factor at that run."""
    rng = random.Random(seed)
    for number in range(runs):
        parts = [
            ms * factor * math.exp(rng.gauss(0, scatter)) for ms, factor in zip(PARTS_MS, factors(number), strict=True)
        ]
        yield point(number, parts, every_s=every_s)


def step(at: int, factor: float, stage: int = 2, until: int = 10**9) -> Callable[[int], Sequence[float]]:
    """Factors of a stage (of the three) that takes longer from one run on."""
    return lambda number: [factor if index == stage and at <= number < until else 1.0 for index in range(3)]


def watched(points: Iterable[Point], monitor: Monitor | None = None) -> tuple[Monitor, list[Change]]:
    """A monitor that has seen the points, and what it reported on the way."""
    if monitor is not None:
        return monitor, _reported(monitor, points)
    points = tuple(points)
    monitor, found = copy.deepcopy(_learned(points[:LEARNED]))
    return monitor, found + _reported(monitor, points[LEARNED:])


@lru_cache(maxsize=8)
def _learned(points: Sequence[Point]) -> tuple[Monitor, list[Change]]:
    """The same of what it learns from: many series begin with the same days, which are half of a test's time."""
    monitor = Monitor()
    return monitor, _reported(monitor, points)


def _reported(monitor: Monitor, points: Iterable[Point]) -> list[Change]:
    return [found for each in points if (found := monitor.add(each)) is not None]


def spiked(points: Iterable[Point], seed: int, share: float) -> Iterable[Point]:
    rng = random.Random(seed)
    for each in points:
        factor = rng.uniform(1.5, 4) if rng.random() < share else 1.0
        yield replace(each, stages_ms=tuple((ms or 0) * factor for ms in each.stages_ms))
