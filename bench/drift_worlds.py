"""Worlds that the detector was not tuned on: 31 days at one run per minute, with steps on four of the days.

    python bench/drift_worlds.py                     all worlds: a table, and how many meet the goals
    python bench/drift_worlds.py --every 600         one run in ten minutes
    python bench/drift_worlds.py --every 86400 --days 365
    python bench/drift_worlds.py --alert             how often the rule VoiceDriftFound fires, for one step of 5 %
    python bench/drift_worlds.py --steps 1           a third of the steps, which is faster
    python bench/drift_worlds.py --world weekends --seed 7

Each world is fed once, as the daemon feeds its detector. On four of the days a copy of the detector is fed with slower
runs instead: one stage makes the whole 5, 10 or 20 % longer.

A world is a function of when its runs are to three stages' milliseconds, and to what was said in each (characters and
tokens of the first chunk, tokens of the prompt), where that varies.
"""

import argparse
import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from drift_noises import Rng, When
from drift_runs import DAY_S, HANDOVER_MS, SERVED, START_S, Floats, autoregressive, times

from probe.drift import Monitor, Shift
from probe.drift.series import Point
from probe.measures import STAGES

DAYS = 31
STEP_DAYS = (9.41, 15.78, 21.13, 27.55)
SIZES = (0.05, 0.10, 0.20)
GOALS = (30, 12, 7)
DATED_WITHIN = 10
# A step that is not found within half a day is not found.
LONGEST_RUNS = 720
PARTS = STAGES[1:]
# Of the rule VoiceDriftFound.
FIRES_ABOVE, FIRES_AFTER_S, FIRES_ON_S = 0.03, 300, 900


@dataclass
class World:
    """Milliseconds of each stage (`PARTS`), and what was said: 0 where that is not known."""

    stages: list[Floats]
    said: Mapping[str, Floats] = field(default_factory=dict)


def _noise(when: When, rng: Rng, scatter: float = 0.04, correlation: float = 0.3) -> Floats:
    return np.exp(autoregressive(when.runs, scatter, correlation, rng))


def _days(when: When) -> int:
    return int(when.day[-1] - when.day[0]) + 1


def _of_days(when: When, values: Floats) -> Floats:
    return np.asarray(values[(when.day - when.day[0]).astype(int)])


def _three(when: When, rng: Rng, levels: Sequence[float], scatter: float = 0.04) -> list[Floats]:
    return [level * _noise(when, rng, scatter) for level in levels]


def _times(stages: Sequence[Floats], factor: Floats) -> list[Floats]:
    return [each * factor for each in stages]


def _wander(when: When, rng: Rng, size: float, hours: float) -> Floats:
    return np.exp(autoregressive(when.runs, size, math.exp(-1 / when.runs_in(hours)), rng))


def _spells(when: When, rng: Rng, a_day: float, hours: tuple[float, float], slower: tuple[float, float]) -> Floats:
    factor = np.ones(when.runs)
    for _ in range(rng.poisson(a_day * _days(when))):
        at, length = int(rng.integers(0, when.runs)), max(1, round(when.runs_in(rng.uniform(*hours))))
        factor[at : at + length] *= rng.uniform(*slower)
    return factor


def steady(when: When, rng: Rng) -> World:
    return World(_three(when, rng, (120, 80, 260), 0.03))


def prompt_lengths(when: When, rng: Rng) -> World:
    """Prompts of real users' lengths: a wide log-normal, whose prefill is in the time to the first token."""
    prompt = np.clip(np.round(rng.lognormal(5.2, 0.8, when.runs)), 8, 4000)
    ttft = (35 + 0.22 * prompt) * _noise(when, rng, 0.05)
    return World([ttft, 90 * _noise(when, rng), 180 * _noise(when, rng)], {"prompt_tokens": prompt})


def varying_sentences(when: When, rng: Rng) -> World:
    """Whole first sentences: generation and speech grow with the text."""
    chars = np.clip(np.round(rng.gamma(4.5, 14, when.runs)), 12, 260)
    tokens = np.maximum(2, np.round(chars / 4.2 * np.exp(0.1 * rng.standard_normal(when.runs))))
    return World(
        [
            95 * _noise(when, rng, 0.05),
            (4 + 12.5 * tokens) * _noise(when, rng, 0.03),
            (38 + 4.1 * chars) * _noise(when, rng, 0.04),
        ],
        {"chars": chars, "tokens": tokens},
    )


def two_sentences(when: When, rng: Rng) -> World:
    """A handful of questions in turn, each with an answer of its own length."""
    which = rng.integers(0, 5, when.runs)
    chars = np.array([34.0, 52, 77, 103, 140])[which] + rng.integers(-3, 4, when.runs).astype(np.float64)
    tokens = np.round(chars / 4)
    return World(
        [
            140 * _noise(when, rng, 0.06),
            (10 + 9 * tokens) * _noise(when, rng, 0.04),
            (60 + 1.6 * chars) * _noise(when, rng, 0.05),
        ],
        {"chars": chars, "tokens": tokens},
    )


