"""The schedule of runs. APScheduler keeps the time; a run that was not started is counted as missed here."""

import asyncio
import logging
import math
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from probe.daemon.timing import Timing, Trigger, moments
from probe.plan import Scenario, Target

# A clock that is slewed moves less than this between two looks at it; one that is set moves more.
STEP_S = 1.0
CANCEL_TIMEOUT_S = 1.0

# Missed and skipped runs are counted here; what remains is an error of ours.
logging.getLogger("apscheduler").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario on one target, repeated."""

    name: str
    target: Target
    scenario: Scenario
    timing: Timing


class Listener(Protocol):
    """What the schedule calls: it does the runs and counts the others. Moments are seconds since the epoch."""

    async def due(self, entry: Entry, at: float) -> None:
        """Do the run that was due `at`. The next one on this target waits for it."""

    async def skipped(self, entry: Entry, at: float) -> None:
        """A run was due `at` while the previous one was in progress."""

    def missed(self, entry: Entry, runs: int) -> None:
        """This many runs were missed: the process, or the machine, slept."""

    def stepped(self, seconds: float) -> None:
        """The wall clock was set, by this many seconds."""


def now_utc() -> datetime:
    return datetime.now(UTC)


def boottime() -> float:
    """Seconds that really passed, those included in which the machine was suspended."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    # On macOS this one goes on meanwhile.
    return time.clock_gettime(time.CLOCK_MONOTONIC)


@dataclass(slots=True)
class _Planned:
    entry: Entry
    trigger: Trigger
    job: Any
    last_due: datetime | None = None


class _Scheduler(AsyncIOScheduler):  # type: ignore[misc]  # APScheduler has no types
    def __init__(self, look_at_the_clock: Callable[[], None]) -> None:
        super().__init__(timezone=UTC)
        self._look_at_the_clock = look_at_the_clock

    def wakeup(self) -> None:
        """A step must be known before it makes runs look late."""
        self._look_at_the_clock()
        super().wakeup()


