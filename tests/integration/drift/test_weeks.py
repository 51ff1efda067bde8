"""Drift over weeks of runs: what takes too long for a unit test."""

import json
import math
import random
from pathlib import Path

import pytest
from drifted import drift, fill
from series import DAY, START_S, noisy, spiked, step, watched

from probe.drift import Change, Shift

TWO_DAYS = 2 * DAY

pytestmark = pytest.mark.long


def test_a_ramp_over_a_week_is_found_within_it() -> None:
    week = 7 * DAY
    ramp = noisy(2 * week, factors=lambda n: (1.0, 1 + 0.3 * max(0, n - week) / week, 1.0))
    _, found = watched(ramp)
    assert found
    assert all(isinstance(each, Shift) and each.stage == "llm_decode" for each in found)


def test_what_lasts_a_week_is_the_new_normal() -> None:
    at, week = TWO_DAYS, 7 * DAY
    runs = list(noisy(at + week + 100, factors=step(at, 1.4)))
    monitor, found = watched(runs[:-150])
    assert len(found) == 1
    assert monitor.verdict().state == "slower"
    assert watched(runs[-150:], monitor)[1] == []
    assert monitor.verdict().state == "stable"


@pytest.mark.parametrize("seed", range(2))
def test_spikes_are_no_drift(seed: int) -> None:
    _, found = watched(spiked(noisy(3 * TWO_DAYS, seed), seed, share=0.05))
    assert found == []


@pytest.mark.parametrize("size", [0.02, 0.08])
def test_the_rhythm_of_the_day_is_no_drift(size: float) -> None:
    def rhythm(n: int) -> list[float]:
        return [1 + size * math.sin(2 * math.pi * n / DAY)] * 3

    monitor, found = watched(noisy(5 * DAY, factors=rhythm))
    assert found == []
    assert monitor.verdict().state == "stable"


def test_a_level_that_wanders_for_weeks_is_no_row_of_changes() -> None:
    rng, level, wander = random.Random(7), 0.0, []
    for _ in range(28 * DAY):
        level = 0.97 * level + rng.gauss(0, 0.015 * math.sqrt(1 - 0.97**2))
        wander.append(math.exp(level))
    _, found = watched(noisy(28 * DAY, factors=lambda n: [wander[n]] * 3))
    assert sum(each.since / 1e9 > START_S + 7 * 86_400 for each in found) <= 1


def day_of(found: Change) -> int:
    return int((found.since / 1e9 - START_S) // 86_400)


def test_what_happens_every_night_is_reported_in_the_first() -> None:
    def job(minute: int) -> list[float]:
        return [1.4 if 3.0 <= minute / 60 % 24 < 3.7 else 1.0] * 3

    _, found = watched(noisy(12 * 1440, factors=job, every_s=60))
    assert [day_of(each) for each in found] == [0]


def test_weekends_are_usual_in_the_end() -> None:
    def office(n: int) -> list[float]:
        hour = 24 * n / DAY
        return [1.12 if 8.5 <= hour % 24 < 17.5 and hour % 168 < 120 else 1.0] * 3

    _, found = watched(noisy(29 * DAY, factors=office))
    assert max(day_of(each) for each in found) < 15


def test_weekends_are_told_once_and_what_lasts_longer_is_told_then() -> None:
    """Two days of each week are faster; in the fourth week it stays so."""

    def weekend(n: int) -> list[float]:
        return [0.92 if n // DAY % 7 >= 5 or n >= 26 * DAY else 1.0] * 3

    _, found = watched(noisy(32 * DAY, factors=weekend))
    days = [(each.found / 1e9 - START_S) / 86_400 for each in found if isinstance(each, Shift)]
    assert len(days) == 2
    assert 5 <= days[0] < 5.5
    assert 27 < days[1] < 31


def test_calibration_finds_a_threshold_and_says_how_it_did_in_the_time_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six hours on two days of the first two thirds are slow, and come and go; the days after are quiet."""
    monkeypatch.setattr("probe.drift.threshold.LADDER", (7.0, 20.0))
    slow = [day * 96 + 30 for day in (4, 6)]

    def factors(n: int) -> list[float]:
        return [1.2 if any(at <= n < at + 24 for at in slow) else 1.0] * 3

    fill(tmp_path, noisy(12 * 96, factors=factors, every_s=900))
    found = json.loads(drift(tmp_path, "--calibrate", "--target", "spark", "--json", "--budget", "3").stdout)
    (series,) = found["series"]
    assert (series["days"], round(series["held_out_days"]), series["held_out_alarms"]) == (8, 4, 0)
    assert 0 < series["thresholds"][f"{found['threshold']}"] <= 10
    result = drift(tmp_path, "--calibrate", "--budget", "30")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "spark, joke, false alarms in 30 days by threshold:"
    said = " ".join(lines)
    assert "Chosen on the first 8 days. In the 4 days after them 20 has 0 false alarms." in said
    assert "No threshold is enough" in said
    assert "Fewer than 14 days" in said
    assert lines[-2:] == ["[drift]", "threshold = 20.0"]


def test_calibration_wants_more_than_a_week(tmp_path: Path) -> None:
    fill(tmp_path, noisy(5 * 96, every_s=900))
    result = drift(tmp_path, "--calibrate")
    assert result.exit_code == 2
    assert "in 5 days are too few: 9 days" in result.stderr
