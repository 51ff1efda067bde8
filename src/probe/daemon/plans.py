"""From the configuration to the entries of the schedule."""

from collections.abc import Iterator

from probe.config import Config
from probe.daemon.schedule import Entry
from probe.daemon.timing import Timing
from probe.plan import choose

# What lives as long as the process can't follow a reload.
FIXED_AT_START = (
    "daemon.state_dir",
    "daemon.audio_dir",
    "daemon.audio_runs",
    "http.host",
    "http.port",
    "http.web_config_file",
    "http.allowed_hosts",
    "otlp",
    "log",
    "history",
    "drift",
)


def entries(config: Config) -> Iterator[Entry]:
    """Every schedule's entry. Those without a phase of their own are spread evenly over their interval."""
    for number, (name, schedule) in enumerate(config.schedules.items()):
        target_name, target = choose("target", config.targets, schedule.target)
        scenario_name, scenario = choose("scenario", config.scenarios, schedule.scenario)
        phase = schedule.phase_s
        if phase is None:
            phase = 0.0 if schedule.cron else schedule.every_s * number / len(config.schedules)
        yield Entry(
            name,
            target.record(target_name),
            scenario.record(scenario_name),
            Timing(schedule.every_s, phase, schedule.cron),
        )


def settled_at_start(old: Config, new: Config) -> list[str]:
    """The settings that a reload finds changed and can't change: keys."""
    return [key for key in FIXED_AT_START if _value(old, key) != _value(new, key)]


def _value(config: Config, key: str) -> object:
    found: object = config
    for name in key.split("."):
        found = getattr(found, name)
    return found
