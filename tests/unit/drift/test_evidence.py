"""A change that went as it came: the level is the one before it, also where few runs show that poorly."""

import random

import pytest

from probe.drift.evidence import Evidence

EVERY_S = 300.0
START_S = 1_700_438_400
BEFORE = 600
WITH_IT = 40


def after(back_by: float, runs: int, scatter: float = 0.05) -> tuple[Evidence, float]:
    """What is known after a change by 0.25 and one back by so much, found after so many runs; and the level before."""
    rng = random.Random(5)
    evidence = Evidence(11.0)
    levels = [0.0] * BEFORE + [0.25] * WITH_IT + [0.25 - back_by] * runs
    before = 0.0
    for number, level in enumerate(levels):
        evidence.add(number, START_S + number * EVERY_S, 5 + level + rng.gauss(0, scatter), counts=True)
        if number == BEFORE + 15:
            before = evidence.baseline.level
            evidence.change(BEFORE, 0.25)
    evidence.change(BEFORE + WITH_IT, -back_by)
    return evidence, before


def test_few_runs_that_are_back_as_far_as_they_show_are_back() -> None:
    evidence, before = after(0.17, 5)
    assert evidence.baseline.level == pytest.approx(before)
    assert evidence.since_change > BEFORE


def test_runs_that_show_that_they_are_not_quite_back_are_another_level() -> None:
    evidence, before = after(0.17, 10, scatter=0.01)
    assert evidence.baseline.level == pytest.approx(before + 0.08, abs=0.01)
    assert evidence.since_change == 10


def test_less_than_half_of_the_way_is_not_back_however_few_the_runs() -> None:
    evidence, before = after(0.10, 3, scatter=0.15)
    assert evidence.baseline.level > before + 0.1
