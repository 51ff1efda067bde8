"""Simulated series of runs: what stages take over days, with everything in it that must not be mistaken for drift.

Three stages with AR(1) noise, a rhythm of the day, spikes, a burst of contention each day, hours without data; and,
from a known run on, a step or a ramp of one stage. Sizes are shares of the whole: a step of 5 % makes the combined TTFB
5 % longer, all of it by that one stage.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from probe.drift.fingerprint import Fingerprint
from probe.drift.series import Point
from probe.measures import STAGES

Floats = NDArray[np.float64]

DAY_S = 86_400
# A Monday.
START_S = 1_700_438_400
PARTS_MS = {"llm_ttft": 180.0, "llm_decode": 220.0, "tts_ttfb": 190.0}
WHOLE_MS = sum(PARTS_MS.values())
HANDOVER_MS = 0.4
SERVED = Fingerprint("", "simulated", "00000000")
BURST_RUNS = 10


@dataclass(frozen=True)
class World:
    """What runs are like. `noise` is the relative scatter of the whole, or (`own`) of each stage by itself.

    `shared`: all stages scatter together; `independent`: each by itself. A step in an `own` world is a share of its
    stage, as its noise is: the hardest reading, in which the whole moves by a third of it.
    """

    noise: float = 0.05
    stages: Literal["shared", "independent", "own"] = "independent"
    correlation: float = 0.3
    rhythm: float = 0.02
    spikes: float = 0.03
    burst: tuple[float, float] = (1.3, 2.0)
    every_s: int = 60
    missing_hours: float = 0.0

    @property
    def runs_per_day(self) -> int:
        return DAY_S // self.every_s


@dataclass(frozen=True)
class Change:
    """A stage takes longer from run `at` on, by `size` in the end; a ramp takes `over` runs to get there."""

    at: int
    size: float
    stage: str = "tts_ttfb"
    over: int = 1

    def grown(self, runs: int) -> Floats:
        """How much of it there is, run by run."""
        return np.asarray(np.clip((np.arange(runs) - self.at + 1) / self.over, 0.0, 1.0), dtype=np.float64)


@dataclass(frozen=True)
class Series:
    """Each stage's milliseconds, by run. `number` is each run's own: some did not take place."""

    number: NDArray[np.int64]
    started_s: Floats
    stages_ms: dict[str, Floats]

    def points(self) -> Iterator[Point]:
        columns = [self.stages_ms[stage].tolist() for stage in STAGES]
        for number, at, *values in zip(self.number.tolist(), self.started_s.tolist(), *columns, strict=True):
            yield Point(f"{number:06}", round(at * 1e9), "ok", SERVED, tuple(values))


def simulate(world: World, days: float, seed: int, change: Change | None = None) -> Series:
    """The same arguments always make the same series."""
    rng = np.random.default_rng(seed)
    runs = round(days * world.runs_per_day)
    number = np.arange(runs)
    started = times(runs, world.every_s)
    parts = _parts(world, runs, rng)
    factor = _contention(world, runs, rng) * (
        1 + world.rhythm * np.sin(2 * math.pi * (number / world.runs_per_day + rng.random()))
    )
    if change is not None:
        whole = PARTS_MS[change.stage] if world.stages == "own" else WHOLE_MS
        parts[change.stage] = parts[change.stage] + change.grown(runs) * change.size * whole
    kept = _kept(world, runs, rng)
    return finished(number[kept], started[kept], {name: (parts[name] * factor)[kept] for name in parts})


def times(runs: int, every_s: int) -> Floats:
    return np.asarray(START_S + np.arange(runs) * float(every_s), dtype=np.float64)


def finished(number: NDArray[np.int64], started: Floats, stages: dict[str, Floats]) -> Series:
    """The whole is what its stages make."""
    whole = np.asarray(sum(stages.values()) + HANDOVER_MS, dtype=np.float64)
    return Series(number, np.asarray(started), {STAGES[0]: whole, **stages})


def _parts(world: World, runs: int, rng: np.random.Generator) -> dict[str, Floats]:
    if world.stages == "shared":
        together = np.exp(autoregressive(runs, world.noise, world.correlation, rng))
        return {name: ms * together for name, ms in PARTS_MS.items()}
    noise = world.noise
    if world.stages == "independent":
        noise *= WHOLE_MS / math.sqrt(sum(ms**2 for ms in PARTS_MS.values()))
    return {name: ms * np.exp(autoregressive(runs, noise, world.correlation, rng)) for name, ms in PARTS_MS.items()}


def autoregressive(runs: int, scatter: float, correlation: float, rng: np.random.Generator) -> Floats:
    """Values of that standard deviation, each with this share of the one before it."""
    shocks = (rng.standard_normal(runs) * scatter * math.sqrt(1 - correlation**2)).tolist()
    now = float(rng.standard_normal()) * scatter
    values = []
    for shock in shocks:
        now = correlation * now + shock
        values.append(now)
    return np.array(values)


def _contention(world: World, runs: int, rng: np.random.Generator) -> Floats:
    factor = np.ones(runs)
    spiked = rng.random(runs) < world.spikes
    factor[spiked] = rng.uniform(1.5, 4.0, int(spiked.sum()))
    for day in range(0, runs, world.runs_per_day):
        at = day + int(rng.integers(0, world.runs_per_day - BURST_RUNS))
        factor[at : at + BURST_RUNS] *= rng.uniform(*world.burst)
    return factor


def _kept(world: World, runs: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    kept = np.ones(runs, dtype=np.bool_)
    for _ in range(round(world.missing_hours / 2 * runs / world.runs_per_day)):
        at = int(rng.integers(0, runs))
        kept[at : at + round(rng.uniform(1, 3) * 3600 / world.every_s)] = False
    return kept
