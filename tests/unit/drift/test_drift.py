"""Drift: what is found in constructed series, when, and what is not."""

import math
import random
from dataclasses import replace
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series import DAY, EVERY_S, PARTS_MS, SERVED, START_S, noisy, point, spiked, step, watched

from probe.drift import ENOUGH, Change, Monitor, ServingChange, Shift
from probe.drift.series import Point
from probe.drift.wording import plain, sentence

TWO_DAYS = 2 * DAY


def number(at: int) -> int:
    """Of the run that started then."""
    return round((at / 1e9 - START_S) / EVERY_S)


def test_too_little_is_said_to_be_too_little() -> None:
    monitor, found = watched(noisy(ENOUGH))
    assert (monitor.verdict().state, monitor.verdict().now, found) == ("learning", (), [])
    watched([point(ENOUGH)], monitor)
    assert monitor.verdict().state == "stable"


def test_a_series_of_equal_runs_never_drifts() -> None:
    monitor, found = watched(point(each) for each in range(TWO_DAYS))
    assert found == []
    verdict = monitor.verdict()
    assert (verdict.state, verdict.drift) == ("stable", None)
    assert [each.ratio for each in verdict.now] == pytest.approx([1.0] * 4)


def test_a_step_is_found_dated_and_blamed_on_its_stage() -> None:
    at = TWO_DAYS + 30
    monitor, found = watched(noisy(at + 120, factors=step(at, 1.3)))
    (shift,) = found
    assert isinstance(shift, Shift)
    assert (shift.direction, shift.stage) == ("slower", "tts_ttfb")
    assert abs(number(shift.since) - at) <= 2
    assert number(shift.found) - at < 12
    assert shift.confidence > 0.999
    verdict = monitor.verdict()
    assert (verdict.state, verdict.drift and verdict.drift.since) == ("slower", shift.since)
    now = {each.stage: each for each in verdict.now}
    assert now["tts_ttfb"].ratio == pytest.approx(1.3, abs=0.03)
    assert now["combined_ttfb"].added_ms == pytest.approx(0.3 * PARTS_MS[2], rel=0.2)
    assert (now["tts_ttfb"].certain, now["llm_ttft"].certain) == (True, False)


def test_the_runs_on_either_side_are_named() -> None:
    at = TWO_DAYS + 30
    _, (shift,) = watched(noisy(at + 60, factors=step(at, 1.4)))
    assert isinstance(shift, Shift)
    assert len(shift.before) == len(shift.after) == 5
    assert shift.before[-1] < shift.after[0]
    assert [number(shift.since)] == [int(shift.after[0][1:])]


def test_an_improvement_is_reported_too() -> None:
    at = TWO_DAYS + 30
    monitor, (shift,) = watched(noisy(at + 120, factors=step(at, 0.75, stage=1)))
    assert isinstance(shift, Shift)
    assert (shift.direction, shift.stage, monitor.verdict().state) == ("faster", "llm_decode", "faster")


def test_a_ramp_over_a_day_is_found_within_it() -> None:
    at = TWO_DAYS
    _, found = watched(noisy(at + DAY, factors=lambda n: (1.0, 1.0, 1 + 0.3 * max(0, n - at) / DAY)))
    assert found
    assert all(isinstance(each, Shift) and each.stage == "tts_ttfb" and each.direction == "slower" for each in found)


def test_what_comes_back_is_over() -> None:
    at = TWO_DAYS + 100
    monitor, found = watched(noisy(at + 800, factors=step(at, 1.3, until=at + 400)))
    assert [each.direction for each in found if isinstance(each, Shift)] == ["slower"]
    assert monitor.verdict().state == "stable"
    first = monitor.changes[0]
    assert isinstance(first, Shift)
    assert first.until is not None
    assert abs(number(first.until) - (at + 400)) <= 5


def test_a_part_of_the_way_back_is_no_news_and_more_of_the_same_is() -> None:
    at = TWO_DAYS + 30
    levels = {at: 1.3, at + 150: 1.12, at + 300: 1.5, at + 450: 0.8}

    def factors(each: int) -> tuple[float, ...]:
        return (1.0, 1.0, next((level for began, level in reversed(levels.items()) if each >= began), 1.0))

    monitor, found = watched(noisy(at + 600, factors=factors))
    known = [(each.direction, round((number(each.since) - at) / 150)) for each in found if isinstance(each, Shift)]
    assert known == [("slower", 0), ("slower", 2), ("faster", 3)]
    first, _, third = monitor.changes
    assert isinstance(first, Shift)
    assert isinstance(third, Shift)
    assert (first.until, third.until) == (third.since, None)
    assert monitor.verdict().state == "faster"


