"""The daemon's sections: when it measures, and where the results go."""

from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, field

from probe.config.base import Text
from probe.config.headers import Headers
from probe.config.section import Section
from probe.tolerance import PUBLISHED_MS, Tolerance
from probe.urls import HttpUrl

CRON_EXPECTED = "expected MINUTE HOUR DAY MONTH WEEKDAY, with weekdays as sun to sat or 0 (Sunday) to 7 (Sunday again)"
# What the resource has anyway.
_OWN_ATTRIBUTES = ("service.name", "service.version")


def _cron(text: str) -> str:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - a run without a schedule needs none of it

    try:
        next(CronSim(text, datetime.now(UTC)))
    except CronSimError as error:
        raise ValueError(f"{text!r} is not a cron expression ({error}); {CRON_EXPECTED}") from error
    except StopIteration as error:
        raise ValueError(f"{text!r} never comes; {CRON_EXPECTED}") from error
    return text


def _attribute(name: str) -> str:
    if name in _OWN_ATTRIBUTES:
        raise ValueError("is set by the probe itself")
    return name


Cron = Annotated[str, _cron]


class ScheduleConfig(Section, frozen=True, kw_only=True):
    """When one scenario is run on one target."""

    target: Annotated[Text | None, Meta(description="a configured target; without it, the first")] = None
    scenario: Annotated[Text | None, Meta(description="a configured scenario; without it, the first")] = None
    every_s: Annotated[
        float, Meta(ge=1, le=604_800, description="from one run to the next, counted from the start")
    ] = 60.0
    cron: Annotated[Cron | None, Meta(description="instead of every_s: MINUTE HOUR DAY MONTH WEEKDAY, in UTC")] = None
    phase_s: Annotated[
        Annotated[float, Meta(ge=0, le=604_800)] | None,
        Meta(description="shift of the start; without it, intervals are spread evenly"),
    ] = None

    def contradiction(self, given: Collection[str]) -> str | None:
        if self.cron is not None and "every_s" in given:
            return "every_s and cron exclude each other"
        if self.cron is None and self.phase_s is not None and self.phase_s >= self.every_s:
            return f"phase_s ({self.phase_s:g}) must be less than every_s ({self.every_s:g})"
        return None


class DaemonConfig(Section, frozen=True, kw_only=True):
    """The service itself."""

    state_dir: Annotated[
        Path | None,
        Meta(description="where the history is kept; without it, $STATE_DIRECTORY, else ~/.local/state/voice-probe"),
    ] = None
    audio_dir: Annotated[Path | None, Meta(description="where the last runs' audio is kept; without it, none is")] = (
        None
    )
    audio_runs: Annotated[int, Meta(ge=1, le=100_000, description="how many runs' audio is kept")] = 20
    parallel_targets: Annotated[bool, Meta(description="whether runs on different targets may compete")] = False


