"""Simulated figures of a machine beside a latency: irrelevant ones of every kind, and ones that go with it."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from drift_runs import Floats, autoregressive

RUNS_PER_DAY, RUNS_PER_HOUR = 1440, 60
Rng = np.random.Generator


@dataclass(frozen=True)
class Span:
    """A history of so many runs, with its change at the run `at`."""

    runs: int
    at: int

    @property
    def changed(self) -> Floats:
        """0 before the change, and 1 from it on."""
        return np.where(np.arange(self.runs) >= self.at, 1.0, 0.0)


Figure = Callable[[Span, Rng], Floats]


def noise(span: Span, rng: Rng) -> Floats:
    return 50 + 5 * rng.standard_normal(span.runs)


def heavy(span: Span, rng: Rng) -> Floats:
    return np.asarray(np.exp(rng.standard_normal(span.runs)))


def wandering(span: Span, rng: Rng) -> Floats:
    return 60 + autoregressive(span.runs, 3.0, 0.98, rng)


def walk(span: Span, rng: Rng) -> Floats:
    return np.asarray(40 + np.cumsum(rng.standard_normal(span.runs)) * 0.2)


def day(span: Span, rng: Rng) -> Floats:
    turns = np.arange(span.runs) / RUNS_PER_DAY + rng.random()
    return np.asarray(30 + 10 * np.sin(2 * math.pi * turns) + rng.standard_normal(span.runs))


def spikes(span: Span, rng: Rng) -> Floats:
    return np.where(rng.random(span.runs) < 0.03, 100.0, 0.0)


def flips(span: Span, rng: Rng) -> Floats:
    """Two states, each for some hours."""
    return np.asarray(np.cumsum(rng.random(span.runs) < 1 / 300) % 2 * 1.0 + 0.01 * rng.standard_normal(span.runs))


def rare(span: Span, rng: Rng) -> Floats:
    """A constant that is another one from some moment on, every second day."""
    return np.asarray(np.cumsum(rng.random(span.runs) < 1 / 2880) * 1.0)


def sawtooth(span: Span, rng: Rng) -> Floats:
    """What fills up, and is emptied."""
    return np.asarray((np.arange(span.runs) + rng.integers(0, 500)) % 500 / 5.0)


def constant(span: Span, _rng: Rng) -> Floats:
    return np.full(span.runs, 2418.0)


def trend(span: Span, rng: Rng) -> Floats:
    """It grows all the time."""
    return np.asarray(np.arange(span.runs) * 0.01 + rng.standard_normal(span.runs))


def slow(span: Span, rng: Rng) -> Floats:
    return 60 + autoregressive(span.runs, 3.0, 0.999, rng)


def nightly(span: Span, rng: Rng) -> Floats:
    """A job of an hour, at the same hour each day, which is that of the change."""
    place = (np.arange(span.runs) - span.at) % RUNS_PER_DAY
    return np.asarray(np.where(place < RUNS_PER_HOUR, 80.0, 5.0) + rng.standard_normal(span.runs))


def p_state(span: Span, rng: Rng) -> Floats:
    """A small whole number that wanders."""
    return np.asarray(np.clip(np.round(4 + autoregressive(span.runs, 2.0, 0.95, rng)), 0, 8))


def steps(span: Span, rng: Rng) -> Floats:
    """A clock that is read in steps of 15 MHz."""
    return np.asarray(np.round(autoregressive(span.runs, 40.0, 0.9, rng) / 15) * 0.015 + 2.4)


def throttled(span: Span, rng: Rng) -> Floats:
    """Rarely 1, for some minutes."""
    starts = (rng.random(span.runs) < 1 / 400).astype(np.float64)
    return np.asarray(np.convolve(starts, np.ones(10))[: span.runs] > 0, dtype=np.float64)


def half_missing(span: Span, rng: Rng) -> Floats:
    return np.where(rng.random(span.runs) < 0.5, np.nan, wandering(span, rng))


def levels(span: Span, rng: Rng) -> Floats:
    """Another level, whatever it is, every two hours or so."""
    level = np.cumsum(rng.random(span.runs) < 1 / 120)
    return np.asarray(rng.standard_normal(span.runs)[level] * 10 + 0.5 * rng.standard_normal(span.runs))


def hour_before(span: Span, rng: Rng) -> Floats:
    return 10 + 5 * np.roll(span.changed, -RUNS_PER_HOUR) + 0.5 * rng.standard_normal(span.runs)


def hour_after(span: Span, rng: Rng) -> Floats:
    later = np.where(np.arange(span.runs) >= span.at + RUNS_PER_HOUR, 1.0, 0.0)
    return np.asarray(10 + 5 * later + 0.5 * rng.standard_normal(span.runs))


IRRELEVANT: dict[str, Figure] = {
    each.__name__: each for each in (noise, heavy, wandering, walk, day, spikes, flips, rare, sawtooth, constant)
}
HARDER: dict[str, Figure] = {
    each.__name__: each
    for each in (trend, slow, nightly, p_state, steps, throttled, half_missing, levels, hour_before, hour_after)
}


@dataclass(frozen=True)
class Moving:
    """A figure that goes with the latency: it moves by 1 at the change, scatters by `scatter`, on top of something.

    With `dose` the latency follows this scatter, too.
    """

    scatter: float = 0.0
    correlation: float = 0.0
    dose: bool = False
    under: Figure = lambda span, _rng: np.zeros(span.runs)
    shown: Callable[[Floats, Rng], Floats] = lambda values, _rng: values


def _half(values: Floats, rng: Rng) -> Floats:
    return np.where(rng.random(len(values)) < 0.5, np.nan, values)


def _in_quarters(values: Floats, _rng: Rng) -> Floats:
    return np.asarray(np.round(values * 4) / 4)


def _mostly(values: Floats, rng: Rng) -> Floats:
    """Two states, and the other one in a tenth of the runs after, in a hundredth before."""
    return np.asarray(np.where(values > 0.5, rng.random(len(values)) < 0.9, rng.random(len(values)) < 0.01) * 1.0)


TRUE = {
    "a clock is capped": Moving(),
    "it scatters by a tenth": Moving(0.1),
    "it scatters by a quarter": Moving(0.25),
    "it wanders by a fifth": Moving(0.2, 0.95),
    "it scatters by a half, with its dose": Moving(0.5, 0.0, dose=True),
    "it wanders by a half, with its dose": Moving(0.5, 0.9, dose=True),
    "it is known of every second run": Moving(0.1, shown=_half),
    "it is read in quarters of its step": Moving(0.2, shown=_in_quarters),
    "it is a reason that is seen in 9 of 10": Moving(shown=_mostly),
    "it also grows, by 1 per day": Moving(0.1, under=lambda span, _rng: np.arange(span.runs) / RUNS_PER_DAY),
    "it also goes by the hour, by 0.5": Moving(0.1, under=lambda span, rng: 0.05 * (day(span, rng) - 30)),
}
