"""A change that went as it came: the level of each stage is the one before it, also if few runs show that poorly."""

import random

import pytest

from probe.drift.evidence import Evidence
from probe.drift.levels import change_levels

EVERY_S = 300.0
START_S = 1_700_438_400
BEFORE = 600
WITH_IT = 40
# Of the stage that raises the alarm, and of one that scatters more.
SCATTER = {"whole": 0.01, "stage": 0.05}


def after(back_by: float, runs: int, *, stays: bool = False) -> tuple[dict[str, Evidence], dict[str, float]]:
    """What is known after a change by 0.25 and one back by so much, found after so many runs; and the levels before.

    `stays`: the second stage does not go back.
    """
    rng = random.Random(5)
    stages, before = {stage: Evidence(11.0) for stage in SCATTER}, {}
    for number in range(BEFORE + WITH_IT + runs):
        for stage, evidence in stages.items():
            back = number >= BEFORE + WITH_IT and not (stays and stage == "stage")
            level = 5 + 0.25 * (number >= BEFORE) - back_by * back
            evidence.add(number, START_S + number * EVERY_S, level + rng.gauss(0, SCATTER[stage]), counts=True)
        if number == BEFORE + 15:
            before = {stage: evidence.baseline.level for stage, evidence in stages.items()}
            change_levels(stages, BEFORE, "whole")
    change_levels(stages, BEFORE + WITH_IT, "whole")
    return stages, before


def test_a_stage_that_few_runs_show_poorly_is_back_with_the_one_that_they_show_well() -> None:
    stages, before = after(0.25, 4)
    assert {stage: evidence.baseline.level for stage, evidence in stages.items()} == pytest.approx(before)
    assert min(evidence.since_change for evidence in stages.values()) > BEFORE


def test_what_is_not_quite_back_is_another_level() -> None:
    stages, before = after(0.17, 10)
    for stage, evidence in stages.items():
        assert evidence.baseline.level == pytest.approx(before[stage] + 0.08, abs=0.03)
        assert evidence.since_change == 10


def test_a_stage_that_stays_is_not_back_with_the_others() -> None:
    stages, before = after(0.25, 10, stays=True)
    assert stages["whole"].baseline.level == pytest.approx(before["whole"])
    assert stages["stage"].baseline.level > before["stage"] + 0.2