class HttpConfig(Section, frozen=True, kw_only=True):
    """Where Prometheus and health checks ask."""

    host: Annotated[Text, Meta(description="the address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="0 takes any free one and logs which")] = 9850
    web_config_file: Annotated[
        Path | None, Meta(description="TLS and passwords, as Prometheus' web.config.file; without it, neither")
    ] = None
    allowed_hosts: Annotated[
        list[Text], Meta(description="names of this machine at which a proxy on it may ask over loopback")
    ] = field(default_factory=list)


class OtlpConfig(Section, frozen=True, kw_only=True):
    """Where the spans go, and the metrics if they should be sent, too."""

    protocol: Annotated[Literal["http", "grpc", "none"], Meta(description="of the collector; none sends nothing")] = (
        "http"
    )
    endpoint: Annotated[
        HttpUrl | None, Meta(description="the collector, such as http://localhost:4318; without it no spans are sent")
    ] = None
    headers: Annotated[Headers, Meta(description="sent with each export, such as a token")] = field(
        default_factory=dict
    )
    resource: Annotated[
        dict[Annotated[Text, _attribute], Text],
        Meta(description='attributes of all that is sent, such as { box = "7" }'),
    ] = field(default_factory=dict)
    timeout_s: Annotated[float, Meta(gt=0, le=60, description="how long one export may take")] = 3.0
    metrics: Annotated[bool, Meta(description="whether what /metrics shows is sent, too")] = False
    metrics_endpoint: Annotated[
        HttpUrl | None, Meta(description="where metrics go, if not to endpoint; spans never go there")
    ] = None
    metrics_every_s: Annotated[float, Meta(ge=1, le=3600, description="from one export of metrics to the next")] = 60.0
    temporality: Annotated[
        Literal["cumulative", "delta"],
        Meta(description="of metrics: each export has all since the start, or what was added since the last one"),
    ] = "cumulative"

    @property
    def url(self) -> str | None:
        """Where to send spans to; None where none are sent."""
        return None if self.protocol == "none" else self.endpoint

    @property
    def metrics_url(self) -> str | None:
        """Where to send metrics to; None where none are sent."""
        return (self.metrics_endpoint or self.endpoint) if self.metrics and self.protocol != "none" else None

    def contradiction(self, given: Collection[str]) -> str | None:  # noqa: ARG002 - the base class's argument
        if self.metrics and not (self.metrics_endpoint or self.endpoint):
            return "metrics = true needs an endpoint or a metrics_endpoint"
        if self.metrics_endpoint and not self.metrics:
            return "metrics_endpoint needs metrics = true"
        return None

    def plain_headers(self) -> dict[str, str]:
        """The headers with their secrets, for the exporter alone."""
        return {name: value.reveal() for name, value in self.headers.items()}


class LogConfig(Section, frozen=True, kw_only=True):
    """The log on stdout."""

    format: Annotated[Literal["auto", "json", "console"], Meta(description="auto: json unless on a terminal")] = "auto"
    texts: Annotated[bool, Meta(description="whether prompts, answers and servers' own words are logged")] = False


class HistoryConfig(Section, frozen=True, kw_only=True):
    """How much of the past is kept, whichever limit is reached first."""

    keep_days: Annotated[float, Meta(gt=0, le=36_500, description="age of the oldest run")] = 90.0
    keep_megabytes: Annotated[float, Meta(ge=1, le=1_000_000, description="size of the database")] = 1000.0


class DriftConfig(Section, frozen=True, kw_only=True):
    """When a change of latencies is reported. A test holds these defaults to those of `probe.drift`."""

    threshold: Annotated[
        float, Meta(ge=4, le=100, description="evidence needed for an alarm; `probe drift --calibrate` finds one")
    ] = 11.0
    least_change_percent: Annotated[float, Meta(ge=0, le=100, description="smaller changes are ignored")] = 3.0


class CourtesyConfig(Section, frozen=True, kw_only=True):
    """Waiting for the servers' users, who have priority."""

    enabled: Annotated[bool, Meta(description="whether the server is asked before each run")] = True
    max_wait_s: Annotated[
        float, Meta(ge=0, le=3600, description="how long a run waits for them, then it is skipped")
    ] = 30.0
    unknown: Annotated[
        Literal["run", "wait"], Meta(description="what a run does if a server does not report its users")
    ] = "run"


class SelfCheckConfig(Section, frozen=True, kw_only=True):
    """When our own measurement can't be trusted."""

    max_lag_ms: Annotated[
        float,
        Meta(gt=0, le=60_000, description="limit for event-loop lag or GC pauses without kernel timestamps"),
    ] = 20.0
    max_delay_ms: Annotated[
        float, Meta(gt=0, le=60_000, description="limit for a wait for the probe itself before audio")
    ] = 100.0
    max_error_ms: Annotated[float, Meta(gt=0, le=60_000, description="limit for the uncertainty of a figure")] = (
        PUBLISHED_MS
    )

    def tolerance(self) -> Tolerance:
        """As the measurement takes them."""
        return Tolerance(self.max_lag_ms, self.max_delay_ms, self.max_error_ms)
