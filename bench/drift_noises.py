"""Latencies of other kinds than those of the goals: what a month without a change may look like.

Each kind is three stages' milliseconds, run by run.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from drift_runs import DAY_S, PARTS_MS, START_S, WHOLE_MS, Change, Floats, Series, autoregressive, finished, times

Stages = dict[str, Floats]


@dataclass(frozen=True)
class When:
    """The times of a series' runs: seconds since the epoch, hours of the day, and days since a Monday."""

    every_s: int
    started: Floats
    hour: Floats
    day: Floats

    @property
    def runs(self) -> int:
        return len(self.started)

    def runs_in(self, hours: float) -> float:
        return hours * 3600 / self.every_s


Rng = np.random.Generator
Kind = Callable[[When, Rng], Stages]


def _scattered(when: When, rng: Rng, noise: float = 0.05, correlation: float = 0.3) -> Stages:
    return {name: ms * np.exp(autoregressive(when.runs, noise, correlation, rng)) for name, ms in PARTS_MS.items()}


def _times(stages: Stages, factor: Floats) -> Stages:
    return {name: ms * factor for name, ms in stages.items()}


def _wandering(when: When, rng: Rng, size: float, hours: float) -> Floats:
    """A level that wanders by so much (standard deviation), and forgets where it was within so many hours."""
    return np.exp(autoregressive(when.runs, size, math.exp(-1 / when.runs_in(hours)), rng))


def office_hours(when: When, rng: Rng) -> Stages:
    busy = (when.hour >= 8.5) & (when.hour < 17.5) & (when.day % 7 < 5)
    return _times(_scattered(when, rng), np.where(busy, 1.08, 1.0))


def daily_rhythm(when: When, rng: Rng) -> Stages:
    return _times(_scattered(when, rng), 1 + 0.1 * np.sin(2 * math.pi * when.hour / 24))


def moving_rhythm(when: When, rng: Rng) -> Stages:
    """A busy evening that comes an hour sooner or later, and is more or less busy."""
    days = int(when.day[-1]) + 1
    at = 20 + rng.normal(0, 1, days)[when.day.astype(int)]
    size = rng.uniform(0.02, 0.10, days)[when.day.astype(int)]
    return _times(_scattered(when, rng), 1 + size * np.exp(-((when.hour - at) ** 2) / 2))


def slow_wander(when: When, rng: Rng) -> Stages:
    return _times(_scattered(when, rng), _wandering(when, rng, 0.015, 3.3))


def wander_of_each_stage(when: When, rng: Rng) -> Stages:
    return {name: ms * _wandering(when, rng, 0.03, 2.0) for name, ms in _scattered(when, rng).items()}


def strong_dependence(when: When, rng: Rng) -> Stages:
    return _scattered(when, rng, correlation=0.9)


def heavy_tails(when: When, rng: Rng) -> Stages:
    return {name: ms * np.exp(0.04 * rng.standard_t(2.5, when.runs)) for name, ms in PARTS_MS.items()}


def skewed(when: When, rng: Rng) -> Stages:
    return {name: ms * (0.9 + 0.1 * rng.exponential(1, when.runs)) for name, ms in PARTS_MS.items()}


def two_modes(when: When, rng: Rng) -> Stages:
    stages = _scattered(when, rng, 0.02, 0.0)
    stages["tts_ttfb"] = stages["tts_ttfb"] + np.where(rng.random(when.runs) < 0.3, 80.0, 0.0)
    return stages


def sticky_modes(when: When, rng: Rng) -> Stages:
    """Some ten runs in one mode, some 25 in the other."""
    stages = _scattered(when, rng, 0.02, 0.0)
    turns = rng.random(when.runs)
    slow, states = False, []
    for turn in turns.tolist():
        slow = slow != (turn < (0.1 if slow else 0.04))
        states.append(slow)
    stages["llm_ttft"] = stages["llm_ttft"] + 60.0 * np.array(states)
    return stages


def rounded(when: When, rng: Rng) -> Stages:
    return {name: np.round(ms / 20) * 20 for name, ms in _scattered(when, rng, 0.03, 0.0).items()}


def hardly_any(when: When, rng: Rng) -> Stages:
    return _times(_scattered(when, rng, 0.002, 0.0), 1 + 0.01 * np.sin(2 * math.pi * when.hour / 24))


def clustered(when: When, rng: Rng) -> Stages:
    """Times of much scatter, and times of little."""
    much = np.exp(autoregressive(when.runs, 0.5, 0.98, rng))
    return {name: ms * np.exp(0.05 * much * rng.standard_normal(when.runs)) for name, ms in PARTS_MS.items()}


def bursts_of_a_stage(when: When, rng: Rng) -> Stages:
    stages = _scattered(when, rng)
    for day in range(int(when.day[-1])):
        at = int(when.runs_in(24 * day)) + int(rng.integers(0, int(when.runs_in(24)) - 10))
        stages["tts_ttfb"][at : at + 10] *= rng.uniform(1.3, 2.0)
    return stages


def nightly_job(when: When, rng: Rng) -> Stages:
    """Forty minutes at three, and five at each full hour."""
    night = (when.hour >= 3.0) & (when.hour < 3.7)
    hourly = when.hour % 1 < 5 / 60
    return _times(_scattered(when, rng), np.where(night, 1.4, np.where(hourly, 1.15, 1.0)))


def busy_spells(when: When, rng: Rng) -> Stages:
    """Real users: three spells a day, of ten minutes to an hour, that make all a tenth to a half slower."""
    factor = np.ones(when.runs)
    for _ in range(3 * int(when.day[-1])):
        at, length = int(rng.integers(0, when.runs)), round(when.runs_in(rng.uniform(1 / 6, 1)))
        factor[at : at + length] *= rng.uniform(1.1, 1.5)
    return _times(_scattered(when, rng), factor)


def flicker(when: When, rng: Rng) -> Stages:
    """Wander on all time scales at once, from minutes to days."""
    levels = [_wandering(when, rng, 0.008, hours) for hours in (0.2, 1, 5, 25)]
    return _times(_scattered(when, rng, 0.04, 0.0), np.prod(levels, axis=0))


KINDS: Mapping[str, Kind] = {
    each.__name__.replace("_", " "): each
    for each in (
        office_hours, daily_rhythm, moving_rhythm, slow_wander, wander_of_each_stage, flicker, strong_dependence,
        heavy_tails, skewed, two_modes, sticky_modes, rounded, hardly_any, clustered, bursts_of_a_stage, nightly_job,
        busy_spells,
    )
}  # fmt: skip


def simulate_kind(kind: str, every_s: int, days: float, seed: int, change: Change | None = None) -> Series:
    """The same arguments always make the same series. One run in a hundred is a spike."""
    rng = np.random.default_rng(seed)
    runs = round(days * DAY_S / every_s)
    started = times(runs, every_s)
    when = When(every_s, started, np.asarray(started % DAY_S / 3600), np.asarray((started - START_S) // DAY_S))
    stages = KINDS[kind](when, rng)
    if change is not None:
        stages[change.stage] = stages[change.stage] + change.grown(runs) * change.size * WHOLE_MS
    spiked = rng.random(runs) < 0.01
    return finished(np.arange(runs), started, _times(stages, np.where(spiked, rng.uniform(1.5, 4.0, runs), 1.0)))
