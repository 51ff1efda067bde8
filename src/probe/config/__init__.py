"""Configuration: the only reader of the configuration file and the environment, and the home of every default."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from probe.config.base import Section
from probe.config.daemon import (
    CourtesyConfig,
    DaemonConfig,
    HistoryConfig,
    HttpConfig,
    LogConfig,
    OtlpConfig,
    ScheduleConfig,
    SelfCheckConfig,
)
from probe.config.measuring import LimitsConfig, PauseConfig, ScenarioConfig, TargetConfig, websocket_url
from probe.config.problems import ConfigError, Problem, explain, problems_of, with_broken_references
from probe.config.references import broken_references

__all__ = [
    "ENV_PREFIX", "Config", "ConfigError", "LimitsConfig", "OtlpConfig", "PauseConfig", "Problem", "ScenarioConfig",
    "ScheduleConfig", "TargetConfig", "default_state_dir", "explain", "load", "override", "websocket_url",
]  # fmt: skip

ENV_PREFIX = "PROBE_"
# systemd's LoadCredential= puts files there; any other directory of secrets may be named by it as well.
_SECRETS_DIRECTORY = "CREDENTIALS_DIRECTORY"


class _SecretFiles(NestedSecretsSettingsSource):
    """Files named as the environment variable that they stand for; any other file there is somebody else's."""

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        own = (file for file in path.iterdir() if file.name.upper().startswith(ENV_PREFIX))
        return {file.name: file.read_text("utf-8", "replace").strip() for file in own}


class Config(BaseSettings):
    """The whole configuration. The environment outranks secret files, those the file, the file the defaults."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", nested_model_default_partial_update=True
    )

    targets: Annotated[dict[str, TargetConfig], Field(min_length=1)] = {"local": TargetConfig()}
    scenarios: Annotated[dict[str, ScenarioConfig], Field(min_length=1)] = {"default": ScenarioConfig()}
    schedules: Annotated[dict[str, ScheduleConfig], Field(min_length=1)] = {"default": ScheduleConfig()}
    daemon: DaemonConfig = DaemonConfig()
    http: HttpConfig = HttpConfig()
    otlp: OtlpConfig = OtlpConfig()
    log: LogConfig = LogConfig()
    history: HistoryConfig = HistoryConfig()
    courtesy: CourtesyConfig = CourtesyConfig()
    self_check: SelfCheckConfig = SelfCheckConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, dotenv_settings
        secrets = _SecretFiles(
            file_secret_settings,
            secrets_dir=os.environ.get(_SECRETS_DIRECTORY),
            secrets_dir_missing="ok",
            secrets_nested_delimiter="__",
        )
        return env_settings, secrets, init_settings

    @model_validator(mode="wrap")
    @classmethod
    def _references(cls, values: Any, handler: ModelWrapValidatorHandler["Config"]) -> "Config":
        defaults: dict[str, Any] = {"targets": {"local": {}}, "scenarios": {"default": {}}}
        broken = broken_references(defaults | values) if isinstance(values, dict) else {}
        config = None
        found: ValidationError | None = None
        try:
            config = handler(values)
        except ValidationError as error:
            found = error
        found = with_broken_references(found, broken, cls.__name__)
        if config is None or found is not None:
            raise found or AssertionError("a handler that neither returns nor raises")
        return config


def load(path: Path | None) -> Config:
    """Read the configuration file, if any, and the environment. Raises ConfigError with every error at once."""
    source = str(path or "environment")
    try:
        document = {} if path is None else tomllib.loads(path.read_text("utf-8"))
        unknown = _unknown_variables()
        config = Config(**document)
    except OSError as error:
        raise ConfigError(str(error.filename or source), [Problem("", error.strerror or str(error))]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(source, [Problem("", f"not TOML: {error}")]) from error
    except SettingsError as error:
        expected = ": expected JSON" if isinstance(error.__cause__, ValueError) else ""
        raise ConfigError("environment", [Problem("", f"{error}{expected}")]) from error
    except ValidationError as error:
        raise ConfigError(source, [*unknown, *problems_of(error)]) from error
    if unknown:
        raise ConfigError(source, unknown)
    return config


def default_state_dir() -> Path:
    """The directory that systemd gives a service, the user's own elsewhere."""
    # systemd may name several, parted by colons.
    if systemd := os.environ.get("STATE_DIRECTORY"):
        return Path(systemd.partition(":")[0])
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "voice-probe"


def override(section: Section, values: Mapping[str, Any]) -> Section:
    """Return the section with every value that is not None replaced, checked anew. Raises ValidationError."""
    given = {key: value for key, value in values.items() if value is not None}
    return type(section).model_validate({**section.model_dump(), **given})


def _unknown_variables() -> list[Problem]:
    """A variable that names no section would be passed over in silence, and with it what its author wanted."""
    known = {f"{ENV_PREFIX}{name}".upper() for name in Config.model_fields}
    names = [name for name in os.environ if name.upper().startswith(ENV_PREFIX)]
    return [Problem(name, "unknown variable") for name in names if name.upper().split("__")[0] not in known]
