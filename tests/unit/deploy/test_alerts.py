"""Every alert says what a person needs at night, has its section of the runbook, and is tested."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ALERTS = (ROOT / "deploy" / "prometheus" / "voice_probe_alerts.yml").read_text("utf-8")
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
RULE_TESTS = "".join(path.read_text("utf-8") for path in (ROOT / "tests" / "rules").glob("*.yml"))
NAMES = re.findall(r"- alert: (\w+)", ALERTS)
BODIES = dict(zip(NAMES, ALERTS.split("- alert: ")[1:], strict=True))


def test_each_alert_has_a_section_of_the_runbook_and_each_section_an_alert() -> None:
    assert re.findall(r"^## (Voice\w+)$", RUNBOOK, re.MULTILINE) == NAMES
    sections = RUNBOOK.split("\n## Voice")[1:]
    assert [section for section in sections if not all(word in section for word in ("**It means**", "**Do**"))] == []


def test_the_runbook_links_to_what_is_there() -> None:
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## ([\w ]+)$", RUNBOOK, re.MULTILINE)}
    assert set(re.findall(r"\]\(#(.+?)\)", RUNBOOK)) <= headings
    files = re.findall(r"\]\(([^#)]+)\)", RUNBOOK)
    assert [path for path in files if not (ROOT / "docs" / path).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_says_how_bad_it_is_where_and_what_to_do(name: str) -> None:
    body = BODIES[name]
    assert re.search(r"labels: {severity: (critical|warning), about: (target|audio|latency|probe)}", body)
    for annotation in ("summary", "description", "stage", "dashboard", "runbook_url"):
        assert f" {annotation}: " in body
    assert "$value" in body or "summary: *late" in body or "summary: &late" in body
    assert f'docs/runbook.md#{name.lower()}"' in body


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_tested_to_fire_with_its_annotations_and_to_be_quiet(name: str) -> None:
    fires = rf"- alertname: {name}\n +eval_time: \w+\n +exp_alerts:\n +- exp_labels"
    assert re.search(fires, RULE_TESTS)
    watched = re.findall(r'expr: .*ALERTS{alertname=~?"(.+?)".*\n +eval_time: \w+\n +exp_samples: \[\]', RULE_TESTS)
    assert any(re.fullmatch(pattern, name) for pattern in watched)


def test_the_secrets_of_alertmanager_are_in_files() -> None:
    text = (ROOT / "deploy" / "alertmanager" / "alertmanager.yml").read_text("utf-8")
    assert re.findall(r"(?:password|credentials|token|secret)(?!_file)\w*:", text) == []
