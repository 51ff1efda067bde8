"""Made-up days: where they end, that they go on, and which alerts would have fired in them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, takewhile
from statistics import median
from typing import Any

import pytest

from demo_data import rules
from demo_data.cases import CASES, END, HOUR, MINUTE, Moment, hot, moments, weak
from demo_data.fleet import pages
from demo_data.rules import STEP_S, Rule, fired, levels, recorded
from demo_data.scrapes import Sample, scrapes
from demo_data.tsdb import _going_on
from probe.measures import measure_run

NOW = END + 12_345 * MINUTE
# Four steps in which a condition holds, a step in which it does not, and one more.
HELD = [0.0, 1.0, 2.0, 3.0, 5.0]


def runs(case: str, end_s: float = NOW) -> Iterator[Moment]:
    return (moment for together in moments(replace(CASES[case], end_s=end_s)) for moment in together)


def test_a_case_ends_when_it_is_told_to_and_goes_on_from_there() -> None:
    seen = list(takewhile(lambda each: each.due_s < NOW + HOUR, runs("outage")))
    assert seen[0].due_s == NOW - 2 * HOUR
    assert [each.due_s for each in seen[-60:]] == [NOW + minute * MINUTE for minute in range(60)]
    failed = [each for each in seen if each.record and each.record.failure]
    assert failed[0].due_s == NOW - 50 * MINUTE and len(failed) == 110


def test_the_same_happens_whenever_it_ends() -> None:
    """So that a test, which has an end of its own, sees what a person sees."""

    def waits(end_s: float) -> list[bool]:
        return [bool(each.record and each.record.failure) for each in islice(runs("outage", end_s), 120)]

    assert waits(NOW) == waits(END)


def test_a_change_of_five_percent_is_beside_a_spike() -> None:
    case = replace(CASES["drift"], days=54 / 24, end_s=NOW)
    seen = takewhile(lambda each: each[0].due_s < NOW, moments(case))
    waits = [
        (NOW - each.due_s, measure_run(each.record)[0].response_ttfb_ms)
        for (each,) in seen
        if each.record and each.record.turns
    ]

    def usual(from_h: float, to_h: float) -> float:
        return median(wait for ago_s, wait in waits if to_h * HOUR < ago_s <= from_h * HOUR and wait is not None)

    before, after, spike = usual(54, 30), usual(30, 7), usual(7, 6)
    assert after / before == pytest.approx(1.05, abs=0.01)
    assert spike / after == pytest.approx(2.5, abs=0.1)


def test_a_daemon_that_has_just_started_has_its_first_run_ahead() -> None:
    first = next(scrapes(replace(CASES["just-started"], end_s=NOW)))
    values = {sample.series.partition("{")[0]: float(sample.value) for sample in first}
    assert values["voice_probe_next_run_timestamp_seconds"] == NOW
    assert values["voice_probe_last_run_timestamp_seconds"] == 0
    assert first[0].at_s == NOW - 10


def test_a_living_case_answers_with_what_has_happened_since(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = ([Sample("runs", str(n), 100.0 + 15 * n, '{run="a"} 1' if n == 1 else None)] for n in range(9))
    text = _going_on(pages)
    answers = []
    for now_s in (99.0, 120.0, 121.0, 131.0):
        monkeypatch.setattr("time.time", lambda now_s=now_s: now_s)
        answers.append(text().removesuffix("# EOF\n").splitlines())
    assert answers == [[], ["runs 0 100.000", 'runs 1 115.000 # {run="a"} 1 115.000'], [], ["runs 2 130.000"]]


def test_a_box_of_a_fleet_is_known_by_its_labels_until_it_falls_silent() -> None:
    wanted = {("berlin", "kiosk-3"), ("porto", "kiosk-1")}
    boxes = [box for box in CASES["fleet"].boxes if (box.site, box.name) in wanted]
    short = tuple(replace(box, case=replace(box.case, days=2.5 / 24)) for box in boxes)
    sent = list(takewhile(lambda page: page[0].at_s < NOW, pages(replace(CASES["fleet"], boxes=short, end_s=NOW))))
    assert sent == sorted(sent, key=lambda page: page[0].at_s)
    last_s = {re.findall(r'site="(\w+)",box="([\w-]+)"', page[-1].series)[0]: page[0].at_s for page in sent}
    assert set(last_s) == wanted
    assert NOW - last_s["berlin", "kiosk-3"] < 5 * MINUTE
    assert 130 * MINUTE <= NOW - last_s["porto", "kiosk-1"] < 135 * MINUTE


def test_what_happens_in_a_fleet_follows_the_boxes() -> None:
    """One is slower than it was and in time; another has always been slow, and sometimes too slow."""

    def waits(box: str, from_s: float, to_s: float) -> list[float]:
        (case,) = (each.case for each in CASES["fleet"].boxes if each.name == box and each.case.fault in (hot, weak))
        due = (moment for together in moments(replace(case, end_s=NOW)) for moment in together)
        seen = takewhile(lambda each: each.due_s < NOW - to_s, due)
        found = (measure_run(each.record) for each in seen if each.record and each.due_s >= NOW - from_s)
        return [turn.response_ttfb_ms for turns in found for turn in turns if turn.response_ttfb_ms is not None]

    before, after = waits("kiosk-3", 7 * HOUR, 3 * HOUR), waits("kiosk-3", 3 * HOUR, 0)
    assert median(after) / median(before) == pytest.approx(1.4, abs=0.05)
    assert sum(wait > 1000 for wait in after) < len(after) / 20
    always = waits("desk", 7 * HOUR, 0)
    assert len(always) / 20 < sum(wait > 1000 for wait in always) < len(always) / 2


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Prometheus says of each query."""
    known: dict[str, Any] = {}
    monkeypatch.setattr(rules, "ask", lambda _url, _what, **asked: {"result": known[asked["query"]]})
    return known


def test_an_alert_fires_when_its_condition_has_held_for_as_long_as_it_says(answers: dict[str, Any]) -> None:
    values = [[step * STEP_S, "7"] for step in HELD]
    answers["bad"] = [{"metric": {"__name__": "x", "target": "spark"}, "values": values}]
    alert = Rule("bad", {"severity": "critical"}, for_s=1.5 * STEP_S)
    labels = 'target="spark",severity="critical",alertname="VoiceBad"'
    assert list(fired("", {"VoiceBad": alert}, 0, 6 * STEP_S)) == [
        line
        for step in (2, 3)
        for line in (
            f"ALERTS_FOR_STATE{{{labels}}} 0.0 {step * STEP_S:.1f}",
            f'ALERTS{{{labels},alertstate="firing"}} 1 {step * STEP_S:.1f}',
        )
    ]


def test_a_recorded_rule_has_its_own_labels(answers: dict[str, Any]) -> None:
    answers["vector(1)"] = [{"metric": {}, "values": [[240, "1"]]}]
    assert list(recorded("", {"links": Rule("vector(1)", {"runbook": "http://r"})}, 0, 240)) == [
        'links{runbook="http://r"} 1 240'
    ]


def test_a_rule_is_filled_in_after_what_it_needs() -> None:
    made = {"voice_probe:b": Rule("2 * voice_probe:a", {}), "voice_probe:a": Rule("up", {})}
    assert [list(level) for level in levels(made)] == [["voice_probe:a"], ["voice_probe:b"]]