def test_a_step_that_is_near_what_matters_is_told_once_and_stays() -> None:
    at = 2 * TWO_DAYS
    runs = list(noisy(at + 5 * DAY, seed=3, factors=lambda n: [1.045 if n >= at else 1.0] * 3))
    monitor, found = watched(runs[: at + 100])
    states = [monitor.verdict().state]
    for each in runs[at + 100 :]:
        found += [change] if (change := monitor.add(each)) else []
        states.append(monitor.verdict().state)
    assert len(found) == 1
    assert set(states) == {"slower"}


@pytest.mark.parametrize("factor", [1.5, 3.0])
def test_ten_slow_runs_in_a_row_are_contention_and_fourteen_and_more_are_not(factor: float) -> None:
    at = TWO_DAYS + 200

    def burst(runs: int) -> list[Change]:
        slowed = ([factor] * 3 if at <= n < at + runs else [1.0] * 3 for n in range(at + 200))
        factors = list(slowed)
        return watched(noisy(at + 200, factors=lambda n: factors[n]))[1]

    assert burst(10) == []
    assert len(burst(200)) == 1


def test_an_incident_of_hours_is_reported_and_blinds_nobody_afterwards() -> None:
    incident, at = 4 * DAY, 6 * DAY + 30

    def factors(each: int) -> tuple[float, ...]:
        return (1.0, 1.0, 1.3 if incident <= each < incident + 48 or each >= at else 1.0)

    _, found = watched(noisy(at + 60, factors=factors))
    first, second = found
    assert isinstance(first, Shift)
    assert isinstance(second, Shift)
    assert (first.direction, second.direction) == ("slower", "slower")
    assert number(second.found) - at < 16


def test_what_all_stages_do_and_undo_is_reported_once_and_a_step_of_one_of_them_is_found_all_the_same() -> None:
    spells, at = (3 * DAY + 50, 5 * DAY + 130, 6 * DAY + 10), 6 * DAY + 200

    def factors(each: int) -> tuple[float, ...]:
        busy = 1.15 if any(spell <= each < spell + 36 for spell in spells) else 1.0
        return (busy, busy, busy * (1.3 if each >= at else 1.0))

    _, found = watched(noisy(at + 60, factors=factors))
    first, second = (each for each in found if isinstance(each, Shift))
    assert abs(number(first.since) - spells[0]) <= 2
    assert (abs(number(second.since) - at) <= 2, second.stage) == (True, "tts_ttfb")
    assert number(second.found) - at < 12


def test_what_has_gone_within_a_day_is_one_change_that_has_ended() -> None:
    at = TWO_DAYS + 30
    monitor, found = watched(noisy(at + 150, factors=step(at, 1.3, until=at + 60)))
    assert len(found) == 1
    (incident,) = monitor.changes
    assert isinstance(incident, Shift)
    assert incident.until is not None
    assert abs(number(incident.until) - (at + 60)) <= 2
    assert monitor.verdict().state == "stable"
    assert plain(incident)["until"] > plain(incident)["since"]  # type: ignore[operator]  # ISO texts both


