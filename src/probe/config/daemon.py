"""What the daemon does with it: when it measures, and where the results go."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from probe.config.base import BaseSection, HttpUrl, Text
from probe.drift import LEAST_CHANGE, THRESHOLD

OTLP_PORTS = {"http": 4318, "grpc": 4317}


def _cron(text: str) -> str:
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - 0.1 s that only a cron expression costs

    try:
        first = CronTrigger.from_crontab(text, timezone=UTC).get_next_fire_time(None, datetime.now(UTC))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a cron expression ({error}); {CRON_EXPECTED}") from error
    if first is None:
        raise ValueError(f"{text!r} never comes; {CRON_EXPECTED}")
    return text


CRON_EXPECTED = "expected MINUTE HOUR DAY MONTH WEEKDAY, with weekdays as sun to sat or 0 (Sunday) to 6"
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _named_weekdays(text: str) -> str:
    """APScheduler counts weekdays from Monday, cron from Sunday: names mean the same to both."""
    fields = text.split()
    if len(fields) == len(_WEEKDAYS) - 3:
        fields[4] = re.sub(r"(?<![/\d])[0-7](?!\d)", lambda digit: _WEEKDAYS[int(digit[0])], fields[4])
    return " ".join(fields)


class ScheduleConfig(BaseSection):
    """When one scenario is run on one target."""

    target: Text | None = Field(None, description="a configured target; without it, the first")
    scenario: Text | None = Field(None, description="a configured scenario; without it, the first")
    every_s: float = Field(60.0, ge=1, le=604_800, description="from one run to the next, counted from the start")
    cron: Annotated[str, AfterValidator(_named_weekdays), AfterValidator(_cron)] | None = Field(
        None, description="instead of every_s: MINUTE HOUR DAY MONTH WEEKDAY, in UTC"
    )
    phase_s: float | None = Field(
        None, ge=0, le=604_800, description="how much later; without it, intervals are spread evenly"
    )

    @model_validator(mode="after")
    def _one_timing(self) -> "ScheduleConfig":
        if self.cron is not None and "every_s" in self.model_fields_set:
            raise ValueError("every_s and cron exclude each other")
        if self.cron is None and self.phase_s is not None and self.phase_s >= self.every_s:
            raise ValueError(f"phase_s ({self.phase_s:g}) must be less than every_s ({self.every_s:g})")
        return self


class DaemonConfig(BaseSection):
    """The service itself."""

    state_dir: Path | None = Field(
        None, description="where the history is kept; without it, $STATE_DIRECTORY, else ~/.local/state/voice-probe"
    )
    audio_dir: Path | None = Field(None, description="where the last runs' audio is kept; without it, none is")
    audio_runs: int = Field(20, ge=1, le=100_000, description="how many runs' audio is kept")
    parallel_targets: bool = Field(default=False, description="whether runs on different targets may compete")


class HttpConfig(BaseSection):
    """Where Prometheus and health checks ask."""

    host: Text = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(9850, ge=0, le=65535, description="0 takes any free one and logs which")


class OtlpConfig(BaseSection):
    """Where the spans go."""

    protocol: Literal["http", "grpc", "none"] = Field("http", description="of the collector; none sends no spans")
    endpoint: HttpUrl | None = Field(
        None, description="the collector; without it, on this machine at the protocol's usual port"
    )
    headers: dict[Text, SecretStr] = Field({}, description="sent along, such as a token")
    timeout_s: float = Field(3.0, gt=0, le=60, description="how long one export may take")

    @property
    def url(self) -> str | None:
        """Where to send spans to; None where none are sent."""
        if self.protocol == "none":
            return None
        return self.endpoint or f"http://localhost:{OTLP_PORTS[self.protocol]}"

    def plain_headers(self) -> dict[str, str]:
        """The headers with their secrets, for the exporter alone."""
        return {name: value.get_secret_value() for name, value in self.headers.items()}


class LogConfig(BaseSection):
    """The log on stdout."""

    format: Literal["auto", "json", "console"] = Field("auto", description="auto: json unless on a terminal")
    texts: bool = Field(default=False, description="whether prompts and answers are logged")


class HistoryConfig(BaseSection):
    """How much of the past is kept, whichever limit is reached first."""

    keep_days: float = Field(90.0, gt=0, le=36_500, description="age of the oldest run")
    keep_megabytes: float = Field(1000.0, ge=1, le=1_000_000, description="size of the database")


class DriftConfig(BaseSection):
    """When a change of latencies is told."""

    threshold: float = Field(
        THRESHOLD, ge=4, le=100, description="the evidence that it takes; `probe drift --calibrate` finds one"
    )
    least_change_percent: float = Field(100 * LEAST_CHANGE, ge=0, le=100, description="what is less is no change")


class CourtesyConfig(BaseSection):
    """The LLM server's users come first."""

    enabled: bool = Field(default=True, description="whether the server is asked before each run")
    max_wait_s: float = Field(30.0, ge=0, le=3600, description="how long a run waits for them, then it is skipped")


class SelfCheckConfig(BaseSection):
    """When our own measurement is not to be trusted."""

    max_lag_ms: float = Field(20.0, gt=0, le=60_000, description="event-loop lag or GC pause that makes a run suspect")
