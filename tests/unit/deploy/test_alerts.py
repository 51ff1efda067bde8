"""Every alert says what a person needs at night, has its section of the runbook, and is tested."""

import json
import re
from pathlib import Path

import pytest

from probe.config.daemon import HttpConfig
from probe.daemon.runbook import FOLDER, SERVED, pages

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
    for annotation in ("summary", "description", "stage", "dashboard", "dashboard_url", "runbook_url"):
        assert f" {annotation}: " in body
    assert "$value" in body or "summary: *late" in body or "summary: &late" in body
    assert re.search(rf"runbook_url: .+#{name.lower()}'$", body, re.MULTILINE)


def test_links_are_absolute_and_lead_to_what_is_there() -> None:
    """By default to the daemon's own page and to the Grafana beside it; there is one place to change that."""
    links = dict(re.findall(r"^ +(runbook|grafana): (\S+)$", ALERTS, re.MULTILINE))
    assert links == {"runbook": "http://127.0.0.1:9850/runbook", "grafana": "http://127.0.0.1:3000"}
    assert HttpConfig().port == 9850
    page = pages()["/runbook"]("").body.decode()
    assert [name for name in NAMES if f'<h2 id="{name.lower()}">{name}</h2>' not in page] == []
    boards = {json.loads(path.read_text("utf-8"))["uid"] for path in (ROOT / "grafana" / "dashboards").glob("*.json")}
    assert set(re.findall(r"/d/([\w-]+)", ALERTS)) == boards


@pytest.mark.parametrize("name", SERVED)
def test_the_pages_that_are_installed_are_the_documents(name: str) -> None:
    assert (FOLDER / f"{name}.md").read_text("utf-8") == (ROOT / "docs" / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_an_alert_is_tested_to_fire_with_its_annotations_and_to_be_quiet(name: str) -> None:
    fires = rf"- alertname: {name}\n +eval_time: \w+\n +exp_alerts:\n +- exp_labels"
    assert re.search(fires, RULE_TESTS)
    watched = re.findall(r'expr: .*ALERTS{alertname=~?"(.+?)".*\n +eval_time: \w+\n +exp_samples: \[\]', RULE_TESTS)
    assert any(re.fullmatch(pattern, name) for pattern in watched)


def test_the_secrets_of_alertmanager_are_in_files() -> None:
    text = (ROOT / "deploy" / "alertmanager" / "alertmanager.yml").read_text("utf-8")
    assert re.findall(r"(?:password|credentials|token|secret)(?!_file)\w*:", text) == []
