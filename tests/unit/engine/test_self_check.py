"""Doubts about our own measurement: a loop that was late, a collection that took long."""

import asyncio
import contextlib
import gc
from dataclasses import dataclass, replace
from typing import Any

import pytest

from probe.clock import AnchoredClock
from probe.config import ScenarioConfig, TargetConfig
from probe.engine.self_check import TICK_S, Watch
from probe.measures import outcome
from probe.plan import new_plan
from probe.record import Chunk, RunRecord, Turn
from probe.tolerance import Tolerance

TOLERANCE = Tolerance(max_lag_ms=20.0, max_delay_ms=100.0)
PLAN = new_plan(TargetConfig().record("local"), ScenarioConfig().record("default"))


@dataclass
class StallingClock:
    """The virtual loop's time; `stalled` nanoseconds passed while the loop did not get round to anything."""

    inner: Any
    stalled: int = 0

    def now(self) -> int:
        return int(self.inner.now()) + self.stalled


def watched(virtual: Any, *stalls_ms: float, max_lag_ms: float = 20.0, after_ms: float = 0.0) -> RunRecord:
    clock = StallingClock(virtual.clock)

    async def go() -> RunRecord:
        with Watch(clock, Tolerance(max_lag_ms, 100.0)) as watch:
            started = clock.now()
            for stall in stalls_ms:
                await asyncio.sleep(0.05)
                clock.stalled += round(stall * 1e6)
            await asyncio.sleep(0.05)
            ended = clock.now()
            clock.stalled += round(after_ms * 1e6)
        return watch.judge(RunRecord(PLAN, started, ended, unstamped=1))

    record: RunRecord = virtual.run(go())
    return record


def test_a_loop_in_time_leaves_no_doubt(virtual: Any) -> None:
    assert watched(virtual, 0, 15).doubts == ()


@pytest.mark.parametrize("after_tick_ms", [0.0, 0.3, 1.0, 1.9])
def test_no_stall_over_the_limit_goes_unseen_wherever_it_begins(virtual: Any, after_tick_ms: float) -> None:
    """The loop was last seen alive before the stall began: what lies between counts as stalled."""
    clock = StallingClock(virtual.clock)

    async def go() -> RunRecord:
        with Watch(clock, TOLERANCE) as watch:
            started = clock.now()
            await asyncio.sleep(0.05 + after_tick_ms / 1000)
            clock.stalled += 20_100_000
            await asyncio.sleep(0.05)
            return watch.judge(RunRecord(PLAN, started, clock.now(), unstamped=1))

    assert virtual.run(go()).doubts != ()


def test_a_frame_waits_for_two_rounds_of_the_loop(virtual: Any) -> None:
    """It came while the loop did something long, and the loop did something long before it with the next frame."""
    clock = StallingClock(virtual.clock)
    loop = virtual.loop

    def stall() -> None:
        clock.stalled += 12_000_000

    async def go() -> RunRecord:
        with Watch(clock, TOLERANCE) as watch:
            started = clock.now()
            await asyncio.sleep(0.05)
            loop.call_soon(stall)
            loop.call_soon(loop.call_soon, stall)
            await asyncio.sleep(0.05)
            return watch.judge(RunRecord(PLAN, started, clock.now(), unstamped=1))

    assert virtual.run(go()).doubts != ()


def test_many_watches_cost_one_tick(virtual: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "callbacks", [])

    async def go() -> int:
        loop = asyncio.get_running_loop()
        scheduled = 0
        call_later = loop.call_later

        def counting(*arguments: Any) -> Any:
            nonlocal scheduled
            scheduled += 1
            return call_later(*arguments)

        monkeypatch.setattr(loop, "call_later", counting)
        with Watch(virtual.clock, TOLERANCE), Watch(virtual.clock, TOLERANCE), Watch(virtual.clock, TOLERANCE):
            assert len(gc.callbacks) == 1
            await asyncio.sleep(0.1)
        return scheduled

    assert virtual.run(go()) <= 0.1 / TICK_S + 3
    assert gc.callbacks == []


@dataclass
class CountingClock:
    """The virtual loop's time, `ahead` nanoseconds of it; counts how often it was asked."""

    inner: Any
    ahead: int = 0
    asked: int = 0

    def now(self) -> int:
        self.asked += 1
        return int(self.inner.now()) + self.ahead


def test_a_tick_asks_no_watch_for_the_time(virtual: Any) -> None:
    """With hundreds of them, each late tick would make the next one later."""
    clocks = [CountingClock(virtual.clock) for _ in range(5)]

    async def go() -> list[int]:
        with contextlib.ExitStack() as stack:
            for clock in clocks:
                stack.enter_context(Watch(clock, TOLERANCE))
            before = [clock.asked for clock in clocks]
            await asyncio.sleep(0.1)
            return [clock.asked - asked for clock, asked in zip(clocks, before, strict=True)]

    first, *others = virtual.run(go())
    assert first >= 0.1 / TICK_S
    assert others == [0, 0, 0, 0]


@pytest.mark.parametrize("ahead_s", [-3600, 3600])
def test_a_stall_is_where_it_was_by_the_clock_of_each_run(virtual: Any, ahead_s: int) -> None:
    """Each run has a wall anchor of its own, and the wall clock may have been set between two of them."""
    one = StallingClock(virtual.clock)
    other = CountingClock(one, ahead_s * 10**9)

    async def go() -> tuple[RunRecord, RunRecord]:
        with Watch(one, TOLERANCE), Watch(other, TOLERANCE) as watch:
            started = other.now()
            await asyncio.sleep(0.05)
            calm = other.now()
            one.stalled += 50_000_000
            await asyncio.sleep(0.05)
            before = RunRecord(PLAN, started, calm, unstamped=1)
            all_of_it = RunRecord(PLAN, started, other.now(), unstamped=1)
            return watch.judge(before), watch.judge(all_of_it)

    before, all_of_it = virtual.run(go())
    assert before.doubts == ()
    (doubt,) = all_of_it.doubts
    assert doubt.startswith("event-loop lag of 5")


