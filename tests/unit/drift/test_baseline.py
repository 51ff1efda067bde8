"""What a run should take: the rhythm of the day, and what is none."""

from collections.abc import Callable

from probe.drift.baseline import Baseline

RUNS = 12


def learnt(days: int, value: Callable[[float], float]) -> Baseline:
    """After so many days; `value` is the logarithm of a run's latency, by the hours since the beginning."""
    baseline = Baseline()
    for number in range(days * 24 * RUNS + 1):
        baseline.add(number // RUNS, value(number / RUNS), 0.0)
    return baseline


def shares(baseline: Baseline) -> list[float]:
    return [baseline.usual(hour) for hour in range(24)]


def unsure(baseline: Baseline) -> list[float]:
    return [baseline.unsure(hour) for hour in range(24)]


def test_what_lasts_for_half_of_an_hour_makes_that_hour_unsure_and_no_other() -> None:
    """The hour's share is half of it, and each run has all of it or nothing."""
    found = unsure(learnt(5, lambda at: 0.3 if at % 24 < 0.5 else 0.0))
    assert found[0] > 0.1
    assert max(found[1:]) < 0.01


def test_what_lasts_for_hours_makes_none_of_them_unsure() -> None:
    assert max(unsure(learnt(5, lambda at: 0.3 if at % 24 < 4 else 0.0))) < 0.01


def test_a_level_that_rises_for_days_has_no_rhythm() -> None:
    """A tenth a day: the first day alone looks like one, and is forgotten."""
    rising = [max(map(abs, shares(learnt(days, lambda at: 0.1 * at / 24)))) for days in (1, 2, 5)]
    assert rising[0] > 0.04
    assert rising[1] < 0.03
    assert rising[2] < 0.015


def test_a_level_that_rises_is_expected_to_go_on_at_midnight() -> None:
    """Were the half days at its ends a part of the rhythm, it would fall there."""
    for days in (2, 3, 5):
        found = shares(learnt(days, lambda at: 0.1 * at / 24))
        assert abs(found[0] - found[-1]) < 0.01


def test_of_a_rhythm_that_was_seen_once_all_is_unsure() -> None:
    found = learnt(1, lambda at: 0.05 if at % 24 < 12 else 0.0)
    assert min(unsure(found)) >= max(map(abs, shares(found))) > 0.02


def test_if_the_first_day_has_no_rhythm_its_last_hour_is_as_its_first() -> None:
    """A level that rose is then expected too low by all that it rose."""
    found = learnt(1, lambda at: 0.06 * at / 24)
    assert min(unsure(found)) >= max(shares(found)) - min(shares(found)) > 0.05
