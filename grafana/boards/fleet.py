"""Fleet: many boxes at a central store, the worst first. The rules of deploy/fleet that it asks have `site` and `box`.

No dashboard of a single box's Grafana, whose series have neither: its file is in deploy/fleet.
"""

from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models.common import BigValueColorMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataTransformerConfig,
    DynamicConfigValue,
    VariableRefresh,
    VariableSort,
)

from boards.frame import ALL, FIRST, TAG, row
from boards.palette import BAD, GOOD, QUIET, STATES, WARN
from boards.panels import lines, shown_in, sized, steps, style, tiles, timeline
from boards.queries import DATASOURCE, now, over_time, rows
from boards.tables import coloured, empty, filled, listing

FOLDER = Path(__file__).parents[2] / "deploy" / "fleet"
_BOXES = 'site=~"$site"'
_WITHIN = f"voice_probe_fleet:box_within_objective:ratio_1h{{{_BOXES}}}"
_BOX = "{{site}} · {{box}}"
_NO_DATA = "No data: do boxes write here, and does vmalert run?"


def build() -> dashboard.Dashboard:
    """The dashboard for people with many boxes."""
    built = (
        dashboard.Dashboard("Fleet")
        .uid("voice-fleet")
        .description("Which boxes are worst, and is it a box or what all of them share?")
        .tags([TAG])
        .time("now-24h", "now")
        .refresh("1m")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(_site())
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus").current(FIRST))
    )
    built = row(built, "", _within(), _slower(), _reporting(), _gone())
    built = row(built, "Boxes", _worst(), _over_time())
    built = row(built, "All of them together", _first_audio(), _stopped())
    return row(built, "What they run", _versions(), _models())


def _site() -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable("site")
        .label("Site")
        .datasource(DATASOURCE)
        .query({"query": "label_values(voice_probe_fleet:box:reporting, site)", "refId": "sites"})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(ALL)
    )


def _share(title: str, name: str, *limits: tuple[float | None, str]) -> stat.Panel:
    panel = tiles(title, now(f"voice_probe_fleet:{name}:ratio", "boxes"), unit="percentunit").decimals(0)
    return sized(panel.thresholds(steps(*limits)).no_value(_NO_DATA), 6, 5)


def _within() -> stat.Panel:
    limits = ((None, BAD), (0.8, WARN), (0.95, GOOD))
    return _share("Boxes within the objective", "boxes_within_objective", *limits)


def _slower() -> stat.Panel:
    return _share("Boxes that became slower", "boxes_slower", (None, GOOD), (0.1, WARN), (0.33, BAD))


def _count(title: str, name: str) -> stat.Panel:
    panel = tiles(title, now(f"voice_probe_fleet:boxes:{name}", "boxes"), unit="none").decimals(0)
    return sized(panel.color_mode(BigValueColorMode.NONE).no_value(_NO_DATA), 6, 5)


def _reporting() -> stat.Panel:
    return _count("Boxes that report", "reporting")


def _gone() -> stat.Panel:
    return _count("Boxes that stopped", "gone")


def _worst() -> table.Panel:
    columns = {
        "site": "Site",
        "box": "Box",
        "Value #A": "Within the objective",
        "Value #B": "First audio, p95",
        "Value #C": "Against before",
        "Value #D": "Attempts per hour",
    }
    asked = (
        f"bottomk(50, {_WITHIN})",
        f"voice_probe_fleet:box_first_audio_seconds:p95_30m{{{_BOXES}}}",
        f"voice_probe_fleet:box_slower:ratio{{{_BOXES}}}",
        f"voice_probe_fleet:box_attempts:increase_1h{{{_BOXES}}}",
    )
    queries = [rows(f"max by (site, box) ({expr})", ref) for expr, ref in zip(asked, "ABCD", strict=True)]
    panel = listing("Worst boxes first", *queries, columns=columns).no_value(_NO_DATA)
    worst_first = {"fields": {}, "sort": [{"field": "Within the objective", "desc": False}]}
    panel = panel.with_transformation(DataTransformerConfig(id_val="sortBy", options=worst_first))
    limits = coloured((None, BAD), (0.5, WARN), (0.95, GOOD))
    shown = {
        "Site": [style("width", 110)],
        "Box": [style("width", 110)],
        "Within the objective": [shown_in("percentunit"), filled(), limits, style("width", 160)],
        "First audio, p95": [shown_in("s"), empty("none"), style("width", 125)],
        "Against before": [shown_in("suffix: times"), _decimals(2), empty("unknown"), style("width", 125)],
        "Attempts per hour": [shown_in("none"), _decimals(0), style("width", 140)],
    }
    for column, properties in shown.items():
        panel = panel.override_by_name(column, properties)
    return sized(panel, 12, 14)


def _decimals(digits: int) -> DynamicConfigValue:
    return DynamicConfigValue("decimals", digits)


def _over_time() -> statetimeline.Panel:
    """A number that `palette.STATES` has words for: 2 good, 3 some slow, 5 slow."""
    state = f"2 + ({_WITHIN} < bool 0.95) + 2 * ({_WITHIN} < bool 0.5)"
    panel = timeline("Each box, over time", over_time(f"max by (site, box) ({state})", _BOX, least_step="5m"), STATES)
    return sized(panel, 12, 14)


def _first_audio() -> timeseries.Panel:
    queries = [
        over_time(f"voice_probe_fleet:first_audio_seconds:{name}_30m", legend, ref)
        for name, legend, ref in (("p50", "half of the turns", "A"), ("p95", "19 of 20 turns", "B"))
    ]
    return sized(lines("First audio, all boxes", *queries, unit="s"), 14, 9)


def _stopped() -> table.Panel:
    columns = {"site": "Site", "box": "Box"}
    gone = rows(f"max by (site, box) (voice_probe_fleet:box:gone{{{_BOXES}}})")
    return sized(listing("Which boxes stopped", gone, columns=columns).no_value("none"), 10, 9)


def _counted(title: str, by: str, metric: str, columns: dict[str, str]) -> table.Panel:
    """How many boxes have each of something."""
    counted = f"count by ({by}) (group by (site, box, {by}) ({metric}{{{_BOXES}}}))"
    panel = listing(title, rows(counted), columns={"Value": "Boxes", **columns}).no_value(_NO_DATA)
    return sized(panel.thresholds(steps((None, QUIET))), 12, 8)


def _versions() -> table.Panel:
    return _counted("Versions of the probe", "version", "voice_probe_build_info", {"version": "Version"})


def _models() -> table.Panel:
    columns = {"llm": "LLM", "tts": "TTS"}
    return _counted("Models in use", "llm, tts", "voice_probe_serving_since_timestamp_seconds", columns)
