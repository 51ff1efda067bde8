"""Executes the runs of the schedule, and passes their records to the dispatch."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial

from msgspec import structs

from probe.config import Config
from probe.daemon.attempt import Attempt, attempt, broken, skipped
from probe.daemon.dispatch import Dispatch
from probe.daemon.health import Health
from probe.daemon.keeper import without_audio
from probe.daemon.log import Logger
from probe.daemon.schedule import Entry
from probe.daemon.unfinished import Unfinished
from probe.history.file import HistoryError
from probe.machine.state import Exporter
from probe.measurement import this_machine
from probe.measures import outcome, summarise
from probe.metrics.registry import Metrics
from probe.pace import Pace
from probe.plan import Target
from probe.record import RunRecord, ServerIdentity
from probe.timestamps import utc
from probe.transport.threads import in_a_thread

# The last runs of a series are read once, in some milliseconds.
PAST_S = 2.0
OVERLAP = "the previous run is still going"


def nothing(_target: str, _scenario: str) -> Sequence[RunRecord]:
    """No past."""
    return ()


def forget(_record: RunRecord) -> None:
    """Its audio is of no use."""


class Runs:
    """Listens to the schedule. `config` may be replaced at any time: the next run follows the new one."""

    def __init__(
        self,
        config: Config,
        dispatch: Dispatch,
        metrics: Metrics,
        health: Health,
        log: Logger,
        stop: asyncio.Event,
        served: Mapping[str, ServerIdentity] | None = None,
        past: Callable[[str, str], Sequence[RunRecord]] = nothing,
        alone: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        with_audio: Callable[[RunRecord], None] = forget,
        unfinished: Unfinished | None = None,
    ) -> None:
        """An attempt takes place within `alone`. `with_audio` is called with each record, once it is kept.

        Without `unfinished` nobody knows what a killed run leaves.
        """
        self.config = config
        self.last: RunRecord | None = None
        # The last delays of the event loop, in seconds: the longest of each run, and the heartbeat's between runs.
        self.lags: deque[float] = deque(maxlen=60)
        self._dispatch = dispatch
        self._metrics = metrics
        self._health = health
        self._log = log
        self._stop = stop
        self._served = dict(served or {})
        self._pace = Pace()
        self._past = past
        self._alone = alone
        self._with_audio = with_audio
        self._unfinished = unfinished
        self._reading = asyncio.Lock()
        # Whether a target's servers keep who uses them to themselves, as of the last time they were asked.
        self._silent: dict[str, bool] = {}
        # Which exporters of a target's machine did not answer during its last run.
        self._silent_exporters: dict[str, tuple[Exporter, ...]] = {}
        # What of the machine did not answer, as of the last run.
        self._unanswered: tuple[str, ...] = ()

    async def due(self, entry: Entry, at: float) -> None:
        if (done := await self._attempted(entry, self.config)) is None:
            return
        self._metrics.daemon.set_schedule_delay(entry.target.name, entry.scenario.name, max(0.0, done.began - at))
        await self._hand_on(await self._compared(done.record))

    async def asked_for(self, entry: Entry, patience_s: float, found: Callable[[RunRecord], Awaitable[None]]) -> None:
        """Do a run that nobody scheduled; it waits for users for `patience_s` at most.

        `found` is awaited with its record before the sinks get it, unless the daemon stops.
        """
        self._metrics.daemon.set_asked(entry.target.name, entry.scenario.name, time.time())
        if (done := await self._attempted(entry, _hurried(self.config, patience_s))) is not None:
            record = await self._compared(done.record)
            try:
                await found(record)
            finally:
                await self._hand_on(record)

    async def _attempted(self, entry: Entry, config: Config) -> Attempt | None:
        if self._stop.is_set():
            return None
        try:
            async with self._alone():
                done = await attempt(entry, config, self._stop, self._unfinished)
        except Exception as error:  # noqa: BLE001 - no mistake of ours may end an attempt without a record
            self._log.exception("an attempt failed because of a bug in the probe", target=entry.target.name)
            done = broken(entry, error)
        if done is not None:
            self.lags.append(done.lag_s)
            if done.unknown_users is not None:
                self._note_users(entry.target.name, unknown=done.unknown_users)
            if done.record.machine is not None:
                self._note_exporters(entry.target, done.record.machine.silent)
        if entry.target.machine == "local":
            self._note_machine(this_machine().silent)
        return done

    async def skipped(self, entry: Entry, at: float) -> None:
        del at
        await self._hand_on(skipped(entry, OVERLAP))

    def missed(self, entry: Entry, runs: int) -> None:
        self._log.warning("runs missed", target=entry.target.name, scenario=entry.scenario.name, runs=runs)
        for _ in range(runs):
            self._metrics.daemon.count_missed(entry.target.name, entry.scenario.name)

    def stepped(self, seconds: float) -> None:
        self._log.warning("the wall clock was set; intervals are unchanged", seconds=round(seconds, 3))

    def summary(self, next_due: datetime | None) -> str:
        """The last run and the next, in one line."""
        last = "no run yet" if self.last is None else _described(self.last)
        return last if next_due is None else f"{last}; next at {next_due:%H:%M:%S} UTC"

    def _note_users(self, target: str, *, unknown: bool) -> None:
        """Count a server that does not say who uses it, and log where that changes."""
        if unknown:
            self._metrics.daemon.count_unknown_users(target)
        if unknown and not self._silent.get(target):
            self._log.warning(
                "a server does not report who uses it", target=target, courtesy=self.config.courtesy.unknown
            )
        elif self._silent.get(target) and not unknown:
            self._log.info("every server reports its users again", target=target)
        self._silent[target] = unknown

    def _note_exporters(self, target: Target, silent: tuple[Exporter, ...]) -> None:
        """Log once that an exporter does not answer, and that it does again: one that is asked no more does neither."""
        before = self._silent_exporters.get(target.name, ())
        if lost := [each for each in silent if each not in before]:
            self._log.warning("an exporter does not answer", target=target.name, exporters=lost)
        if found := [each for each in before if each not in silent and each in target.exporters]:
            self._log.info("an exporter answers again", target=target.name, exporters=found)
        self._silent_exporters[target.name] = silent

    def _note_machine(self, silent: tuple[str, ...]) -> None:
        """Log what of the machine can't be read, where that changes."""
        if silent == self._unanswered:
            return
        self._unanswered = silent
        if silent:
            self._log.warning("the machine can't be read: a reading hangs, and its figures are missing", of=silent)
        else:
            self._log.info("the machine can be read again")

    async def _compared(self, record: RunRecord) -> RunRecord:
        """The record, with a doubt where what was heard is far from what this target's runs were so far."""
        try:
            if not self._pace.knows(record):
                self._pace.learn(record, await self._read_past(record))
            return self._pace.judge(record)
        except Exception:  # noqa: BLE001 - no mistake of ours may end an attempt without a record
            self._log.exception("a run was not compared with those before it", target=record.plan.target.name)
            return record

    async def _read_past(self, record: RunRecord) -> Sequence[RunRecord]:
        """Data that can't be read is reported by its users, and is learnt again. A disk may hang."""
        series = record.plan.target.name, record.plan.scenario.name
        async with self._reading:
            try:
                async with asyncio.timeout(PAST_S):
                    return await in_a_thread("the past of a series", partial(self._past, *series))
            except TimeoutError:
                # One thread is left behind, and no more: name lookups need the others.
                self._past = nothing
            except (HistoryError, OSError):
                pass
        return ()

    def _remember(self, record: RunRecord) -> None:
        """Keep what a target's server said of itself, for the runs in which it says nothing."""
        if record.served != ServerIdentity():
            self._served[record.plan.target.name] = record.served

    async def _hand_on(self, record: RunRecord) -> None:
        self._remember(record)
        record = replace(record, served=self._served.get(record.plan.target.name, ServerIdentity()))
        await self._dispatch.submit(without_audio(record) if self.config.daemon.audio_dir is None else record)
        self.last = without_audio(record)
        self._health.ready = True
        self._with_audio(record)


def _described(record: RunRecord) -> str:
    plan = record.plan
    ended = utc(record.ended)
    ttfb = summarise(record).response_ttfb_ms
    audio = "" if ttfb is None else f", first byte after {ttfb:.0f} ms"
    return f"last run {outcome(record)} at {ended:%H:%M:%S} UTC ({plan.target.name}/{plan.scenario.name}{audio})"


def _hurried(config: Config, patience_s: float) -> Config:
    """The configuration for a run that waits for users no longer than this."""
    most = max(0.0, min(config.courtesy.max_wait_s, patience_s))
    return structs.replace(config, courtesy=structs.replace(config.courtesy, max_wait_s=most))
