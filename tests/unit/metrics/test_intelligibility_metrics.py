"""How well answers were understood, as metrics."""

import math
from dataclasses import replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from runs import NOT_UNDERSTOOD, UNDERSTOOD, record

from probe.metrics.intelligibility import NOT_TRANSCRIBED
from probe.metrics.registry import Metrics
from probe.transcription import Mishap

PAIR = {"target": "local", "scenario": "default"}


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    page = metrics.render("text/plain")[0].decode()
    return {
        (sample.name.removeprefix("voice_probe_"), *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if "answer" in sample.name
    }


def test_only_where_answers_are_transcribed_there_are_series_and_all_of_them_at_once() -> None:
    metrics: Any = Metrics("1", [])
    metrics.expect([("local", "default")])
    assert values(metrics) == {}
    metrics.intelligibility.expect([("local", "default")])
    found = values(metrics)
    assert found["answer_word_error_ratio_count", "default", "local"] == 0
    assert math.isnan(found["last_answer_word_error_ratio", "default", "local"])
    missing = [key for key in found if key[0] == "answers_not_transcribed_total"]
    assert len(missing) == sum(map(len, NOT_TRANSCRIBED.values()))


def test_a_rate_is_a_gauge_and_in_a_bucket_and_a_mishap_is_counted_by_its_reason() -> None:
    metrics = Metrics("1", [])
    metrics.intelligibility.count(record(), UNDERSTOOD)
    metrics.intelligibility.count(record(), NOT_UNDERSTOOD)
    given_up = replace(NOT_UNDERSTOOD, mishap=Mishap("wait", "users", "2 streams in use"))
    metrics.intelligibility.count(record(), given_up)
    found = values(metrics)
    assert found["last_answer_word_error_ratio", "default", "local"] == 1 / 7
    assert found["answer_word_error_ratio_count", "default", "local"] == 1
    assert found["answer_word_error_ratio_bucket", "0.1", "default", "local"] == 0
    assert found["answer_word_error_ratio_bucket", "0.15", "default", "local"] == 1
    counted = {key[1:]: value for key, value in found.items() if key[0] == "answers_not_transcribed_total" and value}
    assert counted == {
        ("default", "local", "server_error", "stt"): 1,
        ("default", "local", "users", "wait"): 1,
    }


def test_the_gauge_goes_on_after_a_restart() -> None:
    metrics = Metrics("1", [])
    metrics.restore([replace(record(1), transcription=UNDERSTOOD), replace(record(2), transcription=NOT_UNDERSTOOD)])
    found = values(metrics)
    assert found["last_answer_word_error_ratio", "default", "local"] == 1 / 7
    assert found["answer_word_error_ratio_count", "default", "local"] == 0
