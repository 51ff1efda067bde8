"""Drift: has it become slower than it was, by how much, and which stage has?"""

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import BigValueColorMode

from boards.frame import board, changes, found, row
from boards.panels import (
    BAD,
    GOOD,
    NAMED,
    NEUTRAL,
    QUIET,
    SMALL_NAMES,
    STAGES,
    WARN,
    bars,
    by_target,
    limit,
    lines,
    listing,
    nothing,
    renamed_stages,
    shades,
    shown_in,
    sized,
    steps,
    style,
    tiles,
    verdict,
    with_stages,
    words,
)
from boards.queries import PAIR, PAIRS, each_pair, in_words, metric, now, over_time, recorded, rows, while_answered

RATIO = recorded("stage_drift:ratio")
MEDIAN, BASELINE = recorded("stage_seconds:p50_30m"), recorded("stage_seconds:baseline")
TOGETHER = 'stage="combined_ttfb"'
WAIT = recorded("stage_seconds:p50_30m", TOGETHER)
USUAL = recorded("stage_seconds:baseline", TOGETHER)
# The alert VoiceDrift begins where Slower does.
STATES = {
    0: ("Steady", GOOD),
    1: ("A little slower", WARN),
    2: ("Slower", BAD),
    3: ("Faster", NEUTRAL),
    4: ("No baseline yet", "light-blue"),
    5: ("Nothing measured", NEUTRAL),
}
# As `voice_probe_drift_state` has it.
DETECTED = {-1: ("Faster", NEUTRAL), 0: ("Steady", GOOD), 1: ("Slower", BAD)}
# Ratios: a percentage would leave open whether it is what was added.
GROWTH, TIMES = steps((None, NEUTRAL), (0.9, GOOD), (1.1, WARN), (1.2, BAD)), "suffix: \N{MULTIPLICATION SIGN}"
MS_PER_WEEK = 1000 * 7 * 86400


def build() -> Dashboard:
    """The dashboard for a change that no single day shows."""
    built = board(
        "Drift", "voice-drift", "Whether the voice agent becomes slower, and which stage does.", "now-14d", "5m"
    )
    built = built.annotation(changes()).annotation(found())
    growth = (
        _growth("Vs yesterday", f"{WAIT} offset 1d", "needs a day"),
        _growth("Vs last week", f"{WAIT} offset 1w", "needs a week"),
        _growth("Vs baseline", USUAL, "needs 30 hours"),
    )
    built = row(built, "", _state(), _stage(), *growth, _slope_now())
    built = row(built, "Now and before", _comparison())
    built = row(built, "Which stage", _ratios())
    built = row(built, "As the daemon sees it", _detected(), _since(), _found(), _detected_ratios())
    return row(built, "Where it is going, and what was changed", _slope(), _serving())


def _verdict() -> str:
    """A number that STATES has words for; the first line that holds decides."""
    worst = f"max by (target, scenario) ({RATIO})"
    last = metric("last_run_timestamp_seconds")
    return "\nor on (target, scenario)\n".join(
        (
            f"5 * (({last} > 0) ^ 0 unless on (target, scenario) ({while_answered(last)}))",
            f"2 * (max by (target, scenario) ({RATIO} > 1.2 and {MEDIAN} - {BASELINE} > 0.03) > bool 0)",
            f"1 * ({worst} > bool 1.1) > 0",
            f"3 * ({worst} < bool 0.9) > 0",
            f"0 * {worst}",
            f"4 * ({last} >= bool 0)",
        )
    )


def _slope_query() -> str:
    """In ms per week, from the last seven days; nothing before there are two of them: hours extrapolate to anything."""
    return f"{MS_PER_WEEK} * deriv({WAIT}[7d]) and {WAIT} offset 2d"


def _state() -> stat.Panel:
    panel = verdict("Is it drifting?", now(each_pair(_verdict()), PAIR), STATES)
    return sized(panel.no_value("No data: is the probe running, and scraped?"), 5, 6)


def _stage() -> stat.Panel:
    stages = while_answered(recorded("stage_drift:ratio", 'stage!="combined_ttfb"'))
    worst = f"topk by (target, scenario) (1, {stages})"
    panel = tiles("Which stage has grown most?", now(worst, "{{stage}} {{target}} · {{scenario}}"), unit=TIMES)
    panel = panel.thresholds(GROWTH).decimals(2).text_mode(NAMED).transformations(renamed_stages()).text(SMALL_NAMES)
    return sized(panel.no_value("needs 30 hours"), 6, 6)


def _growth(title: str, before: str, too_early: str) -> stat.Panel:
    growth = now(each_pair(while_answered(f"{WAIT} / ({before})")), PAIR)
    panel = tiles(title, growth, unit=TIMES).decimals(2).mappings(nothing(too_early))
    return sized(panel.thresholds(GROWTH).no_value(too_early), 3, 6)


