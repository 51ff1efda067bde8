"""When the next run of a target and scenario is due, as the configuration's schedules say."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from probe.config import Config, ScheduleConfig
from probe.timestamps import NS_PER_S, utc

# From the start of the last run to when the next one is due; nanoseconds since the epoch.
NextRun = Callable[[int], int]


def expected(config: Config) -> Mapping[tuple[str, str], NextRun]:
    """Of each target and scenario that is scheduled; of several schedules the one that is due first counts."""
    found: dict[tuple[str, str], list[ScheduleConfig]] = {}
    for each in config.schedules.values():
        pair = each.target or next(iter(config.targets)), each.scenario or next(iter(config.scenarios))
        found.setdefault(pair, []).append(each)
    return {pair: partial(_next, schedules) for pair, schedules in found.items()}


def _next(schedules: list[ScheduleConfig], started: int) -> int:
    return min(_after(each, started) for each in schedules)


def _after(schedule: ScheduleConfig, started: int) -> int:
    if schedule.cron is None:
        return started + round(schedule.every_s * NS_PER_S)
    from cronsim import CronSim  # noqa: PLC0415 - most schedules are intervals

    phase = timedelta(seconds=schedule.phase_s or 0.0)
    due: datetime = next(CronSim(schedule.cron, utc(started).astimezone(UTC) - phase)) + phase
    return round(due.timestamp()) * NS_PER_S
