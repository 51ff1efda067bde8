"""What surrounds the panels: variables, links to the other dashboards, and the JSON."""

import json
from typing import Any

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from boards.palette import CHANGE_FOUND, OTHER_CHANGE, SERVING_CHANGED
from boards.queries import DATASOURCE, PAIRS
from boards.texts import descriptions, heading
from probe.drift.events import OF_SERVING

TAG = "voice-probe"
ALL = VariableOption(text="All", value="$__all")
FIRST = VariableOption(text="Prometheus", value="prometheus")


def board(title: str, uid: str, text: str, since: str, refresh: str) -> dashboard.Dashboard:
    """An empty dashboard that shows the time from `since`, such as `now-6h`."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(text)
        .tags([TAG])
        .time(since, "now")
        .refresh(refresh)
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(_labels("target", "Target", "label_values(voice_probe_up, target)"))
        .with_variable(_labels("scenario", "Scenario", 'label_values(voice_probe_up{target=~"$target"}, scenario)'))
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus").current(FIRST))
        .link(
            dashboard.DashboardLink("Voice probe")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(False)
            .include_vars(True)
        )
    )


def changes() -> dashboard.AnnotationQuery:
    """A line at each moment since when something else serves: its value is that moment, in ms as Grafana wants it."""
    since = f"voice_probe_serving_since_timestamp_seconds{{{PAIRS}}}"
    return (
        dashboard.AnnotationQuery()
        .name("Changes")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(SERVING_CHANGED)
        .expr(f"1000 * max by (target, scenario, llm, tts, config) ({since})")
        .title_format("The model or the configuration has changed")
        .text_format("{{target}} · {{scenario}}: {{llm}}, {{tts}}, settings {{config}}")
        .use_value_for_time(True)
    )


def found() -> dashboard.AnnotationQuery:
    """A line at each moment since when, as the daemon has found, latencies are others."""
    return (
        dashboard.AnnotationQuery()
        .name("Drift found")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(CHANGE_FOUND)
        .expr(f"1000 * max by (target, scenario) (voice_probe_drift_since_timestamp_seconds{{{PAIRS}}} > 0)")
        .title_format("Latencies have changed")
        .text_format("{{target}} · {{scenario}}: the daemon has found a change that began here")
        .use_value_for_time(True)
    )


def happened() -> dashboard.AnnotationQuery:
    """A line at the first run after a change of the machine or its servers; those of `changes` are not in it."""
    since = f'voice_probe_last_change_timestamp_seconds{{{PAIRS},kind!~"{"|".join(OF_SERVING)}"}}'
    return (
        dashboard.AnnotationQuery()
        .name("What else changed")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(OTHER_CHANGE)
        .expr(f"1000 * max by (target, scenario, kind) ({since})")
        .title_format("Something has changed: {{kind}}")
        .text_format("{{target}} · {{scenario}}: `probe drift` names it")
        .use_value_for_time(True)
    )


def row(built: dashboard.Dashboard, title: str, *panels: Builder[Panel]) -> dashboard.Dashboard:
    """Add panels under a title; under none, where it is empty."""
    built = built.with_row(dashboard.Row(title)) if title else built
    for panel in panels:
        built = built.with_panel(panel)
    return built


def to_json(built: dashboard.Dashboard, page: str) -> str:
    """The text of the file that Grafana reads; `page` of the documents describes its panels."""
    document = json.loads(json.dumps(built.build(), cls=JSONEncoder))
    told = descriptions(page)
    for panel in document["panels"]:
        if panel["type"] != "row":
            panel["description"] = told[heading(panel["title"])]
            # Like a variable's `auto`: the builder writes what Grafana 12.4 has no more.
            panel["options"].pop("footer", None)
    for variable in document["templating"]["list"]:
        for key in ("auto", "auto_count", "auto_min"):
            variable.pop(key, None)
    return json.dumps(_in_the_open(document), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _labels(name: str, label: str, query: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"{name}s"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(ALL)
    )


def _in_the_open(value: Any) -> Any:
    """Without the builder's default of hiding links and annotations in a menu."""
    if isinstance(value, dict):
        kept = {key: _in_the_open(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if (key, each) != ("placement", "inControlsMenu")}
    return [_in_the_open(each) for each in value] if isinstance(value, list) else value
