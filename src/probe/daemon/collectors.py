"""The collectors of a configuration, and what is sent to them."""

from probe.config import OtlpConfig
from probe.daemon.dispatch import OnError, Sink
from probe.daemon.history_drift import WatchedHistory
from probe.metrics.registry import Metrics
from probe.otlp.collector import Endpoint
from probe.otlp.deliver import collector
from probe.tracing.exporter import SpanSink
from probe.tracing.otlp import TRACES


def span_sinks(
    history: WatchedHistory, metrics: Metrics, otlp: OtlpConfig, version: str, *, on_error: OnError, on_repeat: OnError
) -> list[SpanSink]:
    """The sink that sends spans; none where no collector is configured."""
    if (endpoint := _endpoint(otlp, otlp.url)) is None:
        return []
    return [
        SpanSink(
            history,
            collector(endpoint, TRACES),
            version,
            on_error=on_error,
            on_repeat=on_repeat,
            on_dropped=metrics.daemon.count_dropped_spans,
            found_with=history.found_with,
            attributes=otlp.resource,
        )
    ]


def exported(metrics: Metrics, otlp: OtlpConfig, version: str, *, on_error: OnError, on_repeat: OnError) -> Sink:
    """The metrics as a sink, which sends them too if that is configured."""
    if (endpoint := _endpoint(otlp, otlp.metrics_url)) is None:
        return metrics
    # 1 MB and some milliseconds that only this needs.
    from probe.metrics.exporter import MetricsExport  # noqa: PLC0415
    from probe.metrics.otlp import METRICS  # noqa: PLC0415

    return MetricsExport(
        metrics,
        collector(endpoint, METRICS),
        version,
        attributes=otlp.resource,
        temporality=otlp.temporality,
        every_s=otlp.metrics_every_s,
        on_error=on_error,
        on_repeat=on_repeat,
    )


def _endpoint(otlp: OtlpConfig, url: str | None) -> Endpoint | None:
    if url is None or otlp.protocol == "none":
        return None
    return Endpoint(url, otlp.protocol, otlp.plain_headers(), otlp.timeout_s)