class Schedule:
    """Runs never overlap on a target, nor at all unless `parallel`: the later one waits, and is late."""

    def __init__(
        self,
        listener: Listener,
        now: Callable[[], datetime] = now_utc,
        elapsed: Callable[[], float] = boottime,
    ) -> None:
        self._listener = listener
        self._now = now
        self._elapsed = elapsed
        self._parallel = False
        self._planned: dict[str, _Planned] = {}
        self._numbers = count(1)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # What is in progress, and since when; None where it waits for its turn.
        self._going: dict[asyncio.Task[Any], float | None] = {}
        self._scheduler = _Scheduler(self.look_at_the_clock)
        self._scheduler.add_listener(self._account, EVENT_JOB_SUBMITTED | EVENT_JOB_MAX_INSTANCES)
        self._start = now()
        self._seen = self._start, elapsed()

    def start(self, entries: Iterable[Entry], *, parallel: bool) -> None:
        """Begin, with a run of each entry at once. Needs the running loop."""
        self._start = self._now()
        self._seen = self._start, self._elapsed()
        self.replace(entries, parallel=parallel)
        self._scheduler.start()

    def replace(self, entries: Iterable[Entry], *, parallel: bool) -> None:
        """Continue with these entries. Entries that are new, or measure something else now, run at once.

        Those that stay as they are keep their times; where only the timing is another one, the next run follows it.
        """
        self._parallel = parallel
        wanted = {entry.name: entry for entry in entries}
        for job_id, planned in [*self._planned.items()]:
            old, new = planned.entry, wanted.get(planned.entry.name)
            if new == old:
                del wanted[old.name]
                continue
            self._scheduler.remove_job(job_id)
            del self._planned[job_id]
            if new is not None and (new.target, new.scenario) == (old.target, old.scenario):
                del wanted[old.name]
                due = moments(new.timing, self._start, self._start)
                self._add(new, Trigger(due), due.after(self._now()))
        for entry in wanted.values():
            now = self._now()
            self._add(entry, Trigger(moments(entry.timing, self._start, now)), now)

    async def stop(self, timeout_s: float) -> None:
        """Start nothing more and wait for runs in progress, which are cancelled after `timeout_s`."""
        self._scheduler.pause()
        if self._going:
            await asyncio.wait(self._going, timeout=timeout_s)
        left = [*self._going]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CANCEL_TIMEOUT_S)
        self._scheduler.shutdown(wait=False)

    async def between(self, entry: Entry, run: Callable[[], Awaitable[None]]) -> None:
        """Do a run that is not scheduled, when no other is in progress that it would overlap.

        May be cancelled while it waits for that.
        """
        async with self._turn(entry):
            await run()

    def next_due(self) -> datetime | None:
        """When the next run is due."""
        return min((planned.job.next_run_time for planned in self._planned.values()), default=None)

    def next_dues(self) -> dict[tuple[str, str], float]:
        """When each target and scenario is due next, in seconds since the epoch."""
        dues: dict[tuple[str, str], float] = {}
        for planned in self._planned.values():
            pair = planned.entry.target.name, planned.entry.scenario.name
            dues[pair] = min(dues.get(pair, math.inf), planned.job.next_run_time.timestamp())
        return dues

    def free_s(self) -> float:
        """For how long no run is due, in seconds; 0 while one takes place, or waits for another."""
        due = self.next_due()
        if self._going:
            return 0.0
        return math.inf if due is None else max(0.0, (due - self._now()).total_seconds())

    def overdue_s(self) -> float:
        """For how long a run has been due that was neither started nor skipped, in seconds."""
        due = self.next_due()
        return 0.0 if due is None else max(0.0, (self._now() - due).total_seconds())

    def going_s(self) -> float:
        """How long the oldest run has been in progress; runs that wait for their turn are not: any number may wait."""
        return max((self._elapsed() - began for began in self._going.values() if began is not None), default=0.0)

    def tick(self) -> None:
        """Call every second or so: the timers of a machine that slept, or whose clock was set, are late."""
        self.look_at_the_clock()
        if self.overdue_s() > STEP_S:
            self._scheduler.wakeup()

    def look_at_the_clock(self) -> None:
        """Keep the intervals if the wall clock was set: they continue unchanged."""
        wall, elapsed = self._now(), self._elapsed()
        step = (wall - self._seen[0]).total_seconds() - (elapsed - self._seen[1])
        self._seen = wall, elapsed
        if abs(step) > STEP_S:
            self._start += timedelta(seconds=step)
            self._listener.stepped(step)
            for planned in self._planned.values():
                self._move(planned, timedelta(seconds=step), wall)

    def _add(self, entry: Entry, trigger: Trigger, first: datetime) -> None:
        job_id = f"{entry.name} #{next(self._numbers)}"
        planned = _Planned(entry, trigger, None)
        planned.job = self._scheduler.add_job(
            self._take_turn,
            trigger,
            args=[planned],
            id=job_id,
            next_run_time=first,
            coalesce=True,
            max_instances=1,
            # A run that is late is still wanted, once; those that it stands for are counted as missed.
            misfire_grace_time=None,
        )
        self._planned[job_id] = planned

    def _account(self, event: Any) -> None:
        """Called when a run is started, and when it is not because the one before it is still going."""
        planned = self._planned.get(event.job_id)
        if planned is None:
            return
        due: datetime = event.scheduled_run_times[-1]
        runs = _between(planned, due)
        planned.last_due = due
        if runs:
            self._listener.missed(planned.entry, runs)
        if event.code == EVENT_JOB_MAX_INSTANCES:
            self._track(asyncio.ensure_future(self._listener.skipped(planned.entry, due.timestamp())), self._elapsed())

    async def _take_turn(self, planned: _Planned) -> None:
        """Last as long as the run does: APScheduler would start another one beside a mere task."""
        task = asyncio.ensure_future(self._in_turn(planned.entry, planned.last_due or self._now()))
        self._track(task)
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def _in_turn(self, entry: Entry, due: datetime) -> None:
        async with self._turn(entry):
            # After a reload it may be due no more; what has taken its place is due by itself.
            if self._is_planned(entry):
                await self._listener.due(entry, due.timestamp())

    def _is_planned(self, entry: Entry) -> bool:
        """Whether what it measures is still to be measured, whatever the times."""
        named = (each.entry for each in self._planned.values() if each.entry.name == entry.name)
        return any((each.target, each.scenario) == (entry.target, entry.scenario) for each in named)

    @asynccontextmanager
    async def _turn(self, entry: Entry) -> AsyncIterator[None]:
        """What a run holds while it is in progress."""
        async with self._locks[entry.target.name if self._parallel else ""]:
            if (task := asyncio.current_task()) is not None:
                self._track(task, self._elapsed())
            yield

    def _track(self, task: "asyncio.Task[Any]", began: float | None = None) -> None:
        self._going[task] = began
        task.add_done_callback(lambda done: self._going.pop(done, None))

    def _move(self, planned: _Planned, step: timedelta, now: datetime) -> None:
        planned.trigger.due = planned.trigger.due.stepped(step)
        if planned.entry.timing.cron is not None:
            planned.last_due = now
            planned.job.modify(next_run_time=planned.trigger.due.after(now))
            return
        if planned.last_due is not None:
            planned.last_due += step
        planned.job.modify(next_run_time=planned.job.next_run_time + step)


def _between(planned: _Planned, due: datetime) -> int:
    """How many runs were due after the last one that is known and before this one."""
    if planned.last_due is None:
        return 0
    moment, runs = planned.trigger.due.after(planned.last_due), 0
    while moment < due:
        moment, runs = planned.trigger.due.after(moment), runs + 1
    return runs
