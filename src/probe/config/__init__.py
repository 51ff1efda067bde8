"""Configuration: the only reader of the configuration file and the environment, and the home of every default."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, field, structs

from probe.config.base import Name
from probe.config.daemon import (
    CourtesyConfig,
    DaemonConfig,
    DriftConfig,
    HistoryConfig,
    HttpConfig,
    LogConfig,
    OtlpConfig,
    ScheduleConfig,
    SelfCheckConfig,
)
from probe.config.errors import ConfigError, Problem
from probe.config.measuring import PauseConfig, ScenarioConfig
from probe.config.references import broken_references
from probe.config.section import Section, override, read
from probe.config.sources import ENV_PREFIX, Found, read_all
from probe.config.target import LimitsConfig, TargetConfig
from probe.config.written import table

__all__ = [
    "ENV_PREFIX", "Config", "ConfigError", "DriftConfig", "LimitsConfig", "OtlpConfig", "PauseConfig", "ScenarioConfig",
    "ScheduleConfig", "TargetConfig", "default_state_dir", "load", "override",
]  # fmt: skip


class Config(Section, frozen=True, kw_only=True):
    """The whole configuration."""

    targets: Annotated[dict[Name, TargetConfig], Meta(min_length=1)] = field(
        default_factory=lambda: {"local": TargetConfig()}
    )
    scenarios: Annotated[dict[Name, ScenarioConfig], Meta(min_length=1)] = field(
        default_factory=lambda: {"default": ScenarioConfig()}
    )
    # None where all runs are asked for: `/probe`.
    schedules: dict[Name, ScheduleConfig] = field(default_factory=lambda: {"default": ScheduleConfig()})
    daemon: DaemonConfig = DaemonConfig()
    http: HttpConfig = HttpConfig()
    otlp: OtlpConfig = OtlpConfig()
    log: LogConfig = LogConfig()
    history: HistoryConfig = HistoryConfig()
    courtesy: CourtesyConfig = CourtesyConfig()
    self_check: SelfCheckConfig = SelfCheckConfig()
    drift: DriftConfig = DriftConfig()


def load(path: Path | None) -> Config:
    """Read the configuration file, if any, and the environment. Raises ConfigError with every error at once."""
    found: Found = []
    problems: list[Problem] = []
    written = read_all(path, Config.__struct_fields__, partial(_as_today, problems), found)
    config: Config = read(Config, written.document, (), problems)
    problems += broken_references({"targets": {"local": {}}, "scenarios": {"default": {}}, **written.document})
    found += ((written.where(each.key), each) for each in problems)
    if found:
        raise ConfigError(found)
    if path is None:
        return config
    scenarios = {name: each.with_audio_from(path.parent) for name, each in config.scenarios.items()}
    return structs.replace(config, scenarios=scenarios)


def default_state_dir() -> Path:
    """The directory that systemd gives a service, the user's own elsewhere."""
    # systemd may name several, parted by colons.
    if systemd := os.environ.get("STATE_DIRECTORY"):
        return Path(systemd.partition(":")[0])
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "voice-probe"


def _as_today(problems: list[Problem], document: dict[str, Any]) -> dict[str, Any]:
    """The document with each target as it is written today."""
    if (targets := table(document.get("targets"))) is None:
        return document
    tables = {name: table(target) for name, target in targets.items()}
    today = {
        name: TargetConfig.as_today(target, ("targets", name), problems)
        for name, target in tables.items()
        if target is not None
    }
    return {**document, "targets": {**targets, **today}}