def test_small_changes_in_a_row_are_one_that_is_large_enough() -> None:
    def growing(each: int) -> tuple[float, ...]:
        return (1 + 0.05 * max(0, each - TWO_DAYS) // 24 * 24 / DAY,) * 3

    _, found = watched(noisy(2 * TWO_DAYS, scatter=0.005, factors=growing))
    assert found
    assert all(isinstance(each, Shift) and each.direction == "slower" for each in found)
    assert all(each.ratio > 1.03 for shift in found[:1] if isinstance(shift, Shift) for each in shift.moved)


def test_what_was_crowded_is_forgotten_with_what_served() -> None:
    other = replace(SERVED, llm="model b2")
    before = list(noisy(TWO_DAYS, factors=lambda n: [1.6 if n >= TWO_DAYS - 14 and n % 2 else 1.0] * 3))
    after = [replace(each, serving=other) for each in noisy(TWO_DAYS + 90)][TWO_DAYS:]
    _, found = watched([*before, *after])
    assert [type(each) for each in found] == [ServingChange]


def test_where_nothing_runs_at_night_small_changes_are_found_all_the_same() -> None:
    at = 7 * DAY + 130
    runs = (each for each in noisy(at + DAY, scatter=0.02, factors=lambda n: [1.05 if n >= at else 1.0] * 3))
    by_day = [each for each in runs if 7 <= (each.started / 1e9 - START_S) / 3600 % 24 < 22]
    (shift,) = watched(by_day)[1]
    assert isinstance(shift, Shift)
    assert abs(number(shift.since) - at) <= 10


def test_being_slow_every_other_time_is_no_contention_for_long() -> None:
    at = TWO_DAYS + 30
    runs = noisy(at + 100, factors=lambda n: [1.8 if n >= at and n % 2 else 1.0] * 3)
    found = watched(runs)[1]
    assert found
    assert isinstance(found[0], Shift)
    assert found[0].direction == "slower"
    assert abs(number(found[0].since) - at) <= 10


def test_gaps_and_runs_without_figures_change_nothing() -> None:
    at = TWO_DAYS + 30
    runs = [each for each in noisy(at + 60, factors=step(at, 1.4)) if not 300 < number(each.started) < 420]
    mixed = []
    for index, each in enumerate(runs):
        if index % 7 == 3:
            mixed.append(replace(each, run_id=f"s{index}", outcome="skipped", stages_ms=(None,) * 4))
        if index % 11 == 5:
            mixed.append(replace(each, run_id=f"d{index}", outcome="suspect", stages_ms=(9999.0,) * 4))
        mixed.append(each)
    (plain,), (interrupted,) = watched(runs)[1], watched(mixed)[1]
    assert isinstance(plain, Shift)
    assert isinstance(interrupted, Shift)
    assert (plain.since, plain.found, plain.stage) == (interrupted.since, interrupted.found, interrupted.stage)


def test_a_stage_that_is_missing_is_not_zero() -> None:
    runs = list(noisy(DAY))
    without = [replace(each, stages_ms=(*each.stages_ms[:3], None)) for each in runs]
    monitor, found = watched(without)
    assert found == []
    assert [each.stage for each in monitor.verdict().now] == ["combined_ttfb", "llm_ttft", "llm_decode"]


def test_cold_runs_are_kept_apart() -> None:
    runs = list(noisy(400))
    failed = replace(runs[200], outcome="failed", stages_ms=(None,) * 4)
    cold = replace(runs[201], stages_ms=tuple(10 * (ms or 0) for ms in runs[201].stages_ms))
    paused = [replace(each, started=each.started + 36000 * 10**9) for each in runs[300:]]
    monitor, found = watched([*runs[:200], failed, cold, *runs[202:300], *paused])
    verdict = monitor.verdict()
    assert found == []
    # The very first, the one after the failure, the one after a pause of hours.
    assert verdict.cold_runs == 3
    assert verdict.runs == 400 - 1 - 3


def test_runs_for_which_a_model_was_loaded_are_kept_apart() -> None:
    """As many in a row as would be a change, and far slower."""
    runs = list(noisy(400))
    slow = [replace(each, stages_ms=tuple(10 * (ms or 0) for ms in each.stages_ms)) for each in runs[200:260]]
    loading = [replace(each, cold=True) for each in slow]
    monitor, found = watched([*runs[:200], *loading, *runs[260:]])
    verdict = monitor.verdict()
    assert (found, verdict.state) == ([], "stable")
    assert (verdict.cold_runs, verdict.runs) == (61, 339)
    assert verdict.cold_ms == median(each.stages_ms[0] or 0 for each in loading[-25:])
    _, warm = watched([*runs[:200], *slow, *runs[260:]])
    assert warm != []


def test_a_schedule_of_hours_is_no_pause() -> None:
    monitor, _ = watched(noisy(80, every_s=3600))
    assert monitor.verdict().cold_runs == 1


def test_another_model_is_another_baseline_and_an_event_of_its_own() -> None:
    other = replace(SERVED, llm="model b2")
    before = list(noisy(TWO_DAYS))
    after = [replace(each, serving=other) for each in noisy(TWO_DAYS + 500, factors=lambda _n: [1.5] * 3)][TWO_DAYS:]
    monitor, found = watched([*before, *after[:30]])
    assert monitor.verdict().state == "learning"
    (change,) = found
    assert isinstance(change, ServingChange)
    assert (change.since, change.old, change.new) == (after[0].started, SERVED, other)
    _, more = watched(after[30:], monitor)
    assert more == []
    assert monitor.verdict().state == "stable"


def test_a_server_that_does_not_say_what_it_is_is_what_it_was() -> None:
    silent = replace(SERVED, llm="")
    runs = [replace(each, serving=silent if index % 3 else SERVED) for index, each in enumerate(noisy(300))]
    assert watched(runs)[1] == []


def test_a_slow_wander_of_the_first_day_is_taken_for_its_rhythm() -> None:
    _, found = watched(noisy(DAY, factors=lambda n: [1 + 0.05 * math.sin(2 * math.pi * n / DAY)] * 3))
    assert found == []


def test_a_large_step_is_found_on_the_first_day() -> None:
    _, found = watched(noisy(200, factors=step(150, 1.8)))
    assert [each.stage for each in found if isinstance(each, Shift)] == ["tts_ttfb"]


def test_the_state_is_a_function_of_the_runs() -> None:
    runs = list(spiked(noisy(TWO_DAYS + 700, factors=step(TWO_DAYS + 100, 1.25)), 5, 0.03))
    at_once, _ = watched(runs)
    in_two, _ = watched(runs[:400])
    in_two, _ = watched(runs[400:], in_two)
    again, _ = watched(runs)
    assert at_once.verdict() == in_two.verdict() == again.verdict()


@pytest.mark.parametrize("scale", [0.01, 1000.0])
def test_only_shares_matter(scale: float) -> None:
    at = TWO_DAYS + 50
    runs = list(noisy(at + 100, factors=step(at, 1.3)))
    scaled = [replace(each, stages_ms=tuple((ms or 0) * scale for ms in each.stages_ms)) for each in runs]
    (plain,), (larger,) = watched(runs)[1], watched(scaled)[1]
    assert isinstance(plain, Shift)
    assert isinstance(larger, Shift)
    assert (plain.since, plain.found, plain.stage) == (larger.since, larger.found, larger.stage)


@settings(deadline=None, max_examples=15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ok", "slow", "failed", "skipped", "suspect"]),
            st.lists(st.none() | st.floats(0, 1e7), min_size=4, max_size=4),
            st.integers(0, 90_000),
            st.sampled_from([SERVED, replace(SERVED, llm=""), replace(SERVED, config="1")]),
        ),
        max_size=400,
    )
)
def test_whatever_comes_it_never_breaks(runs: list[tuple[str, list[float | None], int, object]]) -> None:
    monitor = Monitor()
    at = START_S
    for index, (outcome, stages, gap, serving) in enumerate(runs):
        at += gap
        found = monitor.add(Point(str(index), at * 10**9, outcome, serving, tuple(stages)))  # type: ignore[arg-type]
        assert sentence(monitor.verdict())
        assert found is None or plain(found)["what"]


