"""OpenTelemetry's wire format: points to an export request, with the names of the metrics page."""

import math
from collections.abc import Iterable, Mapping

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as wire
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from probe.metrics.points import Distribution, Exemplar, Point
from probe.otlp.collector import Collector, Signal
from probe.otlp.resource import SERVICE, resource

METRICS: Signal[ExportMetricsServiceRequest, ExportMetricsServiceResponse] = Signal(
    "/v1/metrics",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ExportMetricsServiceRequest.SerializeToString,
    ExportMetricsServiceResponse.FromString,
)
MetricsCollector = Collector[ExportMetricsServiceRequest, ExportMetricsServiceResponse]
_TEMPORALITIES = {
    "cumulative": wire.AGGREGATION_TEMPORALITY_CUMULATIVE,
    "delta": wire.AGGREGATION_TEMPORALITY_DELTA,
}
# What a name ends with, and UCUM's sign for it. Others get none: a ratio's "1" would be written into its name.
_UNITS = {"_seconds": "s", "_bytes": "By", "_hertz": "Hz", "_celsius": "Cel", "_watts": "W"}
_TRACE_ID = "trace_id"
_NOTHING: Mapping[str, str] = {}


def export_request(
    points: Iterable[Point], version: str, temporality: str, attributes: Mapping[str, str] = _NOTHING
) -> ExportMetricsServiceRequest:
    """Some points as one request; those of one name are one metric. `attributes` are the sender's."""
    metrics: dict[str, wire.Metric] = {}
    for point in points:
        name = point.series[0]
        if name not in metrics:
            metrics[name] = _metric(point, temporality)
        _add(metrics[name], point)
    scoped = wire.ScopeMetrics(
        scope=InstrumentationScope(name=SERVICE, version=version), metrics=list(metrics.values())
    )
    sender = Resource(attributes=_attributes(resource(version, attributes).items()))
    return ExportMetricsServiceRequest(resource_metrics=[wire.ResourceMetrics(resource=sender, scope_metrics=[scoped])])


def _metric(point: Point, temporality: str) -> wire.Metric:
    name = point.series[0]
    metric = wire.Metric(name=name, description=point.text, unit=_unit(name))
    if point.kind == "gauge":
        metric.gauge.SetInParent()
    elif point.kind == "counter":
        metric.sum.aggregation_temporality = _TEMPORALITIES[temporality]
        metric.sum.is_monotonic = True
    else:
        metric.histogram.aggregation_temporality = _TEMPORALITIES[temporality]
    return metric


def _add(metric: wire.Metric, point: Point) -> None:
    if isinstance(point.value, Distribution):
        metric.histogram.data_points.append(_histogram(point, point.value))
    elif point.kind == "counter":
        metric.sum.data_points.append(_number(point, point.value))
    else:
        metric.gauge.data_points.append(_number(point, point.value))


def _number(point: Point, value: float) -> wire.NumberDataPoint:
    made = wire.NumberDataPoint(
        attributes=_attributes(point.series[1]),
        start_time_unix_nano=0 if point.kind == "gauge" else point.start,
        time_unix_nano=point.at,
        exemplars=_exemplars(point.exemplars),
    )
    if math.isnan(value):
        # It ends the series at the receiver until there is a value again.
        made.flags = wire.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
    else:
        made.as_double = value
    return made


def _histogram(point: Point, value: Distribution) -> wire.HistogramDataPoint:
    return wire.HistogramDataPoint(
        attributes=_attributes(point.series[1]),
        start_time_unix_nano=point.start,
        time_unix_nano=point.at,
        count=value.count,
        sum=value.total,
        bucket_counts=value.counts,
        explicit_bounds=value.bounds,
        exemplars=_exemplars(point.exemplars),
    )


def _exemplars(exemplars: Iterable[Exemplar]) -> list[wire.Exemplar]:
    return [
        wire.Exemplar(
            time_unix_nano=int(each.at * 1e9),
            as_double=each.value,
            trace_id=bytes.fromhex(each.labels.get(_TRACE_ID, "")),
            filtered_attributes=_attributes((name, text) for name, text in each.labels.items() if name != _TRACE_ID),
        )
        for each in exemplars
    ]


def _attributes(labels: Iterable[tuple[str, str]]) -> list[KeyValue]:
    """An empty label is none, as Prometheus takes it."""
    return [KeyValue(key=name, value=AnyValue(string_value=text)) for name, text in labels if text]


def _unit(name: str) -> str:
    base = name.removesuffix("_total")
    return next((unit for ending, unit in _UNITS.items() if base.endswith(ending)), "")
