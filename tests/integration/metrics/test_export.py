"""Metrics at real OTLP receivers, over HTTP and over gRPC, that are healthy, away, hanging or picky."""

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from collectors import METRICS, PATIENCE_S, SERVERS, Complaints, Receiver
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsPartialSuccess,
    ExportMetricsServiceResponse,
)
from prometheus_client.parser import text_string_to_metric_families as parse
from runs import failed, record

from probe import config
from probe.daemon.composition import build
from probe.metrics import exporter, otlp
from probe.metrics.exporter import MetricsExport
from probe.metrics.registry import Metrics
from probe.otlp.collector import Endpoint, UnavailableError
from probe.otlp.deliver import collector

Labels = frozenset[tuple[str, str]]
OK = ExportMetricsServiceResponse()


class Exporting(Complaints):
    """Metrics that are sent, and what the sink complains of."""

    def __init__(
        self, url: str, protocol: Any = "http", temporality: str = "cumulative", every_s: float = 0.01, **more: Any
    ) -> None:
        super().__init__("otlp_metrics")
        self.metrics = Metrics("1", ["otlp_metrics"])
        self.metrics.expect([("local", "default")])
        self.sink = MetricsExport(
            self.metrics,
            collector(Endpoint(url, protocol, {"X-Token": "t"}, **{"timeout_s": PATIENCE_S, **more}), otlp.METRICS),
            "1.2.3",
            attributes={},
            temporality=temporality,
            every_s=every_s,
            on_error=self.log,
            on_repeat=self.repeat,
        )

    def close(self) -> None:
        self.sink.close(PATIENCE_S)
        assert not self.sink._thread.is_alive()


@contextmanager
def receiver(protocol: str = "http", behave: Any = None, port: int = 0) -> Iterator[tuple[Receiver, str]]:
    made = Receiver(behave, METRICS)
    with SERVERS[protocol](made, port) as url:
        yield made, url


def received(request: Any) -> dict[tuple[str, Labels], Any]:
    """The points of a request, by name and attributes; a histogram's as cumulated counts by bound, and its sum."""
    found: dict[tuple[str, Labels], Any] = {}
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            labels = frozenset((each.key, each.value.string_value) for each in point.attributes)
            found[metric.name, labels] = _value(point)
    return found


def _value(point: Any) -> Any:
    if not hasattr(point, "bucket_counts"):
        return math.nan if point.flags else point.as_double
    bounds = [*map(str, point.explicit_bounds), "+Inf"]
    so_far = [sum(point.bucket_counts[: number + 1]) for number in range(len(bounds))]
    return {**dict(zip(bounds, so_far, strict=True)), "sum": point.sum, "count": point.count}


def on_the_page(metrics: Metrics) -> dict[tuple[str, Labels], Any]:
    """The same, of what Prometheus would scrape."""
    found: dict[tuple[str, Labels], Any] = {}
    for family in parse(metrics.render("")[0].decode()):
        for sample in family.samples:
            labels = frozenset((name, text) for name, text in sample.labels.items() if text and name != "le")
            if family.type != "histogram":
                found[sample.name, labels] = sample.value
            else:
                part = sample.labels.get("le") or sample.name.rpartition("_")[2]
                found.setdefault((family.name, labels), {})[part] = sample.value
    return found


def without_process(found: dict[tuple[str, Labels], Any]) -> dict[tuple[str, Labels], Any]:
    return {key: value for key, value in found.items() if not key[0].startswith("process_")}


@pytest.mark.parametrize("protocol", SERVERS)
def test_what_is_sent_is_what_is_scraped(protocol: str) -> None:
    with receiver(protocol) as (there, url):
        exporting = Exporting(url, protocol, every_s=3600)
        for number in range(1, 4):
            exporting.sink.write(record(number, ttfb_ms=100 * number))
        exporting.sink.write(failed(4))
        exporting.close()
    (request,) = there.accepted
    sent, scraped = received(request), on_the_page(exporting.metrics)
    assert sent.keys() == scraped.keys()
    assert len(sent) > 150
    for key, value in without_process(scraped).items():
        assert sent[key] == pytest.approx(value, nan_ok=True), key
    assert {name.lower(): value for name, value in there.headers[0].items()}["x-token"] == "t"
    assert exporting.errors == []


def test_deltas_of_many_exports_are_the_page() -> None:
    with receiver() as (there, url):
        exporting = Exporting(url, temporality="delta")
        for number in range(1, 6):
            exporting.sink.write(record(number, ttfb_ms=100 * number))
            before = there.attempts
            there.wait(lambda: there.attempts > before)  # noqa: B023 - called at once
        exporting.close()
    key = (
        "voice_probe_combined_ttfb_seconds",
        frozenset({("target", "local"), ("scenario", "default"), ("position", "first")}),
    )
    parts = [received(each)[key] for each in there.accepted]
    assert len(parts) >= 6
    whole = on_the_page(exporting.metrics)[key]
    assert {name: sum(part[name] for part in parts) for name in whole} == pytest.approx(whole)
    assert whole["count"] == 5


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("protocol", SERVERS)
def test_a_collector_that_is_back_has_everything(protocol: str, temporality: str) -> None:
    answers: list[Any] = [503, 503, 503]
    with receiver(protocol, lambda _request: answers.pop(0) if answers else OK) as (there, url):
        exporting = Exporting(url, protocol, temporality)
        exporting.sink.write(record(1))
        there.wait(lambda: len(there.accepted) >= 1)
        exporting.sink.write(record(2))
        exporting.close()
    assert len(exporting.errors) == 3
    assert len(exporting.logged) == 1
    runs = [
        sum(value for (name, _), value in received(each).items() if name == "voice_probe_runs_total")
        for each in there.accepted
    ]
    assert (runs[-1] if temporality == "cumulative" else sum(runs)) == 2