@pytest.mark.parametrize("values", [(100.0, 160.0), (100.0, 100.0, 110.0), (50.0, 400.0, *[50.0] * 8)])
def test_runs_of_several_kinds_are_no_drift(values: tuple[float, ...]) -> None:
    rng = random.Random(3)
    runs = [point(each, (180.0, 220.0, rng.choice(values))) for each in range(3 * TWO_DAYS)]
    assert watched(runs)[1] == []


@pytest.mark.parametrize("days", [-20_000, -60, -3, -1, 1, 3, 365])
@pytest.mark.parametrize("runs", [2, 30])
def test_a_clock_that_was_wrong_for_some_runs_spoils_nothing(days: int, runs: int) -> None:
    """A machine without a battery starts with another time, until it has been set: a step is found anyway."""
    off = days * 86_400 * 10**9
    slower = TWO_DAYS + runs + 2 * DAY
    series = [
        replace(each, started=each.started + off) if TWO_DAYS <= n < TWO_DAYS + runs else each
        for n, each in enumerate(noisy(slower + 60, factors=step(slower, 1.5)))
    ]
    monitor, _ = watched(series)
    assert monitor.verdict().state == "slower"
    found = [each for each in monitor.changes if isinstance(each, Shift)]
    assert abs(number(found[-1].since) - slower) <= 3
