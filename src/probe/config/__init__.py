"""Configuration: the only reader of the configuration file and the environment, and the home of every default."""

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from probe.config.base import Name, Section
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
from probe.config.errors import Key, Problem, dotted, problems_of
from probe.config.measuring import LimitsConfig, PauseConfig, ScenarioConfig, TargetConfig, websocket_url
from probe.config.references import with_broken_references

__all__ = [
    "ENV_PREFIX", "Config", "ConfigError", "DriftConfig", "LimitsConfig", "OtlpConfig", "PauseConfig", "ScenarioConfig",
    "ScheduleConfig", "TargetConfig", "default_state_dir", "load", "override", "websocket_url",
]  # fmt: skip

ENV_PREFIX = "PROBE_"
ENV_DELIMITER = "__"
# systemd's LoadCredential= puts files there; any other directory of secrets may be named by it as well.
SECRETS_DIRECTORY = "CREDENTIALS_DIRECTORY"


class ConfigError(Exception):
    """What is wrong with the configuration, a line for each error: where, and what. `problems` has them one by one."""

    def __init__(self, found: Iterable[tuple[str, Problem]]) -> None:
        lines = [(f"{where}: {problem}", problem) for where, problem in found]
        super().__init__("\n".join(line for line, _ in lines))
        self.problems = tuple(problem for _, problem in lines)


class _Environment(EnvSettingsSource):
    """The environment. Names in it have no case: those that the file has too are spelt as there."""

    document: Mapping[str, Any] = {}

    def __call__(self) -> dict[str, Any]:
        return {key: _spelt_as_in(self.document.get(key), value) for key, value in super().__call__().items()}

    def decode_complex_value(self, field_name: str, field: Any, value: Any) -> Any:
        """Read a list or a table. What is no JSON stays as it is: the check of all values says so, with all else."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class _SecretFiles(_Environment, NestedSecretsSettingsSource):
    """Files named as the environment variable that they stand for; any other file there is somebody else's."""

    @classmethod
    def load_secrets(cls, path: Path) -> dict[str, str]:
        own = (file for file in path.iterdir() if file.name.upper().startswith(ENV_PREFIX))
        return {file.name: file.read_text("utf-8", "replace").strip() for file in own}


class Config(BaseSettings):
    """The whole configuration. The environment outranks secret files, those the file, the file the defaults."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter=ENV_DELIMITER,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    targets: Annotated[dict[Name, TargetConfig], Field(min_length=1)] = {"local": TargetConfig()}
    scenarios: Annotated[dict[Name, ScenarioConfig], Field(min_length=1)] = {"default": ScenarioConfig()}
    schedules: Annotated[dict[Name, ScheduleConfig], Field(min_length=1)] = {"default": ScheduleConfig()}
    daemon: DaemonConfig = DaemonConfig()
    http: HttpConfig = HttpConfig()
    otlp: OtlpConfig = OtlpConfig()
    log: LogConfig = LogConfig()
    history: HistoryConfig = HistoryConfig()
    courtesy: CourtesyConfig = CourtesyConfig()
    self_check: SelfCheckConfig = SelfCheckConfig()
    drift: DriftConfig = DriftConfig()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del env_settings, dotenv_settings
        secrets = _SecretFiles(
            file_secret_settings,
            secrets_dir=os.environ.get(SECRETS_DIRECTORY),
            secrets_dir_missing="ok",
            secrets_nested_delimiter=ENV_DELIMITER,
        )
        environment = _Environment(settings_cls)
        environment.document = secrets.document = init_settings()
        return environment, secrets, init_settings

    @model_validator(mode="wrap")
    @classmethod
    def _references(cls, values: Any, handler: ModelWrapValidatorHandler["Config"]) -> "Config":
        """Report what is wrong between sections together with what is wrong inside of them."""
        document = {"targets": {"local": {}}, "scenarios": {"default": {}}, **values}
        config = found = None
        try:
            config = handler(values)
        except ValidationError as error:
            found = error
        found = with_broken_references(found, document)
        if found is not None:
            raise found
        assert config is not None  # noqa: S101 - the handler has returned
        return config


def load(path: Path | None) -> Config:
    """Read the configuration file, if any, and the environment. Raises ConfigError with every error at once."""
    document = {} if path is None else _document(path)
    found = [(name, Problem((name,), "unknown variable")) for name in _unknown_variables()]
    try:
        config = Config(**document)
    except ValidationError as error:
        raise ConfigError([*found, *((_where(each.key, path), each) for each in problems_of(error))]) from error
    except (SettingsError, OSError) as error:
        raise ConfigError([*found, (SECRETS_DIRECTORY, Problem((), str(error)))]) from error
    if found:
        raise ConfigError(found)
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


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError([(str(path), Problem((), f"can't be read: {error.strerror}"))]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError([(str(path), Problem((), f"not TOML: {error}"))]) from error


def _unknown_variables() -> list[str]:
    """Those that look like a key of ours and name no section, so that nobody would look at them."""
    sections = {f"{ENV_PREFIX}{name}{ENV_DELIMITER}".upper() for name in Config.model_fields}
    ours = [name for name in os.environ if name.upper().startswith(ENV_PREFIX) and ENV_DELIMITER in name]
    return [name for name in ours if not any(name.upper().startswith(section) for section in sections)]


def _spelt_as_in(table: Any, found: Any) -> Any:
    if not isinstance(table, dict) or not isinstance(found, dict):
        return found
    spelling = {name.lower(): name for name in table}
    return {spelling.get(name, name): value for name, value in found.items()}


def _where(key: Key, path: Path | None) -> str:
    """Name the variable that holds the value, or the file and the key in it."""
    variable = ENV_PREFIX + ENV_DELIMITER.join(str(part) for part in key).upper()
    if variable in (name.upper() for name in os.environ):
        return variable
    return f"{path or 'environment'}: {dotted(key)}"