def test_every_run_that_goes_on_is_doubted_and_none_that_begins_later(virtual: Any) -> None:
    clock = StallingClock(virtual.clock)

    def whole(watch: Watch, started: int) -> tuple[str, ...]:
        return watch.judge(RunRecord(PLAN, started, clock.now(), unstamped=1)).doubts

    async def go() -> list[tuple[str, ...]]:
        with Watch(clock, TOLERANCE) as one, Watch(clock, TOLERANCE) as other:
            started = clock.now()
            await asyncio.sleep(0.05)
            clock.stalled += 50_000_000
            with Watch(clock, TOLERANCE) as late:
                begun = clock.now()
                await asyncio.sleep(0.05)
                return [whole(one, started), whole(other, started), whole(late, begun)]

    one, other, late = virtual.run(go())
    assert one == other != ()
    assert late == ()


def test_a_loop_that_was_late_makes_the_run_suspect(virtual: Any) -> None:
    record = watched(virtual, 30, 90)
    (doubt,) = record.doubts
    assert doubt.startswith("event-loop lag of 9") and "limit 20 ms" in doubt
    assert outcome(record) == "suspect"


def test_the_limit_is_the_users(virtual: Any) -> None:
    assert watched(virtual, 90, max_lag_ms=100).doubts == ()


def test_what_happens_after_the_last_timestamp_is_no_doubt(virtual: Any) -> None:
    assert watched(virtual, after_ms=500).doubts == ()


def test_a_stall_while_connecting_is_part_of_no_measure(virtual: Any) -> None:
    """Such as reading the certificates for TLS, once."""
    clock = StallingClock(virtual.clock)

    async def go(asks_after_s: float) -> RunRecord:
        with Watch(clock, TOLERANCE) as watch:
            started = clock.now()
            await asyncio.sleep(0.05)
            clock.stalled += 50_000_000
            await asyncio.sleep(0.05)
            asked = Chunk(1, started + round(asks_after_s * 1e9))
            return watch.judge(RunRecord(PLAN, started, clock.now(), turns=(Turn(1, "Hello?", (asked,)),), unstamped=1))

    assert virtual.run(go(0.12)).doubts == ()
    assert virtual.run(go(0.04)).doubts != ()


def test_a_stall_that_ends_with_the_run_is_seen(virtual: Any) -> None:
    clock = StallingClock(virtual.clock)

    async def go() -> RunRecord:
        with Watch(clock, TOLERANCE) as watch:
            started = clock.now()
            await asyncio.sleep(0.05)
            clock.stalled += 50_000_000
            ended = clock.now()
        return watch.judge(RunRecord(PLAN, started, ended, unstamped=1))

    assert virtual.run(go()).doubts != ()


def test_a_long_collection_makes_the_run_suspect(virtual: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gc, "callbacks", [])
    clock = StallingClock(virtual.clock)

    async def go() -> RunRecord:
        with Watch(clock, TOLERANCE) as watch:
            started = clock.now()
            (callback,) = gc.callbacks
            callback("start", {})
            clock.stalled += 25_000_000
            callback("stop", {})
            await asyncio.sleep(0.1)
            return watch.judge(RunRecord(PLAN, started, clock.now(), unstamped=1))

    doubts = virtual.run(go()).doubts
    assert "garbage collection of 25 ms, and arrivals without a stamp (limit 20 ms)" in doubts
    assert gc.callbacks == []


def test_a_failure_outweighs_the_doubt(virtual: Any) -> None:
    record = replace(watched(virtual, 90), skipped="busy")
    assert outcome(record) == "skipped"


def test_a_stall_is_in_no_figure_where_all_arrivals_are_stamped(virtual: Any) -> None:
    record = watched(virtual, 90)
    assert record.doubts != ()
    clock = StallingClock(virtual.clock)

    async def go() -> RunRecord:
        with Watch(clock, TOLERANCE) as watch:
            started = clock.now()
            await asyncio.sleep(0.05)
            clock.stalled += 90_000_000
            await asyncio.sleep(0.05)
            return watch.judge(RunRecord(PLAN, started, clock.now()))

    assert virtual.run(go()).doubts == ()


def held_up(first_ms: float, next_ms: float) -> tuple[str, ...]:
    """A turn of two chunks, whose texts the probe passes on so late; everything is stamped."""
    late = first_ms + next_ms

    def at(after_ms: float) -> int:
        return round(after_ms * 1e6)

    one = Chunk(
        1, at(1), llm_done=at(100), tts_text_sent=at(100 + first_ms), tts_first_audio=at(200 + first_ms),
        tts_last_audio=at(200 + first_ms), tts_segment_done=at(300 + first_ms), segment_end="marker",
    )  # fmt: skip
    two = Chunk(
        2, at(300 + first_ms), llm_done=at(400 + first_ms), tts_text_sent=at(400 + late), tts_first_audio=at(500 + late)
    )
    watch = Watch(AnchoredClock.anchored_now(), TOLERANCE)
    return watch.judge(RunRecord(PLAN, 0, at(900), turns=(Turn(1, "Hello?", (one, two)),))).doubts


def test_what_is_taken_off_is_believed_up_to_a_limit() -> None:
    assert held_up(99, 0) == held_up(0, 99) == held_up(60, 60) == ()
    assert held_up(140, 0) == held_up(0, 140) == ("turn 1: the probe held up a sound for 140 ms (limit 100 ms)",)
