"""The metrics of one run alone."""

import math
import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
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


def test_the_docs_explain_each() -> None:
    body, _ = one_run(failed(1), 1.5, "")
    names = set(re.findall(rb"^# TYPE voice_probe_(\w+)", body, re.MULTILINE))
    assert len(names) > 8
    assert {name.decode() for name in names if f"| `{name.decode()}`" not in DOCS} == set()