def test_a_request_is_never_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporter, "POINTS_PER_REQUEST", 50)
    with receiver() as (there, url):
        exporting = Exporting(url, every_s=3600)
        exporting.close()
    assert len(there.accepted) >= 4
    sizes = [len(received(each)) for each in there.accepted]
    assert max(sizes) <= 50 and sum(sizes) == len(on_the_page(exporting.metrics))


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
def test_what_is_refused_holds_up_nothing(temporality: str) -> None:
    answers: list[Any] = [400]
    with receiver(behave=lambda _request: answers.pop(0) if answers else OK) as (there, url):
        exporting = Exporting(url, temporality=temporality)
        there.wait(lambda: len(there.accepted) >= 2)
        exporting.close()
    assert [each.partition(" to POST")[0] for each in exporting.logged] == ["127.0.0.1 answered 400 Bad Request"]


@pytest.mark.parametrize(("said", "complaints"), [(-1, 0), (-(1 << 62), 0), (0, 0), (2, 1), (1 << 62, 1)])
def test_a_collector_can_reject_no_more_than_it_was_sent(said: int, complaints: int) -> None:
    partial = ExportMetricsPartialSuccess(rejected_data_points=said, error_message="too old")
    with receiver(behave=lambda _request: ExportMetricsServiceResponse(partial_success=partial)) as (there, url):
        exporting = Exporting(url)
        there.wait(lambda: there.attempts >= 3)
        exporting.close()
    points = len(on_the_page(exporting.metrics))
    expected = f"the collector rejected {min(said, points)} points: too old"
    assert exporting.logged == [expected] * complaints
    assert exporting.errors == [expected] * (there.attempts * complaints)


def test_a_collector_that_hangs_costs_one_timeout_at_a_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        exporting = Exporting(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.05)
        exporting.wait_for_errors(2)
        exporting.sink.write(record(1))
        exporting.close()
    assert exporting.logged == ["127.0.0.1: no answer within 0.05 s"]


def test_it_waits_as_long_as_a_busy_collector_asks() -> None:
    class Busy:
        asked = 0

        def send(self, _request: Any) -> Any:
            self.asked += 1
            raise UnavailableError("busy", 3600)

        def reason(self, said: str) -> str:
            return said

    busy, complained = Busy(), threading.Event()
    sink = MetricsExport(
        Metrics("1", []),
        busy,
        "1",
        attributes={},
        temporality="delta",
        every_s=0.01,
        on_error=lambda _sink, _what: complained.set(),
        on_repeat=lambda _sink, _what: None,
    )
    assert complained.wait(PATIENCE_S)
    sink.close(PATIENCE_S)
    assert busy.asked == 1 and not sink._thread.is_alive()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", "/v1/metrics"),
        ("/api/v1/otlp", "/api/v1/otlp/v1/metrics"),
        ("/otlp/v1/traces", "/otlp/v1/metrics"),
        ("/v1/metrics", "/v1/metrics"),
        ("/collect", "/collect"),
    ],
)
def test_what_an_endpoint_means(path: str, asked: str) -> None:
    kind = replace(METRICS, path=asked)
    there = Receiver(kind=kind)
    with SERVERS["http"](there) as url:
        collector(Endpoint(f"{url}{path}"), otlp.METRICS).send(otlp.export_request([], "1", "delta"))
    assert there.attempts == 1


@pytest.mark.parametrize("where", ["endpoint", "metrics_endpoint"])
async def test_a_daemon_sends_its_last_run_when_it_ends(tmp_path: Path, where: str) -> None:
    """Spans are sent to `endpoint` only; here nobody takes them, which is no matter for the metrics."""
    with receiver() as (there, url):
        path = tmp_path / "probe.toml"
        path.write_text(
            f'[daemon]\nstate_dir = "{tmp_path}"\n[http]\nport = 0\n[schedules.a]\n'
            f'[otlp]\nmetrics = true\n{where} = "{url}"\nresource = {{ box = "7" }}\n'
        )
        parts = build(config.load(path))
        await parts.dispatch.submit(replace(record(2), started=time.time_ns(), ended=time.time_ns()))
        await parts.dispatch.drain(10)
        parts.close(10)
    page = on_the_page(parts.metrics)
    assert page["voice_probe_sink_errors_total", frozenset({("sink", "otlp_metrics")})] == 0
    sent = received(there.accepted[-1])
    assert sent.keys() == page.keys()
    ok = frozenset({("target", "local"), ("scenario", "default"), ("outcome", "ok")})
    assert sent["voice_probe_runs_total", ok] == 1
    attributes = there.accepted[-1].resource_metrics[0].resource.attributes
    assert ("box", "7") in [(each.key, each.value.string_value) for each in attributes]
