"""The dashboard of many boxes: it is what its code makes, and each panel explains itself."""

import json
import re
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

import dashboards
from boards import fleet
from boards.frame import to_json
from boards.texts import PAGES, descriptions

FILE = fleet.FOLDER / "fleet.json"
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
PANELS = dashboards.panels(DOCUMENT)
LABEL = re.compile(r"\{\{(\w+)\}\}")


def test_the_file_is_what_the_code_makes() -> None:
    assert FILE.read_text("utf-8") == to_json(fleet.build(), "fleet"), "make dashboards"


def test_grafana_knows_every_key() -> None:
    register_default_plugins()
    read = json.loads(json.dumps(Dashboard.from_json(DOCUMENT), cls=JSONEncoder))
    assert [each["title"] for each in read["panels"]] == [each["title"] for each in DOCUMENT["panels"]]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_answers_and_what_to_do(panel: dict[str, Any]) -> None:
    answer, _, advice = panel["description"].partition("\n\n")
    assert "?" in answer and len(advice) > 40
    for target in panel["targets"]:
        assert set(LABEL.findall(target.get("legendFormat", ""))) <= {"site", "box"}


def test_its_page_has_every_panel_and_no_other() -> None:
    assert list(descriptions("fleet")) == [panel["title"] for panel in PANELS]
    rows = [panel["title"] for panel in DOCUMENT["panels"] if panel["type"] == "row"]
    page = (PAGES / "fleet.md").read_text("utf-8")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["At a glance", *rows]


def test_panels_fill_their_rows() -> None:
    """Each row of panels is 24 wide."""
    tops = {panel["gridPos"]["y"] for panel in PANELS}
    widths = [sum(panel["gridPos"]["w"] for panel in PANELS if panel["gridPos"]["y"] == top) for top in tops]
    assert set(widths) == {24}


def test_every_rule_is_one_of_the_fleets() -> None:
    rules = (fleet.FOLDER / "voice_probe_fleet.yml").read_text("utf-8")
    used = set(re.findall(r"voice_probe_fleet:[\w:]+", FILE.read_text("utf-8")))
    assert len(used) > 8
    assert used <= set(re.findall(r"- record: (\S+)", rules))
