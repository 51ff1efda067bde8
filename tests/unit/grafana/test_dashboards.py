"""The dashboards are what their code makes, and each panel explains itself."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

import dashboards
from boards.files import DASHBOARDS, FOLDER
from boards.frame import to_json
from boards.palette import GOOD
from boards.texts import PAGES, descriptions, heading
from probe.record import REASONS

ROOT = Path(__file__).parents[3]
DOCUMENTS = dashboards.documents()
PANELS = [panel for document in DOCUMENTS.values() for panel in dashboards.panels(document)]
EACH_PANEL = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
RECORDED = re.compile(r"- record: (\S+)")
USED = re.compile(r"voice_probe[\w:]+")
LABEL = re.compile(r"\{\{(\w+)\}\}")
# The suffixes of a histogram's and a counter's name on the page.
SUFFIX = re.compile(r"_(bucket|sum|count)$")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_file_is_what_the_code_makes(name: str) -> None:
    made = to_json(DASHBOARDS[name](), name)
    assert (FOLDER / f"{name}.json").read_text("utf-8") == made, "make dashboards"


def test_there_is_no_other_file() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(DASHBOARDS)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafana_knows_every_key(name: str) -> None:
    register_default_plugins()
    document = DOCUMENTS[name]
    read = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))
    assert sorted(lost(document, read)) == []


@EACH_PANEL
def test_a_panel_says_what_it_answers_and_what_to_do(panel: dict[str, Any]) -> None:
    answer, _, advice = panel["description"].partition("\n\n")
    assert "?" in answer, "it begins with the question"
    assert len(advice) > 40
    assert len(panel["title"]) < 45


@EACH_PANEL
def test_a_panel_has_a_unit_and_a_legend(panel: dict[str, Any]) -> None:
    options = panel["options"]
    assert panel["fieldConfig"]["defaults"]["unit"]
    if panel["type"] == "heatmap":
        assert options["yAxis"]["unit"] == "s"
    elif panel["type"] in ("timeseries", "state-timeline"):
        assert options["legend"]["showLegend"] is True
        assert all(target["legendFormat"] for target in panel["targets"])
    elif panel["type"] == "stat":
        assert all(target["legendFormat"] for target in panel["targets"])
        assert panel["fieldConfig"]["defaults"]["noValue"], "a word for the first day"


@EACH_PANEL
def test_a_legend_names_only_labels_that_the_query_keeps(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert set(LABEL.findall(target.get("legendFormat", ""))) <= kept_labels(target["expr"]) | {"le"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_only_the_fixed_data_source_is_asked(name: str) -> None:
    document = DOCUMENTS[name]
    assert uids(document["panels"]) | uids(document["annotations"]) == {"${datasource}"}
    chosen = next(each for each in document["templating"]["list"] if each["name"] == "datasource")
    provisioned = (ROOT / "grafana/provisioning/datasources/voice-probe.yaml").read_text("utf-8")
    assert f"uid: {chosen['current']['value']}\n" in provisioned
    assert "datasourceUid: tempo\n" in provisioned and "uid: tempo\n" in provisioned


def test_every_metric_is_the_daemons_or_a_recording_rules() -> None:
    golden = (ROOT / "tests" / "golden" / "metrics.txt").read_text("utf-8")
    known = {line.split(" ")[0] for line in golden.splitlines() if not line.startswith(" ")}
    for rules in (ROOT / "deploy" / "prometheus").glob("*.yml"):
        known |= set(RECORDED.findall(rules.read_text("utf-8")))
    used = {name for query in dashboards.queries() for name in USED.findall(query.expr)}
    assert len(used) > 20
    assert {name for name in used if name not in known and SUFFIX.sub("", name) not in known} == set()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_its_page_has_every_panel_and_no_other(name: str) -> None:
    titles = [heading(panel["title"]) for panel in dashboards.panels(DOCUMENTS[name])]
    assert list(descriptions(name)) == titles
    rows = [panel["title"] for panel in DOCUMENTS[name]["panels"] if panel["type"] == "row"]
    page = (PAGES / f"{name}.md").read_text("utf-8")
    assert re.findall(r"^## (.+)$", page, re.MULTILINE) == ["At a glance", *rows]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_its_page_has_pictures_and_says_how_they_are_made(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    pictures = re.findall(r"!\[[^]]+\]\((\S+)\)", page)
    assert pictures
    for picture in pictures:
        assert (PAGES / picture).stat().st_size < 450_000
    assert "make demo-data-" in page and "make pictures" in page and "(../images/pictures.json)" in page


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_a_text_refers_to_is_there(name: str) -> None:
    titles = {heading(panel["title"]) for panel in PANELS} | {document["title"] for document in DOCUMENTS.values()}
    for text in descriptions(name).values():
        referred = re.findall(r"(?<![*\w])\*(?!\*)([A-Z0-9][^*]+)\*(?!\*)", text)
        assert set(referred) <= titles


def test_two_scenarios_never_have_the_same_color() -> None:
    for panel in PANELS:
        if any("{{scenario}}" in target.get("legendFormat", "") for target in panel["targets"]):
            assert colors_of(panel, "byRegexp") == [], panel["title"]


def test_no_failure_has_the_color_of_what_is_well() -> None:
    (panel,) = (panel for panel in PANELS if panel["title"] == "Failures by stage, reason and server")
    named = [each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]]
    assert {f"/ {stage} /" for stage in REASONS} <= set(named)
    assert GOOD not in {each["fixedColor"] for each in colors_of(panel, "byRegexp")}


def colors_of(panel: dict[str, Any], matcher: str) -> list[dict[str, str]]:
    """What a panel says of the colours of series that it finds so."""
    overrides = [each for each in panel["fieldConfig"]["overrides"] if each["matcher"]["id"] == matcher]
    return [each["value"] for override in overrides for each in override["properties"] if each["id"] == "color"]


def test_the_dashboards_link_to_each_other() -> None:
    for document in DOCUMENTS.values():
        assert document["links"][0]["tags"] == document["tags"] == ["voice-probe"]
        assert document["graphTooltip"] == 1, "the crosshair is shared"


def test_a_run_leads_to_its_trace_and_an_alert_to_its_section_of_the_runbook() -> None:
    """Sections of the runbook are called as alerts are, in lower case: tests/unit/deploy has that."""
    url = link_of("Since when, and at which stage?", "Last bad run").replace("${__value.text}", "20231114T221320Z")
    path, query = url.split("?")
    (pane,) = json.loads(parse_qs(query)["panes"][0]).values()
    assert path == "/explore" and pane["datasource"] == "tempo"
    assert pane["queries"][0]["query"] == '{span.probe.run_id=~"20231114T221320Z.*"}'
    assert link_of("Alerts that fire", "Alert") == "${__data.fields.Runbook}#${__data.fields.Page}"
    lower = next(each for each in titled("Alerts that fire")["transformations"] if each["id"] == "formatString")
    assert lower["options"] == {"stringField": "page", "outputFormat": "Lower Case"}


def titled(title: str) -> dict[str, Any]:
    return next(panel for panel in PANELS if panel["title"] == title)


def link_of(title: str, column: str) -> str:
    """Where a click on a cell of that column leads."""
    overrides = titled(title)["fieldConfig"]["overrides"]
    of_column = next(each["properties"] for each in overrides if each["matcher"]["options"] == column)
    links = next(each["value"] for each in of_column if each["id"] == "links")
    return str(links[0]["url"])


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_fill_their_rows(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DOCUMENTS[name]["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
    depth = max(y for _, y in taken) + 1
    assert {(x, y) for x in range(24) for y in range(depth)} == taken


def lost(written: Any, read: Any, where: str = "") -> list[str]:
    """Keys and values that a reader who knows Grafana's schema has not kept."""
    if isinstance(written, dict):
        missing = [f"{where}.{key}" for key in written if not isinstance(read, dict) or key not in read]
        both = [key for key in written if isinstance(read, dict) and key in read]
        return missing + [each for key in both for each in lost(written[key], read[key], f"{where}.{key}")]
    if isinstance(written, list):
        return [each for one, other in zip(written, read, strict=True) for each in lost(one, other, f"{where}[]")]
    return [] if written == read else [where]


def test_a_misspelt_key_is_found() -> None:
    register_default_plugins()
    document = json.loads(json.dumps(DOCUMENTS["probe"]))
    panel = dashboards.panels(document)[0]
    panel["options"]["colourMode"] = "background"
    read = json.loads(json.dumps(Dashboard.from_json(document), cls=JSONEncoder))
    assert ".panels[].options.colourMode" in lost(document, read)


def kept_labels(expr: str) -> set[str]:
    """Labels that an expression's result may have: those of any aggregation in it, or all where there is none."""
    grouped = re.findall(r"\bby \(([^)]*)\)", expr)
    grouped += re.findall(r'"(\w+)", " ", "', expr)
    recorded = {"target", "scenario", "stage"} if "voice_probe:" in expr else set()
    return {label.strip() for each in grouped for label in each.split(",")} | recorded | {"instance"}


def uids(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["datasource"]["uid"]} if "uid" in (value.get("datasource") or {}) else set()
        return own.union(*(uids(each) for each in value.values()))
    return set().union(*(uids(each) for each in value)) if isinstance(value, list) else set()