def _slope_now() -> stat.Panel:
    panel = tiles("Slope of seven days", now(each_pair(_slope_query()), PAIR), unit="suffix:ms/week").decimals(0)
    panel = panel.mappings(nothing("needs two days"))
    limits = steps((None, NEUTRAL), (-20, GOOD), (20, WARN), (50, BAD))
    return sized(panel.thresholds(limits).no_value("needs two days"), 4, 6)


def _comparison() -> timeseries.Panel:
    series = (
        ("now", while_answered(WAIT), [style("lineWidth", 3)]),
        ("a day earlier", f"{WAIT} offset 1d", [style("lineWidth", 1)]),
        ("a week earlier", f"{WAIT} offset 1w", [style("lineWidth", 1)]),
        ("baseline", USUAL, [style("lineStyle", {"fill": "dash", "dash": [8, 6]})]),
    )
    queries = [
        over_time(expr, f"{name} · {{{{scenario}}}}", ref) for (name, expr, _), ref in zip(series, "ABCD", strict=True)
    ]
    panel = lines("The wait, now and before: $target", *queries, unit="s").line_width(1)
    for name, _, looks in series:
        panel = panel.override_by_regexp(f"/^{name} /", looks)
    return sized(by_target(limit(panel, (None, "transparent"), (1.0, BAD))), 24, 10)


def _ratios() -> timeseries.Panel:
    panel = lines(
        "Drift ratio by stage: $target",
        over_time(f"max by (stage) ({while_answered(RATIO)})", "{{stage}}"),
        unit="none",
    )
    panel = with_stages(panel).axis_soft_min(0.5).axis_soft_max(1.5).no_value("needs 30 hours of what serves now")
    return sized(by_target(limit(panel, (None, "transparent"), (1.2, BAD))), 24, 9)


def _detected() -> stat.Panel:
    panel = verdict("The daemon's verdict", now(each_pair(metric("drift_state")), PAIR), DETECTED)
    panel = panel.mappings([*words(DETECTED), *nothing("Needs 60 runs")])
    return sized(panel.no_value("No data: is the probe running, and scraped?"), 6, 6)


def _since() -> stat.Panel:
    since = each_pair(f"1000 * {metric('drift_since_timestamp_seconds')}")
    panel = tiles("Since when", now(since, PAIR), unit="dateTimeAsIsoNoDateIfToday").mappings(nothing("no drift"))
    return sized(panel.color_mode(BigValueColorMode.NONE).no_value("no drift"), 6, 6)


def _found() -> timeseries.Panel:
    counted = f"increase(voice_probe_drift_changes_total{{{PAIRS}}}[$__interval])"
    none = 'label_replace(vector(0), "stage", "no change", "", "")'
    expr = f"sum by (stage, direction) ({counted}) > 0.5\nor on ()\n{none}"
    panel = bars(
        "Changes that the daemon found",
        over_time(in_words(expr, "stage", "direction"), "{{words}}", "A", "1h"),
        unit="short",
    )
    for told, color in STAGES.values():
        panel = panel.override_by_regexp(f"/^{told}:/", [shades(color)])
    panel = panel.override_by_regexp("/^no change/", [shades(QUIET)])
    for renamed in renamed_stages():
        panel = panel.with_transformation(renamed)
    return sized(panel.axis_soft_max(1), 12, 6)


def _detected_ratios() -> timeseries.Panel:
    ratio = f"max by (target, scenario, stage) (voice_probe_drift_ratio{{{PAIRS}}})"
    query = over_time(f"max by (stage) ({while_answered(ratio)})", "{{stage}}")
    panel = with_stages(lines("Drift ratio, as the daemon sees it: $target", query, unit="none"))
    return sized(by_target(panel.axis_soft_min(0.9).axis_soft_max(1.1).no_value("needs 60 runs")), 24, 9)


def _slope() -> timeseries.Panel:
    panel = lines("Slope of the median wait", over_time(_slope_query(), PAIR), unit="suffix:ms/week")
    limited = limit(panel, (None, "transparent"), (50, BAD)).axis_soft_min(-60).axis_soft_max(60)
    return sized(limited.no_value("needs two days"), 10, 8)


def _serving() -> table.Panel:
    served = f"voice_probe_serving_since_timestamp_seconds{{{PAIRS}}}"
    expr = f"1000 * max by (target, scenario, llm, tts, config) ({served})"
    columns = {
        "target": "Target",
        "scenario": "Scenario",
        "llm": "LLM",
        "tts": "TTS",
        "config": "Settings",
        "Value": "Since",
    }
    panel = listing("What serves, and since when", rows(expr), columns=columns)
    widths = {"Target": 90, "Scenario": 90, "TTS": 140, "Settings": 80, "Since": 155}
    for column, width in widths.items():
        panel = panel.override_by_name(column, [style("width", width)])
    return sized(panel.override_by_name("Since", [shown_in("dateTimeAsIso")]), 14, 8)