def virtual_machine(when: When, rng: Rng) -> World:
    """Steal time: skewed scatter, now and then a neighbour for hours."""
    stages = [
        level * (1 + 0.06 * rng.gamma(0.8, 1, when.runs)) * _noise(when, rng, 0.02, 0.5) for level in (60, 110, 210)
    ]
    return World(_times(stages, _spells(when, rng, 0.3, (1, 7), (1.03, 1.12)) * _wander(when, rng, 0.01, 8)))


def cloud_requests(when: When, rng: Rng) -> World:
    """As public traces of cloud instances are: flat, rounded, with tails of ten times, and rare hours of unrest."""
    stages = [
        level * (1 + 0.05 * np.abs(rng.standard_t(2.2, when.runs))) * _noise(when, rng, 0.015, 0.6)
        for level in (45, 130, 160)
    ]
    unrest = np.ones(when.runs)
    for _ in range(rng.poisson(0.25 * _days(when))):
        at, length = int(rng.integers(0, when.runs)), round(when.runs_in(rng.uniform(0.5, 3)))
        part = unrest[at : at + length]
        part *= np.exp(np.abs(0.25 * rng.standard_normal(len(part))))
    return World([np.round(each * unrest) for each in stages])


def thermal(when: When, rng: Rng) -> World:
    """A small computer without a fan: warm afternoons, hotter on some days, and throttling in steps when it is."""
    hot = _of_days(when, np.clip(rng.normal(0.35, 0.35, _days(when) + 1), 0, 1))
    heat = hot * np.exp(-((when.hour - 15) ** 2) / 10) + 0.02 * autoregressive(when.runs, 1, 0.97, rng)
    throttled = np.where(heat > 0.55, 1.08, 1.0) * (1 + 0.05 * np.clip(heat, 0, 1))
    return World(_times(_three(when, rng, (210, 320, 380)), throttled))


def weekends(when: When, rng: Rng) -> World:
    """Busy from nine to six, Monday to Friday."""
    ramp = np.clip(np.minimum(when.hour - 8.5, 18 - when.hour), 0, 1)
    busy = np.where(when.day % 7 < 5, ramp, 0.0) * _of_days(when, rng.normal(1, 0.15, _days(when) + 1))
    return World(_times(_three(when, rng, (150, 120, 200)), 1 + 0.12 * busy))


def quiet_sundays(when: When, rng: Rng) -> World:
    """Saturdays and Sundays as a whole are faster."""
    level = np.where(when.day % 7 == 6, 0.91, np.where(when.day % 7 == 5, 0.95, 1.0))
    return World(_times(_three(when, rng, (100, 140, 230)), level * _wander(when, rng, 0.008, 4)))


def backups(when: When, rng: Rng) -> World:
    """Every night at two for half an hour, for three hours on Sundays."""
    start = _of_days(when, 2 + rng.uniform(0, 0.1, _days(when) + 1))
    long = np.where(when.day % 7 == 6, 3.0, _of_days(when, rng.uniform(0.45, 0.7, _days(when) + 1)))
    return World(
        _times(_three(when, rng, (90, 160, 250)), np.where((when.hour >= start) & (when.hour < start + long), 1.35, 1))
    )


def hourly_jobs(when: When, rng: Rng) -> World:
    """Four minutes at each full hour, twelve every six hours."""
    minute = when.hour % 1 * 60
    factor = np.where(minute < 4, 1.18, 1.0) * np.where((when.hour % 6 < 0.2), 1.25, 1.0)
    return World(_times(_three(when, rng, (110, 150, 240)), factor))


def sawtooth(when: When, rng: Rng) -> World:
    """A server that leaks: a tenth slower within some two days, then it is restarted."""
    age, ages = 0.0, []
    life = rng.uniform(1.6, 2.6)
    for _ in range(when.runs):
        age += when.every_s / DAY_S
        if age > life:
            age, life = 0.0, rng.uniform(1.6, 2.6)
        ages.append(age)
    stages = _three(when, rng, (130, 100, 240))
    stages[2] = stages[2] * (1 + 0.10 * np.array(ages))
    return World(stages)


def daily_restart(when: When, rng: Rng) -> World:
    """Restarted every night at four, and slower by the hour until then."""
    age = (when.hour - 4) % 24 / 24
    return World(_times(_three(when, rng, (130, 100, 240)), 1 + 0.09 * age))


def heavy_tails(when: When, rng: Rng) -> World:
    return World([level * np.exp(0.045 * rng.standard_t(1.9, when.runs)) for level in (170, 190, 220)])


