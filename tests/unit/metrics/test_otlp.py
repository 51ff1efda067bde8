"""Points as OpenTelemetry has them."""

import math

import pytest
from opentelemetry.proto.metrics.v1 import metrics_pb2 as wire

from probe.metrics.otlp import export_request
from probe.metrics.points import Distribution, Exemplar, Kind, Point


def point(name: str, kind: Kind, value: float | Distribution, **labels: str) -> Point:
    return Point((name, tuple(labels.items())), kind, "What it is.", value, 5, 9)


def metrics(*points: Point, temporality: str = "cumulative") -> list[wire.Metric]:
    request = export_request(points, "1.2.3", temporality, {"box": "7"})
    (resource,) = request.resource_metrics
    (scope,) = resource.scope_metrics
    attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert attributes == {"service.name": "voice-probe", "service.version": "1.2.3", "box": "7"}
    assert (scope.scope.name, scope.scope.version) == ("voice-probe", "1.2.3")
    return [*scope.metrics]


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("wait_seconds", "s"),
        ("process_cpu_seconds_total", "s"),
        ("last_run_timestamp_seconds", "s"),
        ("history_bytes", "By"),
        ("machine_gpu_sm_clock_hertz", "Hz"),
        ("machine_temperature_celsius", "Cel"),
        ("machine_gpu_power_watts", "W"),
        # A translation to Prometheus would write a unit 1 into the name.
        ("machine_cpu_busy_ratio", ""),
        ("llm_tokens_per_second", ""),
        ("runs_total", ""),
    ],
)
def test_the_unit_is_that_of_the_name(name: str, unit: str) -> None:
    (metric,) = metrics(point(name, "gauge", 1.0))
    assert (metric.name, metric.unit, metric.description) == (name, unit, "What it is.")


@pytest.mark.parametrize(("temporality", "number"), [("delta", 1), ("cumulative", 2)])
def test_a_counter_and_a_histogram(temporality: str, number: int) -> None:
    counter = point("runs_total", "counter", 3.0, target="a", server="")
    histogram = point("wait_seconds", "histogram", Distribution((0.1, 1.0), (1, 0, 4), 7.5), target="a")
    runs, wait = metrics(counter, histogram, temporality=temporality)
    assert runs.sum.is_monotonic and runs.sum.aggregation_temporality == number
    (count,) = runs.sum.data_points
    assert (count.as_double, count.start_time_unix_nano, count.time_unix_nano) == (3.0, 5, 9)
    # An empty label is none.
    assert [(each.key, each.value.string_value) for each in count.attributes] == [("target", "a")]
    assert wait.histogram.aggregation_temporality == number
    (seconds,) = wait.histogram.data_points
    assert (seconds.count, seconds.sum, [*seconds.bucket_counts]) == (5, 7.5, [1, 0, 4])
    assert [*seconds.explicit_bounds] == [0.1, 1.0]
    assert (seconds.start_time_unix_nano, seconds.time_unix_nano) == (5, 9)


def test_points_of_one_name_are_one_metric() -> None:
    (metric,) = metrics(point("up", "gauge", 1.0, target="a"), point("up", "gauge", 0.0, target="b"))
    assert [each.as_double for each in metric.gauge.data_points] == [1.0, 0.0]
    assert [each.start_time_unix_nano for each in metric.gauge.data_points] == [0, 0]


def test_what_is_not_known_has_no_value() -> None:
    (metric,) = metrics(point("cold", "gauge", math.nan))
    (unknown,) = metric.gauge.data_points
    assert unknown.flags == wire.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
    assert unknown.WhichOneof("value") is None


def test_an_exemplar_leads_to_its_trace() -> None:
    found = Exemplar(0.5, 1.25, {"trace_id": "0af7651916cd43dd8448eb211c80319c", "run_id": "20231114T221320Z-1"})
    wait = Point(("wait_seconds", ()), "histogram", "", Distribution((1.0,), (1, 0), 0.5), 5, 9, (found,))
    (metric,) = metrics(wait)
    (exemplar,) = metric.histogram.data_points[0].exemplars
    assert exemplar.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert (exemplar.as_double, exemplar.time_unix_nano) == (0.5, 1_250_000_000)
    assert [(each.key, each.value.string_value) for each in exemplar.filtered_attributes] == [
        ("run_id", "20231114T221320Z-1")
    ]
