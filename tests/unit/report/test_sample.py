"""Several runs as one measurement: what is counted, what the figures are, and what is said of too few."""

from collections.abc import Sequence
from dataclasses import replace

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import failed, free_running, record, skipped, suspect

import golden
from probe.record import RunRecord
from probe.report import sample

WIDTHS = (60, 80, 100, 110)
TEN = [record(number, ttfb_ms=200 + 10 * number) for number in range(1, 11)]
MIXED = [*TEN, failed(11), skipped(12), suspect(13), replace(record(14, ttfb_ms=2000), cold=True)]


def text(records: Sequence[RunRecord], width: int = 80) -> str:
    return click.unstyle("\n".join(sample.report(records, width)))


@pytest.mark.parametrize("width", WIDTHS)
def test_the_report(width: int) -> None:
    shown = text(MIXED, width) + "\n"
    golden.check(f"sample_{width}.txt", shown)
    assert max(map(len, shown.splitlines())) <= width


def test_the_figures_are_those_of_warm_runs_that_can_be_trusted() -> None:
    measures = sample.document(MIXED)["measures"]
    assert measures["response_ttfb_ms"] == {
        "n": 10, "p50": 255, "p95": 295.5, "lowest": 210, "highest": 300, "spread": 45,
    }  # fmt: skip
    assert measures["llm_ttft_ms"]["spread"] == 0
    assert "llm_ttfat_ms" not in measures and "llm_tokens_per_second" not in measures


def test_a_model_that_reasons_has_a_figure_of_its_own() -> None:
    assert sample.document([free_running()])["measures"]["llm_ttfat_ms"]["p50"] == 80


def test_every_outcome_is_counted_and_the_worst_is_that_of_all() -> None:
    document = sample.document(MIXED)
    assert document["outcomes"] == {"failed": 1, "suspect": 1, "slow": 1, "skipped": 1, "ok": 10}
    assert document["outcome"] == "failed"
    assert [run["run_id"] for run in document["runs"]] == [each.plan.run_id for each in MIXED]
    assert [sample.worst(each) for each in (TEN, [*TEN, skipped()], [skipped(), suspect()], [])] == [
        "ok", "skipped", "suspect", "skipped",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("records", "remark"),
    [
        (TEN[:1], "One run is not a measurement"),
        (TEN, "With fewer than 20 runs, p95 is close"),
        ([failed()], "No run has figures that can be trusted."),
        (MIXED, "1 cold run, for which a model was loaded: in no figure."),
    ],
)
def test_what_limits_the_figures_is_said(records: list[RunRecord], remark: str) -> None:
    assert remark in " ".join(text(records).split())
    assert any(remark in each for each in sample.document(records)["remarks"])


def test_twenty_runs_are_enough() -> None:
    assert list(sample.remarks([record(number) for number in range(20)])) == []


def test_one_run_has_no_spread() -> None:
    (row,) = (line for line in text(TEN[:1]).splitlines() if line.startswith("First byte"))
    assert row.split() == ["First", "byte", "(TTFB)", "1", "210", "-", "-", "-", "-"]


def test_progress_is_a_line_per_run() -> None:
    assert sample.progress("1 of 3", TEN[0]) == "run 1 of 3: ok: first byte 210 ms, first sound 310 ms"
    assert sample.progress("2", skipped()) == (
        "run 2: skipped: all its slots are taken; LLM server: No slots available (max 1)"
    )


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_quantile_lies_within(values: list[float], share: float) -> None:
    ordered = sorted(values)
    assert ordered[0] <= sample.quantile(ordered, share) <= ordered[-1] * (1 + 1e-12)
    assert (sample.quantile(ordered, 0), sample.quantile(ordered, 1)) == (ordered[0], ordered[-1])
