"""Sending metrics while the clock is set."""

from collections.abc import Iterator

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from runs import record

from probe.metrics.exporter import MetricsExport
from probe.metrics.registry import Metrics

NS_PER_HOUR = 3600 * 10**9


class Collector:
    """Takes everything."""

    def __init__(self) -> None:
        self.requests: list[ExportMetricsServiceRequest] = []

    def send(self, request: ExportMetricsServiceRequest) -> ExportMetricsServiceResponse:
        self.requests.append(request)
        return ExportMetricsServiceResponse()

    def reason(self, said: str) -> str:
        return said


def starts(request: ExportMetricsServiceRequest) -> Iterator[int]:
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        for point in (*metric.sum.data_points, *metric.histogram.data_points):
            assert point.start_time_unix_nano <= point.time_unix_nano
            yield point.start_time_unix_nano


def test_counters_begin_again_once_where_the_clock_is_set_back() -> None:
    clock = iter([9, 5, 6, 7])
    collector = Collector()
    sink = MetricsExport(
        Metrics("1", ["otlp_metrics"]),
        collector,
        "1.2.3",
        attributes={},
        temporality="cumulative",
        every_s=3600,
        on_error=lambda *_: None,
        on_repeat=lambda *_: None,
        now_ns=lambda: next(clock) * NS_PER_HOUR,
    )
    sink.write(record())
    for _ in range(2):
        sink._export()
    sink.close(30)
    assert [set(starts(each)) for each in collector.requests] == [{5 * NS_PER_HOUR}] * 3
