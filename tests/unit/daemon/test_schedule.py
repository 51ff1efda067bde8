"""What runs when, on a clock that the test moves."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from apscheduler.schedulers import base as apscheduler_base
from targets import with_server

from probe.config import ScenarioConfig, TargetConfig
from probe.daemon.schedule import Entry, Schedule
from probe.daemon.timing import Timing, moments

START = datetime(2026, 11, 22, 12, 0, 7, tzinfo=UTC)


@dataclass
class World:
    """A wall clock that may be set, time that passes, and who listens to the schedule."""

    loop: Any
    set_by: float = 0.0
    slept: float = 0.0
    run_s: float | Callable[[str], float] = 5.0
    runs: list[tuple[str, float, float]] = field(default_factory=list)
    skips: list[tuple[str, float]] = field(default_factory=list)
    misses: list[tuple[str, int]] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    going: set[str] = field(default_factory=set)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed() + self.set_by)

    def elapsed(self) -> float:
        return float(self.loop.time()) + self.slept

    def since(self, at: float) -> float:
        return round(at - START.timestamp() - self.set_by, 3)

    async def due(self, entry: Entry, at: float) -> None:
        self.runs.append((entry.name, self.since(at), round(self.elapsed(), 3)))
        assert entry.target.name not in self.going
        self.going.add(entry.target.name)
        await asyncio.sleep(self.run_s if isinstance(self.run_s, float) else self.run_s(entry.name))
        self.going.remove(entry.target.name)

    async def skipped(self, entry: Entry, at: float) -> None:
        self.skips.append((entry.name, self.since(at)))

    def missed(self, entry: Entry, runs: int) -> None:
        self.misses.append((entry.name, runs))

    def stepped(self, seconds: float) -> None:
        self.steps.append(seconds)


@pytest.fixture
def world(virtual: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(virtual.loop)

    class MovedClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return world.now().astimezone(tz)

    monkeypatch.setattr(apscheduler_base, "datetime", MovedClock)
    return world


def entry(name: str = "a", *, target: str | None = None, **timing: Any) -> Entry:
    return Entry(
        name,
        TargetConfig().record(target or name),
        ScenarioConfig().record("default"),
        Timing(**{"every_s": 60.0, "phase_s": 0.0} | timing),
    )


def play(
    virtual: Any,
    world: World,
    *entries: Entry,
    seconds: float,
    parallel: bool = False,
    then: Iterator[Any] | None = None,
) -> Schedule:
    """Run a schedule; `then` yields how long to wait before each of its steps."""

    async def go() -> Schedule:
        schedule = Schedule(world, world.now, world.elapsed)
        schedule.start(entries, parallel=parallel)
        for pause in then or ():
            if isinstance(pause, float):
                await asyncio.sleep(pause)
            else:
                pause(schedule)
        await asyncio.sleep(seconds)
        await schedule.stop(100)
        return schedule

    schedule: Schedule = virtual.run(go())
    return schedule


def test_the_first_run_is_at_start_then_every_interval(virtual: Any, world: World) -> None:
    play(virtual, world, entry(), seconds=200)
    assert world.runs == [("a", 0, 0), ("a", 60, 60), ("a", 120, 120), ("a", 180, 180)]
    assert (world.skips, world.misses) == ([], [])


def test_phases_keep_targets_apart(virtual: Any, world: World) -> None:
    play(virtual, world, entry("a"), entry("b", phase_s=20), entry("c", phase_s=40), seconds=170)
    assert [(name, due) for name, due, _ in world.runs[3:]] == [
        ("c", 40), ("a", 60), ("b", 80), ("c", 100), ("a", 120), ("b", 140), ("c", 160)
    ]  # fmt: skip
    assert all(due == at for _, due, at in world.runs[3:])


def test_one_run_at_a_time_and_the_wait_is_delay(virtual: Any, world: World) -> None:
    play(virtual, world, entry("a"), entry("b"), seconds=61)
    assert world.runs == [("a", 0, 0), ("b", 0, 5), ("a", 60, 60), ("b", 60, 65)]


def test_targets_in_parallel_where_configured_but_never_one_target_twice(virtual: Any, world: World) -> None:
    play(virtual, world, entry("a"), entry("b"), entry("c", target="a"), seconds=10, parallel=True)
    assert sorted(world.runs) == [("a", 0, 0), ("b", 0, 0), ("c", 0, 5)]


def test_a_run_that_is_still_going_skips_the_next(virtual: Any, world: World) -> None:
    world.run_s = 70.0
    play(virtual, world, entry(), seconds=130)
    assert [due for _, due, _ in world.runs] == [0, 120]
    assert world.skips == [("a", 60)]
    assert world.misses == []


def test_runs_that_a_sleeping_machine_missed_are_counted(virtual: Any, world: World) -> None:
    def sleep(_schedule: Schedule) -> None:
        world.slept += 600

    play(virtual, world, entry(), seconds=60, then=iter([65.0, sleep, 1.0, Schedule.tick]))
    assert world.runs[2:] == [("a", 660, 666), ("a", 720, 720)]
    assert world.misses == [("a", 9)]


@pytest.mark.parametrize("step", [3600.0, -3600.0, 86400.0 * 365])
def test_a_wall_clock_that_is_set_changes_no_interval(virtual: Any, world: World, step: float) -> None:
    def set_clock(_schedule: Schedule) -> None:
        world.set_by += step

    play(virtual, world, entry(), seconds=120, then=iter([65.0, set_clock, 1.0, Schedule.tick]))
    assert [at for _, _, at in world.runs] == [0, 60, 120, 180]
    assert world.misses == []
    assert world.steps == [pytest.approx(step)]


def test_a_step_is_noticed_before_it_makes_a_run_late(virtual: Any, world: World) -> None:
    def set_clock(_schedule: Schedule) -> None:
        world.set_by += 3600

    play(virtual, world, entry(), seconds=60, then=iter([65.0, set_clock]))
    assert world.misses == []
    assert [at for _, _, at in world.runs] == [0, 60, 120]


def test_cron_is_utc_and_follows_the_wall_clock(virtual: Any, world: World) -> None:
    def set_clock(schedule: Schedule) -> None:
        world.set_by += 30
        schedule.look_at_the_clock()

    play(virtual, world, entry(cron="*/1 * * * *", phase_s=3), seconds=60, then=iter([70.0, set_clock]))
    assert [at for _, _, at in world.runs] == [0, 56, 86]
    assert world.misses == []


def test_a_reload_keeps_the_beat_of_what_stays(virtual: Any, world: World) -> None:
    def reload(schedule: Schedule) -> None:
        schedule.replace([entry("a"), entry("c")], parallel=False)

    play(virtual, world, entry("a"), entry("b", phase_s=30), seconds=110, then=iter([20.0, reload]))
    assert world.runs == [
        ("a", 0, 0),
        ("b", 0, 5),
        ("c", 20, 20),
        ("a", 60, 60),
        ("c", 60, 65),
        ("a", 120, 120),
        ("c", 120, 125),
    ]


def test_what_measures_something_else_runs_at_once_but_never_beside_its_old_self(virtual: Any, world: World) -> None:
    def reload(schedule: Schedule) -> None:
        changed = entry("a")
        schedule.replace([replace(changed, target=with_server(changed.target, "tts", voice="leo"))], parallel=False)

    play(virtual, world, entry("a"), seconds=60, then=iter([2.0, reload]))
    assert [at for _, _, at in world.runs] == [0, 5, 60]
    assert world.skips == []


def test_what_waits_for_its_turn_and_is_gone_with_a_reload_does_not_run(virtual: Any, world: World) -> None:
    def reload(schedule: Schedule) -> None:
        schedule.replace(
            [entry("a"), entry("b", every_s=50), replace(entry("c"), target=entry("d").target)], parallel=False
        )

    entries = [entry(name) for name in ("a", "b", "c", "e")]
    play(virtual, world, *entries, seconds=30, then=iter([2.0, reload]))
    assert world.runs == [("a", 0, 0), ("b", 0, 5), ("c", 2, 10)]


def test_another_timing_alone_is_no_reason_to_run(virtual: Any, world: World) -> None:
    def reload(schedule: Schedule) -> None:
        schedule.replace([entry("a", every_s=50, phase_s=10)], parallel=False)

    play(virtual, world, entry("a"), seconds=100, then=iter([20.0, reload]))
    assert [at for _, _, at in world.runs] == [0, 60, 110]
    assert (world.skips, world.misses) == ([], [])


def test_the_end_waits_for_what_is_going(virtual: Any, world: World) -> None:
    play(virtual, world, entry(), seconds=62)
    assert virtual.loop.time() == pytest.approx(65)
    assert not world.going


def test_the_end_cancels_what_does_not_end(virtual: Any, world: World) -> None:
    async def go() -> None:
        world.run_s = 1000.0
        schedule = Schedule(world, world.now, world.elapsed)
        schedule.start([entry("a"), entry("b")], parallel=False)
        await asyncio.sleep(1)
        await schedule.stop(7)

    virtual.run(go())
    assert virtual.loop.time() == pytest.approx(8)
    assert world.runs == [("a", 0, 0)]


def test_what_is_overdue_and_what_is_going_can_be_asked(virtual: Any, world: World) -> None:
    async def go() -> tuple[float, float, Any]:
        schedule = Schedule(world, world.now, world.elapsed)
        schedule.start([entry()], parallel=False)
        await asyncio.sleep(3)
        found = schedule.overdue_s(), schedule.going_s(), schedule.next_due()
        await schedule.stop(100)
        return found

    assert virtual.run(go()) == (0.0, pytest.approx(3), START + timedelta(seconds=60))


def test_runs_that_wait_for_one_another_are_not_one_that_takes_long(virtual: Any, world: World) -> None:
    """However many a scrape asks for: the watchdog would end a daemon that only has much to do."""

    async def go() -> list[float]:
        schedule = Schedule(world, world.now, world.elapsed)
        schedule.start([entry()], parallel=False)

        async def run() -> None:
            await asyncio.sleep(5.0)

        asked = [asyncio.ensure_future(schedule.between(entry("b"), run)) for _ in range(4)]
        found = []
        for _ in range(24):
            await asyncio.sleep(1.0)
            found.append(schedule.going_s())
        await asyncio.wait(asked)
        await schedule.stop(100)
        return [*found, schedule.going_s()]

    found = virtual.run(go())
    assert max(found) == pytest.approx(5) and found[-1] == 0


def test_an_interval_never_names_the_moment_it_was_given() -> None:
    due = moments(Timing(every_s=0.1), START, START)
    moment = START
    for _ in range(1000):
        later = due.after(moment)
        assert later > moment
        moment = later
    assert moment == START + timedelta(seconds=100)
