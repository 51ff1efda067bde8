"""Voice latency: is it good now, since when not, and which stage takes the time?"""

from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import StackingConfig, TableSortByFieldState
from grafana_foundation_sdk.builders.dashboard import CustomVariable, Dashboard
from grafana_foundation_sdk.models.common import StackingMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import VariableOption

from boards.frame import board, changes, row
from boards.panels import (
    BAD,
    FAILURES,
    GOOD,
    QUIET,
    STATES,
    WARN,
    bars,
    by_target,
    cells,
    fixed,
    limit,
    lines,
    listing,
    nothing,
    shades,
    shown_in,
    sized,
    steps,
    style,
    tiles,
    timeline,
    used_up,
    verdict,
    with_stages,
)
from boards.queries import (
    JUDGED_PAIR,
    PAIR,
    PAIRS,
    each_pair,
    failures,
    in_words,
    judged,
    mean,
    now,
    objectives,
    over_time,
    quantile,
    recorded,
    rows,
    state,
    while_answered,
)
from boards.queries import cells as cells_of

SOLID, DOTTED = {"fill": "solid"}, {"fill": "dot", "dash": [0, 4]}
SHARES = steps((None, BAD), (0.9, WARN), (0.95, GOOD))
FIRST_BYTE = f'voice_probe_combined_ttfb_seconds_bucket{{{PAIRS},position="first"'
# Buckets up to one second.
WITHIN = "(0[.].*|1|1[.]0)"


def build() -> Dashboard:
    """The dashboard to begin with."""
    built = board(
        "Voice latency", "voice-latency", "How long a person waits before the voice agent speaks.", "now-6h", "30s"
    ).with_variable(_window())
    built = built.annotation(changes())
    shares = [_share(window, words) for window, words in (("1h", "1 h"), ("24h", "24 h"), ("30d", "30 d"))]
    built = row(built, "", _state(), _wait(), *shares, _budget(), _timeline())
    built = row(built, "How long people wait", _quantiles(), _slower(), _faster())
    built = row(built, "Where the time goes", _stages(), _first_sound(), _late_chunks(), _silence())
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


def _state() -> stat.Panel:
    panel = verdict("Is it good now?", now(judged(each_pair(state())), JUDGED_PAIR), STATES)
    return sized(panel.no_value("No data: is the probe running, and scraped?"), 6, 6)


def _wait() -> stat.Panel:
    median = recorded("stage_seconds:p50_30m", 'stage="combined_ttfb"')
    sound = each_pair(while_answered(quantile(0.5, "combined_ttfa")))
    queries = now(each_pair(while_answered(median)), f"first byte: {PAIR}"), now(sound, f"first sound: {PAIR}", "B")
    panel = tiles("How long is the wait now?", *queries, unit="s")
    panel = panel.thresholds(steps((None, GOOD), (0.9, WARN), (1.0, BAD))).mappings(nothing("no answer of late"))
    return sized(panel.no_value("no answer of late"), 5, 6)


def _share(window: str, words: str) -> stat.Panel:
    share = now(each_pair(recorded(f"within_objective:ratio_{window}")), PAIR)
    panel = tiles(f"{words} in time", share, unit="percentunit").decimals(1).thresholds(SHARES)
    return sized(panel.mappings(nothing("no attempt")).no_value("no attempt"), 3, 6)


def _budget() -> stat.Panel:
    left = now(each_pair(recorded("error_budget_left:ratio_30d")), PAIR)
    panel = tiles("Error budget left", left, unit="percentunit").decimals(0)
    panel = panel.mappings([*used_up(), *nothing("no attempt")]).no_value("no attempt")
    return sized(panel.thresholds(steps((None, BAD), (0, WARN), (0.25, GOOD))), 4, 6)


def _timeline() -> statetimeline.Panel:
    return sized(timeline("Outcomes", over_time(judged(each_pair(state())), JUDGED_PAIR), STATES), 24, 5)


def _quantiles() -> timeseries.Panel:
    queries = [
        over_time(quantile(0.5, "combined_ttfb"), "p50 · {{scenario}}", "A").exemplar(True),
        over_time(quantile(0.9, "combined_ttfb"), "p90 · {{scenario}}", "B"),
        over_time(quantile(0.95, "combined_ttfb"), "p95 · {{scenario}}", "C"),
        over_time(f"max by (of) ({objectives()})", "objective for the {{of}}", "D"),
    ]
    panel = lines("Wait for the first byte of audio: $target", *queries, unit="s").show_points(VisibilityMode.NEVER)
    for name, width, line in (("p50", 3, SOLID), ("p90", 1, SOLID), ("p95", 1, DOTTED)):
        panel = panel.override_by_regexp(f"/^{name}/", [style("lineWidth", width), style("lineStyle", line)])
    dashed = [style("lineStyle", {"fill": "dash", "dash": [8, 6]}), style("lineWidth", 1), fixed(BAD)]
    for judged_measure in ("byte", "sound"):
        panel = panel.override_by_name(f"objective for the first {judged_measure}", dashed)
    return sized(by_target(panel), 24, 9)


def _slower() -> heatmap.Panel:
    over = f'sum by (le) (increase({FIRST_BYTE},le!~"{WITHIN}"}}[$__interval]))'
    within = f'sum (increase({FIRST_BYTE},le=~"1|1[.]0"}}[$__interval]))'
    query = cells_of(f"{over} - on () group_left () {within}", "10m")
    return sized(cells("Slower than 1 s (good: empty)", query, BAD), 24, 6)


def _faster() -> heatmap.Panel:
    query = cells_of(f'sum by (le) (increase({FIRST_BYTE},le=~"{WITHIN}"}}[$__interval]))', "10m")
    return sized(cells("Within 1 s", query, GOOD), 24, 7)


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
    return sized(lines("First byte against first audible sample", *queries, unit="s"), 12, 8)


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
    return sized(panel.override_by_regexp("/^ *no failure$/", [fixed(QUIET)]).axis_soft_max(1), 14, 8)


def _failure_list() -> table.Panel:
    columns = {"target": "Target", "server": "Server", "stage": "Stage", "reason": "Reason", "Value": "Failures"}
    panel = listing("Failures in the time shown", rows(failures("$__range")), columns=columns).decimals(0)
    for column, width in {"Target": 130, "Server": 80, "Stage": 90, "Failures": 90}.items():
        panel = panel.override_by_name(column, [style("width", width)])
    panel = panel.override_by_name("Failures", [shown_in("short")])
    return sized(panel.sort_by([TableSortByFieldState().display_name("Failures").desc(True)]), 10, 8)
