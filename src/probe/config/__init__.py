"""Configuration: the only reader of the configuration file and the environment, and the home of every default."""

import os
from collections.abc import Iterable, Iterator
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
from probe.config.intelligibility import IntelligibilityConfig
from probe.config.measuring import PauseConfig, ScenarioConfig
from probe.config.pairs import misfits
from probe.config.references import broken_references
from probe.config.section import Section, override, read
from probe.config.sources import ENV_PREFIX, Found, read_all
from probe.config.target import LimitsConfig, SpeechConfig, TargetConfig
from probe.config.written import table

__all__ = [
    "ENV_PREFIX", "Config", "ConfigError", "DriftConfig", "LimitsConfig", "OtlpConfig", "PauseConfig", "ScenarioConfig",
    "ScheduleConfig", "TargetConfig", "default_state_dir", "load", "override", "refused",
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
    user_speech: Annotated[
        SpeechConfig | None,
        Meta(description="the same for every target that hears and has none of its own: then all hear the same voice"),
    ] = None
    daemon: DaemonConfig = DaemonConfig()
    http: HttpConfig = HttpConfig()
    otlp: OtlpConfig = OtlpConfig()
    log: LogConfig = LogConfig()
    history: HistoryConfig = HistoryConfig()
    courtesy: CourtesyConfig = CourtesyConfig()
    self_check: SelfCheckConfig = SelfCheckConfig()
    drift: DriftConfig = DriftConfig()
    intelligibility: IntelligibilityConfig = IntelligibilityConfig()


def load(path: Path | None) -> Config:
    """Read the configuration file, if any, and the environment. Raises ConfigError with every error at once."""
    found: Found = []
    problems: list[Problem] = []
    written = read_all(path, Config.__struct_fields__, partial(_as_today, problems), found)
    config: Config = read(Config, written.document, (), problems)
    problems += broken_references({"targets": {"local": {}}, "scenarios": {"default": {}}, **written.document})
    if not problems:
        problems += _misfits(config)
    found += ((written.where(each.key), each) for each in problems)
    if found:
        raise ConfigError(found)
    config = structs.replace(config, targets=_with_user_speech(config))
    if path is None:
        return config
    located = {name: each.with_audio_from(path.parent) for name, each in config.scenarios.items()}
    return structs.replace(config, scenarios=located)


def refused(path: Path | None, problems: Iterable[Problem]) -> ConfigError:
    """The error for what is wrong with a configuration that `load` takes, with the place of each key."""
    written = read_all(path, Config.__struct_fields__, partial(_as_today, []), [])
    return ConfigError((written.where(each.key), each) for each in problems)


def _with_user_speech(config: Config) -> dict[str, TargetConfig]:
    return {name: each.with_user_speech(config.user_speech) for name, each in config.targets.items()}


def _misfits(config: Config) -> Iterator[Problem]:
    targets = {name: each.record(name) for name, each in _with_user_speech(config).items()}
    return misfits(config.schedules, targets, {name: each.record(name) for name, each in config.scenarios.items()})


def state_dir(config: Config) -> Path:
    """Where this configuration keeps its history."""
    return config.daemon.state_dir or default_state_dir()


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
