"""The daemon from start to end: its schedule, its signals, and the order in which things stop."""

import asyncio
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from probe import garbage
from probe.config import Config, ConfigError
from probe.config.changes import changes
from probe.daemon import capacity
from probe.daemon.composition import Parts, build, expect
from probe.daemon.lifecycle import heartbeat, on_signals
from probe.daemon.plans import entries, settled_at_start
from probe.daemon.recordings import require_playable
from probe.daemon.runs import Runs
from probe.daemon.schedule import Schedule
from probe.daemon.systemd import Notifier
from probe.plan import Target

# SIGTERM to exit takes less than 10 s: first the run, then the sinks, in the worst case neither.
RUN_ENDS_S = 7.5
DRAIN_S = 1.0
# After a disk was locked or full, many runs may still wait for the history.
HISTORY_ENDS_S = 7.5
LINES_S = 0.3
LAST_RESORT_S = 9.5
# A thread that renders or writes may hold the interpreter for so long before a measurement gets it back.
SWITCH_INTERVAL_S = 0.0002


@dataclass(frozen=True, slots=True)
class Supervisor:
    """How to report to systemd, and how often; without it the notifier sends nothing."""

    notifier: Notifier
    watchdog_s: float | None


def serve(path: Path, config: Config, supervisor: Supervisor, coloured: bool | None = None) -> None:
    """Run until SIGTERM or SIGINT; `coloured` as in `build`.

    Raises StartError, TakenError and HistoryError where it can't start.
    """
    # What was said is for its owner alone.
    os.umask(0o077)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    parts = build(config, coloured)
    parts.http.start()
    garbage.freeze()
    try:
        asyncio.run(_Daemon(path, config, supervisor, parts).run())
    finally:
        parts.close(LINES_S)


class _Daemon:
    """Measure until stopped."""

    def __init__(self, path: Path, config: Config, supervisor: Supervisor, parts: Parts) -> None:
        self._path = path
        self._notifier = supervisor.notifier
        self._watchdog_s = supervisor.watchdog_s
        self._parts = parts
        self._log = parts.log
        self._stop = asyncio.Event()
        self._runs = Runs(
            config,
            parts.dispatch,
            parts.metrics,
            parts.health,
            parts.log,
            self._stop,
            parts.served,
            parts.past,
            parts.transcriber.aside,
            parts.transcriber.offer,
            parts.unfinished,
        )
        self._schedule = Schedule(self._runs)

    async def run(self) -> None:
        on_signals(self._end, self._reload)
        config = self._runs.config
        self._schedule.start(entries(config), parallel=config.daemon.parallel_targets)
        self._parts.on_demand.attach(self._runs, self._schedule)
        beating = asyncio.ensure_future(
            heartbeat(
                self._schedule, self._runs, self._parts.health, self._parts.metrics, self._notifier, self._watchdog_s
            )
        )
        self._notifier.ready()
        self._log.info(
            "started",
            config=str(self._path),
            http_port=self._parts.http.port,
            schedules=[*config.schedules],
            spans_to=config.otlp.url or "none",
        )
        self._parts.rebuild.start()
        beside = [asyncio.ensure_future(work) for work in (self._transcribe(), self._end_unfinished())]
        self._say_what_does_not_fit(config)
        await self._stop.wait()
        stopped = time.monotonic()
        for each in beside:
            each.cancel()
        self._parts.ending.set()
        self._parts.rebuild.stop()
        await self._schedule.stop(RUN_ENDS_S)
        noting = () if self._parts.unfinished is None else (self._parts.unfinished.settled(DRAIN_S),)
        draining = self._parts.dispatch.drain(DRAIN_S, history_s=stopped + HISTORY_ENDS_S - time.monotonic())
        await asyncio.gather(draining, *noting)
        beating.cancel()
        self._log.info("ended")

    async def _transcribe(self) -> None:
        try:
            await self._parts.transcriber.work(self._schedule.free_s)
        except Exception:  # noqa: BLE001 - no mistake of ours there may end the measuring
            self._log.exception("no more answers are transcribed because of a bug in the probe")

    async def _end_unfinished(self) -> None:
        if self._parts.unfinished is None:
            return
        try:
            await self._parts.unfinished.work(self._targets, self._schedule.free_s)
        except Exception:  # noqa: BLE001 - no mistake of ours there may end the measuring
            self._log.exception("what is left is released before a run only, because of a bug in the probe")

    def _targets(self) -> list[Target]:
        return [target.record(name) for name, target in self._runs.config.targets.items()]

    def _say_what_does_not_fit(self, config: Config) -> None:
        series = len({(entry.target.name, entry.scenario.name) for entry in entries(config)})
        if found := capacity.complaint(series, capacity.memory_limit_mb()):
            self._log.warning("more targets than fit", **found)

    def _end(self) -> None:
        if self._stop.is_set():
            os._exit(1)
        _leave_at_the_latest()
        self._notifier.stopping()
        self._log.info("stopping: the current run releases its slot; a second signal stops at once")
        self._stop.set()

    async def _reload(self) -> None:
        """Apply a valid file between two runs; an invalid one changes nothing."""
        self._notifier.reloading()
        try:
            new = await asyncio.to_thread(require_playable, self._path)
        except ConfigError as error:
            self._parts.metrics.daemon.set_config_refused()
            self._log.warning("configuration refused; the old one stays in effect", errors=str(error).splitlines())
        else:
            await self._take_over(new)
        self._notifier.ready()

    async def _take_over(self, new: Config) -> None:
        await asyncio.to_thread(expect, self._parts.metrics, new)
        kept, changed = settled_at_start(self._runs.config, new), changes(self._runs.config, new)
        self._runs.config = self._parts.transcriber.config = new
        if not self._stop.is_set():
            self._schedule.replace(entries(new), parallel=new.daemon.parallel_targets)
        self._log.info("configuration reloaded", changed=changed, schedules=[*new.schedules])
        self._say_what_does_not_fit(new)
        if kept:
            self._log.warning("some changes take effect at the next start only", settings=kept)


def _leave_at_the_latest() -> None:
    """End the process even if a disk or a name server hangs."""
    timer = threading.Timer(LAST_RESORT_S, os._exit, (1,))
    timer.daemon = True
    timer.start()
