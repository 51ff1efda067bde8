"""The metrics of one run alone."""

import math
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.openmetrics import exposition, parser
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from runs import failed, record, skipped, suspect

from probe.metrics.one_run import one_run
from probe.record import RunRecord

DOCS = (Path(__file__).parents[3] / "docs" / "telemetry.md").read_text("utf-8")


def samples(run: RunRecord) -> dict[str, float]:
    body, content_type = one_run(run, 1.5, "")
    assert content_type.startswith("text/plain")
    families = text_string_to_metric_families(body.decode())
    return {
        sample.name + "".join(f"{{{name}={value}}}" for name, value in sample.labels.items()): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_run_that_is_ok() -> None:
    found = samples(record(1))
    assert found["voice_probe_probe_success"] == 1
    assert found["voice_probe_probe_duration_seconds"] == 1.5
    assert found["voice_probe_probe_outcome{outcome=ok}"] == 1
    assert sum(value for name, value in found.items() if "_outcome{" in name) == 1
    assert found["voice_probe_probe_response_ttfb_seconds"] == 0.3
    assert found["voice_probe_probe_stage_seconds{stage=llm_ttft}"] == 0.05
    assert found["voice_probe_probe_objective_seconds"] == 1.0
    assert not any("_failure{" in name for name in found)


def test_a_run_that_failed_says_where_and_has_no_latency() -> None:
    found = samples(failed(1))
    assert found["voice_probe_probe_success"] == 0
    (failure,) = (name for name in found if "_failure{" in name)
    assert "{server=tts}{stage=tts}" in failure
    assert math.isnan(found["voice_probe_probe_response_ttfb_seconds"])


def test_runs_that_say_nothing_have_no_latency() -> None:
    for run in (skipped(1), suspect(1)):
        found = samples(run)
        assert found["voice_probe_probe_success"] == 0
        assert math.isnan(found["voice_probe_probe_response_ttfb_seconds"])
        assert math.isnan(found["voice_probe_probe_stage_seconds{stage=combined_ttfb}"])


def test_openmetrics_where_that_is_taken() -> None:
    body, content_type = one_run(record(1), 1.5, "application/openmetrics-text")
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def strange() -> RunRecord:
    """No reason has such characters, as long as nobody adds one."""
    run = failed(1)
    assert run.failure is not None
    return replace(run, failure=replace(run.failure, server=None, reason='a "b" \\ \n c'))


class Parsed(Collector):
    """What another collector shows: families that were read from a page."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = [*families]

    def collect(self) -> Iterable[Metric]:
        return self._families


@pytest.mark.parametrize("run", [record(1), failed(1), skipped(1), strange()])
def test_the_page_is_what_the_client_library_would_write(run: RunRecord) -> None:
    plain, both = CollectorRegistry(), CollectorRegistry()
    body, _ = one_run(run, 0.1 + 0.2, "")
    plain.register(Parsed(text_string_to_metric_families(body.decode())))
    assert generate_latest(plain) == body
    body, _ = one_run(run, 1e-7, "application/openmetrics-text")
    families = parser.text_string_to_metric_families(body.decode())  # type: ignore[no-untyped-call]  # its own omission
    both.register(Parsed(families))
    assert exposition.generate_latest(both) == body  # type: ignore[no-untyped-call]  # its own omission


def test_the_docs_explain_each() -> None:
    body, _ = one_run(failed(1), 1.5, "")
    names = set(re.findall(rb"^# TYPE voice_probe_(\w+)", body, re.MULTILINE))
    assert len(names) > 8
    assert {name.decode() for name in names if f"| `{name.decode()}`" not in DOCS} == set()
