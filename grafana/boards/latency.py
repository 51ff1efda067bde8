"""Voice latency: is it good now, since when not, and which stage takes the time?"""

from grafana_foundation_sdk.builders import heatmap, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import StackingConfig, TableSortByFieldState
from grafana_foundation_sdk.builders.dashboard import CustomVariable, Dashboard
from grafana_foundation_sdk.models.common import StackingMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import VariableOption

from boards import whole_wait
from boards.frame import board, changes, happened, row
from boards.latency_glance import glance
from boards.palette import BAD, FAILURES, QUIET, STATES
from boards.panels import (
    bars,
    by_target,
    cells,
    fixed,
    limit,
    lines,
    shades,
    shown_in,
    sized,
    style,
    timeline,
    with_stages,
)
from boards.queries import (
    JUDGED_PAIR,
    PAIR,
    PAIRS,
    failures,
    in_words,
    judged,
    mean,
    objectives,
    over_time,
    quantile,
    recorded,
    rows,
    state,
    while_answered,
)
from boards.queries import cells as cells_of
from boards.tables import listing

FIRST_BYTE = f'voice_probe_combined_ttfb_seconds_bucket{{{PAIRS},position="first"}}'


def build() -> Dashboard:
    """The dashboard to begin with."""
    built = board(
        "Voice latency", "voice-latency", "How long a person waits before the voice agent speaks.", "now-6h", "30s"
    ).with_variable(_window())
    built = built.annotation(changes()).annotation(happened())
    built = row(built, "", *glance(), _timeline())
    built = row(built, "How long people wait", _quantiles(), _turns())
    built = row(built, "Where the time goes", _stages(), _first_sound(), _late_chunks(), _silence())
    built = row(built, whole_wait.TITLE, *whole_wait.panels())
    return row(built, "What went wrong", _failures(), _failure_list())


def _window() -> CustomVariable:
    return (
        CustomVariable("window")
        .label("Quantiles over")
        .description(
            "How far back each point of a quantile looks. Take at least ten runs: 3h where one runs every 15 min."
        )
        .values("10m,30m,1h,3h,12h,1d")
        .current(VariableOption(text="30m", value="30m"))
    )


def _timeline() -> statetimeline.Panel:
    return sized(timeline("Outcomes", over_time(judged(state()), JUDGED_PAIR), STATES), 24, 5)


def _quantiles() -> timeseries.Panel:
    queries = [
        over_time(quantile(0.5, "combined_ttfb"), "p50 · {{scenario}}", "A"),
        over_time(quantile(0.95, "combined_ttfb"), "p95 · {{scenario}}", "B"),
        over_time(f"max by (of) ({objectives()})", "objective for the {{of}}", "C"),
    ]
    panel = lines("Wait for the first byte of audio: $target", *queries, unit="s").show_points(VisibilityMode.NEVER)
    for name, width, line in (("p50", 3, {"fill": "solid"}), ("p95", 2, {"fill": "dash", "dash": [4, 4]})):
        panel = panel.override_by_regexp(f"/^{name}/", [style("lineWidth", width), style("lineStyle", line)])
    dashed = [style("lineStyle", {"fill": "dash", "dash": [8, 6]}), style("lineWidth", 1), fixed(BAD)]
    for judged_measure in ("byte", "sound", "sound after the speech"):
        panel = panel.override_by_name(f"objective for the first {judged_measure}", dashed)
    return sized(by_target(panel), 24, 9)


def _turns() -> heatmap.Panel:
    """With the single runs on it: on the quantiles they would hide the lines."""
    query = cells_of(f"sum by (le) (increase({FIRST_BYTE}[$__interval]))", "10m")
    return sized(cells("Each turn's wait", query).no_value("no turn yet"), 24, 8)


def _stages() -> timeseries.Panel:
    # In the order of time, the first at the bottom.
    median = "stage_seconds:p50_30m"
    queries = [
        over_time(f"avg by (stage) ({while_answered(recorded(median, matcher))})", "{{stage}}", ref)
        for matcher, ref in (('stage="llm_ttft"', "A"), ('stage="llm_decode"', "B"), ('stage="tts_ttfb"', "C"))
    ]
    panel = with_stages(lines("Which stage takes the time: $target", *queries, unit="s"))
    stacked = panel.fill_opacity(60).line_width(1).stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return sized(by_target(limit(stacked, (None, "transparent"), (1.0, BAD))), 24, 8)


def _first_sound() -> timeseries.Panel:
    queries = [
        over_time(mean("combined_ttfb", "first"), f"first byte {PAIR}", "A"),
        over_time(mean("combined_ttfa", "first"), f"first sound {PAIR}", "B"),
    ]
    panel = lines("First byte against first audible sample", *queries, unit="s")
    panel = panel.override_by_regexp("/^first sound/", [style("lineStyle", {"fill": "dash", "dash": [4, 4]})])
    return sized(panel, 12, 8)


def _late_chunks() -> timeseries.Panel:
    share = recorded("playout_gaps:ratio_recent")
    panel = lines("Chunks that came too late", over_time(share, PAIR), unit="percentunit")
    return sized(limit(panel, (None, "transparent"), (0.2, BAD)).axis_soft_max(0.25), 6, 8)


def _silence() -> timeseries.Panel:
    panel = lines("Silence that listeners hear", over_time(mean("playout_gap", "next"), PAIR), unit="s")
    return sized(limit(panel, (None, "transparent"), (0.2, BAD)).axis_soft_max(0.25), 6, 8)


def _failures() -> timeseries.Panel:
    panel = bars(
        "Failures by stage, reason and server",
        over_time(in_words(failures("$__interval"), "target", "stage", "reason", "server"), "{{words}}", "A", "10m"),
        unit="short",
    )
    for stage, color in FAILURES.items():
        panel = panel.override_by_regexp(f"/ {stage} /", [shades(color)])
    return sized(panel.override_by_regexp("/^ *no failure *$/", [fixed(QUIET)]).axis_soft_max(1), 14, 8)


def _failure_list() -> table.Panel:
    columns = {"target": "Target", "server": "Server", "stage": "Stage", "reason": "Reason", "Value": "Failures"}
    panel = listing("Failures in the time shown", rows(failures("$__range")), columns=columns).decimals(0)
    for column, width in {"Target": 130, "Server": 80, "Stage": 90, "Failures": 90}.items():
        panel = panel.override_by_name(column, [style("width", width)])
    panel = panel.override_by_name("Failures", [shown_in("short")])
    return sized(panel.sort_by([TableSortByFieldState().display_name("Failures").desc(True)]), 10, 8)