def two_replicas(when: When, rng: Rng) -> World:
    """A balancer in front of two unequal servers."""
    stages = _three(when, rng, (140, 130, 210), 0.025)
    slow = rng.random(when.runs) < 0.45
    stages[0] = stages[0] + 45 * slow
    stages[1] = stages[1] * np.where(slow, 1.12, 1.0)
    return World(stages)


def shared_link(when: When, rng: Rng) -> World:
    """Evening traffic on a line that others use: more some days, wandering within the hour, lost packets."""
    evening = np.exp(-((when.hour - 20.5) ** 2) / 6) * _of_days(when, rng.gamma(3, 0.03, _days(when) + 1))
    lost = np.where(rng.random(when.runs) < 0.02, 200.0, 0.0)
    stages = _times(_three(when, rng, (160, 110, 190)), (1 + evening) * _wander(when, rng, 0.012, 0.7))
    stages[0] = stages[0] + lost
    return World(stages)


def other_users(when: When, rng: Rng) -> World:
    """Calls of some minutes that share the accelerator, by day more of them."""
    load = np.zeros(when.runs)
    for at in np.flatnonzero(rng.random(when.runs) < 0.012 * (1 + np.sin(2 * math.pi * (when.hour - 9) / 24))):
        load[at : at + int(when.runs_in(rng.uniform(0.03, 0.25)))] += 1
    stages = _three(when, rng, (100, 170, 230))
    return World([each * (1 + share * load) for each, share in zip(stages, (0.25, 0.1, 0.06), strict=True)])


def wandering(when: When, rng: Rng) -> World:
    """A level that comes and goes, on all scales from minutes to days."""
    levels = [_wander(when, rng, 0.010, hours) for hours in (0.3, 2, 12, 60)]
    return World(_times(_three(when, rng, (150, 150, 200), 0.03), np.prod(levels, axis=0)))


def coarse_clock(when: When, rng: Rng) -> World:
    """Servers that look every 15 ms whether there is something to do."""
    return World([np.ceil(each / 15) * 15 for each in _three(when, rng, (90, 140, 200), 0.05)])


def unsteady_scatter(when: When, rng: Rng) -> World:
    """Hours of much scatter and hours of little."""
    much = np.exp(autoregressive(when.runs, 0.6, math.exp(-1 / when.runs_in(3)), rng))
    return World([level * np.exp(0.035 * much * rng.standard_normal(when.runs)) for level in (120, 160, 240)])


