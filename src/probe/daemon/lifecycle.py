"""Signals of the operating system, and the watchdog."""

import asyncio
import signal
from collections.abc import Awaitable, Callable

from probe.daemon.health import STUCK_S, Health
from probe.daemon.runs import Runs
from probe.daemon.schedule import Schedule
from probe.daemon.systemd import Notifier
from probe.metrics.registry import Metrics

HEARTBEAT_S = 1.0
# What a run may take beyond its own deadlines, with its servers asked and its record written.
GRACE_S = 60.0


def on_signals(end: Callable[[], None], reload: Callable[[], Awaitable[None]]) -> None:
    """Call `end` on SIGTERM, SIGINT and SIGQUIT, `reload` on SIGHUP, one at a time.

    A SIGHUP that came while the process started, and was held back, is taken now.
    """
    loop = asyncio.get_running_loop()
    reloading = asyncio.Lock()
    tasks: set[asyncio.Task[None]] = set()

    async def reload_in_turn() -> None:
        async with reloading:
            await reload()

    def start_reload() -> None:
        task = asyncio.ensure_future(reload_in_turn())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, start_reload)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})


async def heartbeat(
    schedule: Schedule, runs: Runs, health: Health, metrics: Metrics, notifier: Notifier, watchdog_s: float | None
) -> None:
    """Once a second, or as often as a watchdog wants it: say that the loop turns and what is wrong, if anything."""
    loop = asyncio.get_running_loop()
    period = HEARTBEAT_S if watchdog_s is None else min(HEARTBEAT_S, watchdog_s / 2)
    reported = ""
    while True:
        due = loop.time() + period
        await asyncio.sleep(period)
        runs.lags.append(max(0.0, loop.time() - due))
        metrics.daemon.set_loop_lag(max(runs.lags))
        metrics.daemon.set_next_runs(schedule.next_dues())
        schedule.tick()
        problem = _problem(schedule, runs)
        health.note(problem)
        if watchdog_s is not None and problem is None:
            notifier.alive()
        if (status := problem or runs.summary(schedule.next_due())) != reported:
            reported = status
            notifier.status(status)


def _problem(schedule: Schedule, runs: Runs) -> str | None:
    if (overdue := schedule.overdue_s()) > STUCK_S:
        return f"a run has been due for {overdue:.0f} s and was not started"
    if (going := schedule.going_s()) > _longest_s(runs):
        return f"a run has been going for {going:.0f} s"
    return None


def _longest_s(runs: Runs) -> float:
    """How long a run can take from when its turn has come."""
    config = runs.config
    limits = [target.limits for target in config.targets.values()]
    longest = max(each.run_s + each.release_s for each in limits)
    return longest + config.courtesy.max_wait_s + GRACE_S
