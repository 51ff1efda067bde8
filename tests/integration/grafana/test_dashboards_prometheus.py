"""Every expression of every panel returns data from a real Prometheus with days of runs and our recording rules."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import dashboards
from demo_data.cases import CASES, DAY, END, HOUR
from demo_data.rules import ask
from demo_data.tsdb import prometheus

RULES = Path(__file__).parents[3] / "deploy" / "prometheus"
# What has to be compared with a day or a week ago, or with a baseline, has nothing to say on the first day.
NEEDS_A_PAST = ("offset 1d", "offset 1w", "offset 2d", "stage_drift:ratio", "stage_seconds:baseline", "_drift_")
# What is to blame, the last bad run and alerts have no value while all is well.
NEEDS_TROUBLE = ("> 2 < 7", "ALERTS{", "voice_probe_last_change_")

# An agent has what a target of three servers has not: tests/integration/grafana/test_whole_wait.py is about it.
NEEDS_AN_AGENT = "interrupted_seconds"

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def incident(prometheus_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    case = replace(CASES["incident"], hours=range(9, 13), fine_for_s=4 * HOUR)
    with prometheus(case, prometheus_binaries, tmp_path_factory.mktemp("incident"), RULES) as url:
        yield url


@pytest.fixture(scope="module")
def outage(prometheus_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(CASES["outage"], prometheus_binaries, tmp_path_factory.mktemp("outage"), RULES) as url:
        yield url


@pytest.fixture(scope="module")
def skipped(prometheus_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(CASES["skipped"], prometheus_binaries, tmp_path_factory.mktemp("skipped"), RULES) as url:
        yield url


@pytest.fixture(scope="module")
def first_day(prometheus_binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with prometheus(CASES["first-day"], prometheus_binaries, tmp_path_factory.mktemp("first-day"), RULES) as url:
        yield url


def test_no_panel_is_empty(incident: str) -> None:
    asked = [query for query in dashboards.queries() if NEEDS_AN_AGENT not in query.expr]
    assert len(asked) > 40
    assert [str(query) for query in asked if not has_data(incident, query)] == []


def test_on_the_first_day_only_comparisons_are_empty(first_day: str) -> None:
    empty = [query for query in dashboards.queries() if not has_data(first_day, query)]
    known = (*NEEDS_A_PAST, *NEEDS_TROUBLE, NEEDS_AN_AGENT)
    assert [str(query) for query in empty if not any(reason in query.expr for reason in known)] == []
    assert verdict(first_day, "Is it good now?") == 2
    assert verdict(first_day, "Is it drifting?") == 2
    assert column(first_day, "How often is it in time?", 3) == pytest.approx(0.1)
    assert [labels["alertname"] for labels in rows(first_day, "Alerts that fire")] == ["none"]


def test_the_incident_is_seen_for_what_it_is(incident: str) -> None:
    assert verdict(incident, "Is it good now?") == 5
    assert verdict(incident, "Is it good now?", at_s=END - 3 * HOUR) == 2
    assert verdict(incident, "Is it drifting?") == 1
    assert verdict(incident, "Is it drifting?", at_s=END - 3 * HOUR) == 0
    # The whole wait of a target that hears: three quarters of a second more, of 1.35 s.
    assert verdict(incident, "By how much?") == pytest.approx(0.555, abs=0.07)
    assert END - 95 * 60 < verdict(incident, "Since when") / 1000 < END - 70 * 60
    assert verdict(incident, "Is the probe well?") == 0
    assert verdict(incident, "First byte now") == pytest.approx(1.35, abs=0.1)
    left, before = (column(incident, "How often is it in time?", 4, at_s) for at_s in (END, END - 3 * HOUR))
    assert left is not None and before is not None and left < before
    (moved,) = rows(incident, "Which stage has moved most?")
    assert moved["stage"] == "tts_ttfb"


def test_the_incident_says_since_when_where_which_run_and_which_alerts(incident: str) -> None:
    table = "Since when, and at which stage?"
    assert column(incident, table, 1) == pytest.approx(1000 * (END - 80 * 60), abs=1000 * 600)
    (blamed,) = rows(incident, table, 2)
    assert (blamed["server"], blamed["stage"]) == ("tts", "tts_ttfb")
    assert column(incident, table, 3) == pytest.approx(0.99, abs=0.1), "takes"
    assert column(incident, table, 4) == pytest.approx(0.24, abs=0.02), "usually"
    assert column(incident, table, 5) == pytest.approx(1000 * (END - 5 * 60), abs=1000 * 300)
    firing = {labels["alertname"]: labels for labels in rows(incident, "Alerts that fire")}
    assert {"VoiceFirstAudioLate", "VoiceEveryAttemptMissed"} <= set(firing)
    assert firing["VoiceFirstAudioLate"]["runbook"].endswith("/runbook")
    assert column(incident, "How often is it in time?", 3) == pytest.approx(9, abs=0.2)


def test_a_change_of_the_machine_is_marked_on_every_dashboard_that_shows_a_wait(incident: str) -> None:
    marks = [query for query in dashboards.queries() if query.panel == "What else changed"]
    assert sorted(query.dashboard for query in marks) == ["drift", "machine", "voice-latency"]
    for query in marks:
        (series,) = ask(incident, "query_range", query=query.expr, start=END - 4 * HOUR, end=END, step=60)["result"]
        assert series["metric"] == {"target": "spark", "scenario": "joke", "kind": "clock_cap"}
        moments_ms = {float(value) for _, value in series["values"]}
        assert [round((END - ms / 1000) / 60) for ms in moments_ms] == [90]


def test_a_server_that_is_down_has_no_latency(outage: str) -> None:
    assert verdict(outage, "Is it good now?") == 6
    assert verdict(outage, "Is it good now?", at_s=END - HOUR) == 2
    about = ("First byte now", "First sound now", "Which stage takes")
    waits = [query for query in dashboards.queries() if query.panel.startswith(about)]
    assert [has_data(outage, query, since_s=END - 600) for query in waits] == [False] * 5
    assert [has_data(outage, query, since_s=END - HOUR) for query in waits] == [False, False, True, True, True]
    failed = next(query for query in dashboards.queries() if query.panel == "Failures in the time shown")
    (series,) = ask(outage, "query", query=failed.expr, time=END)["result"]
    assert [series["metric"][label] for label in ("server", "stage", "reason")] == ["llm", "connect", "refused"]
    (blamed,) = rows(outage, "Since when, and at which stage?", 2)
    assert [blamed[label] for label in ("server", "stage", "reason")] == ["llm", "connect", "refused"]
    assert column(outage, "Since when, and at which stage?", 3) is None, "it is no stage that takes time"
    assert "VoiceTargetFailing" in {labels["alertname"] for labels in rows(outage, "Alerts that fire")}


def test_what_is_not_measured_is_not_good(skipped: str) -> None:
    since = END - 3 * HOUR
    assert verdict(skipped, "Is it good now?", at_s=since - 60) == 2
    assert verdict(skipped, "Is it good now?", at_s=since + 35 * 60) == 1
    assert verdict(skipped, "Is it good now?") == 1
    assert verdict(skipped, "Is it drifting?") == 3
    last_stages = ("First byte now", "First sound now", "Which stage takes", "Change by", "Medians against", "By how")
    shown = [query for query in dashboards.queries() if query.panel.startswith(last_stages)]
    assert len(shown) == 8
    assert [str(query) for query in shown if has_data(skipped, query, since_s=since + 35 * 60)] == []


def test_a_target_is_named_for_an_hour_after_its_probe_has_gone(incident: str) -> None:
    """The rule of its state goes on meanwhile, in a Prometheus that evaluates rules."""
    assert [labels["target"] for labels in rows(incident, "Is it good now?", at_s=END + 50 * 60)] == ["spark"]
    assert rows(incident, "Is it good now?", at_s=END + 70 * 60) == []


def test_exemplars_lead_from_a_panel_to_a_trace(incident: str) -> None:
    query = next(query for query in dashboards.queries() if query.panel == "Each turn's wait")
    found = ask(incident, "query_exemplars", query=query.expr, start=END - HOUR, end=END)
    exemplars = [exemplar for series in found for exemplar in series["exemplars"]]
    assert len(exemplars) > 20
    assert all(len(exemplar["labels"]["trace_id"]) == 32 for exemplar in exemplars)


def has_data(url: str, query: dashboards.Query, since_s: float = END - DAY) -> bool:
    """Whether anything but NaN comes back, as the panel asks for it."""
    if query.instant:
        values = [series["value"] for series in ask(url, "query", query=query.expr, time=END)["result"]]
    else:
        result = ask(url, "query_range", query=query.expr, start=since_s, end=END, step=300)["result"]
        values = [value for series in result for value in series["values"]]
    return any(math.isfinite(float(value)) for _, value in values)


def verdict(url: str, panel: str, at_s: float = END) -> float:
    """The one value of a panel's first query."""
    query = next(query for query in dashboards.queries() if query.panel == panel)
    (series,) = ask(url, "query", query=query.expr, time=at_s)["result"]
    return float(series["value"][1])


def rows(url: str, panel: str, index: int = 0, at_s: float = END) -> list[dict[str, str]]:
    """The labels of what a panel's query returns."""
    return [series["metric"] for series in _asked(url, panel, index, at_s)]


def column(url: str, panel: str, index: int, at_s: float = END) -> float | None:
    """The value of the one line that a table's query returns; None where it returns none."""
    values = [float(series["value"][1]) for series in _asked(url, panel, index, at_s)]
    assert len(values) < 2
    return values[0] if values else None


def _asked(url: str, panel: str, index: int, at_s: float) -> list[dict[str, Any]]:
    query = [query for query in dashboards.queries() if query.panel == panel][index]
    found: list[dict[str, Any]] = ask(url, "query", query=query.expr, time=at_s)["result"]
    return found