WORLDS: Mapping[str, Callable[[When, Rng], World]] = {
    each.__name__.replace("_", " "): each
    for each in (
        steady, prompt_lengths, varying_sentences, two_sentences, virtual_machine, cloud_requests, thermal, weekends,
        quiet_sundays, backups, hourly_jobs, sawtooth, daily_restart, heavy_tails, two_replicas, shared_link,
        other_users, wandering, coarse_clock, unsteady_scatter,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One step: its size, and what was made of it. `delay` is in runs, infinite where it was not found."""

    size: float
    delay: float
    stage_right: bool = False
    dated_right: bool = False


@dataclass(frozen=True)
class Result:
    """What one world showed. `alarms` are the days on which there was one, the first day apart."""

    alarms: Sequence[float]
    steps: Sequence[Step]
    cpu_ms: float
    # Of the slowest run.
    slowest_ms: float

    def delay(self, size: float) -> float:
        return median(each.delay for each in self.steps if each.size == size)


def points_of(world: World, when: When, step: tuple[int, float, int] | None = None) -> Callable[[int], Point]:
    """A function of a run's number to its point; `step` is the run, the share of the whole, and the stage's index."""
    columns = [each.tolist() for each in world.stages]
    said = {name: values.tolist() for name, values in world.said.items()}
    more = [0.0] * len(columns)
    first = when.runs
    if step is not None:
        first, size, stage = step
        more[stage] = size * float(np.median(sum(world.stages)))

    def make(number: int) -> Point:
        parts = [each[number] + (more[index] if number >= first else 0.0) for index, each in enumerate(columns)]
        whole = math.fsum(parts) + HANDOVER_MS
        started = round(when.started[number] * 1e9)
        extra = {name: round(values[number]) for name, values in said.items() if name in Point.__dataclass_fields__}
        return Point(f"{number:06}", started, "ok", SERVED, (whole, *parts), **extra)

    return make


def moments(every_s: int, days: int = DAYS) -> When:
    started = times(round(days * DAY_S / every_s), every_s)
    return When(every_s, started, np.asarray(started % DAY_S / 3600), np.asarray((started - START_S) // DAY_S))


def made(name: str, seed: int, when: When) -> World:
    return WORLDS[name](when, np.random.default_rng([seed, *name.encode()]))


def measure(name: str, seed: int, when: When, steps_each: int, until: float) -> Result:
    """Feed one world until a day. `steps_each` is how many of the stages take each step."""
    runs = min(when.runs, round(when.runs_in(24 * until)))
    world = made(name, seed, when)
    monitor, make = Monitor(), points_of(world, when)
    starts = {round(when.runs * day / DAYS): index for index, day in enumerate(STEP_DAYS)}
    alarms, steps, cpu = [], [], []
    for number in range(runs):
        if number in starts:
            for each, size in enumerate(SIZES):
                for stage in range(steps_each):
                    step = (number, size, (starts[number] + each + stage) % len(PARTS))
                    steps.append(_find(copy.deepcopy(monitor), points_of(world, when, step), step, runs))
        point = make(number)
        began = time.process_time()
        found = monitor.add(point)
        cpu.append(1000 * (time.process_time() - began))
        if isinstance(found, Shift) and when.started[number] >= START_S + DAY_S:
            alarms.append((when.started[number] - START_S) / DAY_S)
    return Result(alarms, steps, math.fsum(cpu) / runs, max(cpu))


def _find(monitor: Monitor, make: Callable[[int], Point], step: tuple[int, float, int], runs: int) -> Step:
    at, size, stage = step
    for number in range(at, min(runs, at + LONGEST_RUNS)):
        found = monitor.add(make(number))
        if isinstance(found, Shift) and found.direction == "slower":
            since = next(
                each for each in range(max(0, at - LONGEST_RUNS), number + 1) if make(each).started == found.since
            )
            return Step(size, number - at + 1, found.stage == PARTS[stage], abs(since - at) <= DATED_WITHIN)
    return Step(size, math.inf)


def firings(name: str, seed: int, when: When) -> tuple[int, int]:
    """How often the rule VoiceDriftFound fires before a step of 5 % at half of the time, and after it.

    As of a Prometheus that asks after each run: a condition that has held for five minutes, and once it fires it
    fires until the state is over, and for a quarter of an hour.
    """
    at = when.runs // 2
    monitor, make = Monitor(), points_of(made(name, seed, when), when, (at, SIZES[0], len(PARTS) - 1))
    fired, held, firing, last = [0, 0], 0.0, False, -math.inf
    for number in range(when.runs):
        monitor.add(make(number))
        verdict = monitor.verdict()
        slower = verdict.state == "slower" and (firing or verdict.now[0].ratio > 1 + FIRES_ABOVE)
        held = held + when.every_s if slower else 0.0
        last = when.started[number] if slower else last
        if not firing and held > FIRES_AFTER_S:
            fired[number >= at] += 1
            firing = True
        firing = firing and when.started[number] - last < FIRES_ON_S
    return fired[0], fired[1]


def line(name: str, result: Result) -> str:
    delays = "".join(f"{result.delay(size):7.0f}" for size in SIZES)
    found = [each for each in result.steps if math.isfinite(each.delay)]
    stage = sum(each.stage_right for each in found) / max(1, len(found))
    dated = sum(each.dated_right for each in found) / max(1, len(found))
    days = " ".join(f"{day:.0f}" for day in result.alarms[:14])
    cpu = f"{result.cpu_ms:8.3f}{result.slowest_ms:9.0f}"
    return f"{name:18}{len(result.alarms):7}{delays}{stage:7.0%}{dated:7.0%}{cpu}  {days}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--world", choices=WORLDS, action="append", help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=60, metavar="SECONDS")
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--until", type=float, default=math.inf, metavar="DAY", help="stop then")
    parser.add_argument("--steps", type=int, default=len(PARTS), help="in how many of the stages there is each step")
    parser.add_argument("--alert", action="store_true", help="the rule VoiceDriftFound instead")
    options = parser.parse_args()
    when = moments(options.every, options.days)
    if options.alert:
        for name in options.world or WORLDS:
            before, after = firings(name, options.seed, when)
            print(f"{name:18} fired {before} times before a step of 5 %, {after} times after it", flush=True)
        return
    results = {}
    sizes = "".join(f"{size:+7.0%}" for size in SIZES)
    print(f"{'':18}{'alarms':>7}{sizes}  stage  dated  ms/run  slowest  on the days")
    for name in options.world or WORLDS:
        results[name] = measure(name, options.seed, when, options.steps, min(options.until, options.days))
        print(line(name, results[name]), flush=True)
    met = [
        f"{size:+.0%} {sum(r.delay(size) <= goal for r in results.values())}"
        for size, goal in zip(SIZES, GOALS, strict=True)
    ]
    print(f"of {len(results)}: one alarm or none {sum(len(r.alarms) <= 1 for r in results.values())}; {', '.join(met)}")


if __name__ == "__main__":
    main()
