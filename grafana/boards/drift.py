"""Drift: has it become slower than it was, by how much, and which stage has?"""

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from boards.frame import board
from boards.panels import (
    BAD,
    GOOD,
    NEUTRAL,
    WARN,
    by_target,
    fixed,
    limit,
    lines,
    listing,
    sized,
    steps,
    style,
    tiles,
    verdict,
    with_stages,
)
from boards.queries import PAIR, PAIRS, metric, now, over_time, recorded, rows

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
}
GROWTH = steps((None, NEUTRAL), (-0.1, GOOD), (0.1, WARN), (0.2, BAD))
MS_A_WEEK = 1000 * 7 * 86400


def build() -> Dashboard:
    """The dashboard for a change that no single day shows."""
    built = board("Drift", "voice-drift", "Whether the voice agent becomes slower, and which stage does.", "now-14d", "5m")
    for panel in (_state(), _stage(), _growth(), _slope_now()):
        built = built.with_panel(panel)
    built = built.with_row(Row("Now and before"))
    built = built.with_panel(_comparison())
    built = built.with_row(Row("Which stage"))
    built = built.with_panel(_ratios())
    built = built.with_row(Row("Where it is going, and what was changed"))
    return built.with_panel(_slope()).with_panel(_serving())


def _verdict() -> str:
    """A number that STATES has words for; the first line that holds decides."""
    worst = f"max by (target, scenario) ({RATIO})"
    return "\nor on (target, scenario)\n".join(
        (
            f"2 * (max by (target, scenario) ({RATIO} > 1.2 and {MEDIAN} - {BASELINE} > 0.03) > bool 0)",
            f"1 * ({worst} > bool 1.1) > 0",
            f"3 * ({worst} < bool 0.9) > 0",
            f"0 * {worst}",
            f"4 * ({metric('last_run_timestamp_seconds')} >= bool 0)",
        )
    )


def _slope_query() -> str:
    """In ms per week, from the last seven days; nothing before there are two of them: hours extrapolate to anything."""
    return f"{MS_A_WEEK} * deriv({WAIT}[7d]) and {WAIT} offset 2d"


def _state() -> stat.Panel:
    text = (
        "Is it slower than it was? The medians of the last 30 minutes against the baseline: the median of the week that "
        "ended a day ago, of what serves now.\n\n"
        "- **Steady**: every stage within a tenth of its baseline\n"
        "- **A little slower**: a stage takes a tenth more\n"
        "- **Slower**: a stage takes a fifth more, and 30 ms; after an hour an alert follows\n"
        "- **Faster**: every stage takes a tenth less\n"
        "- **No baseline yet**: what serves now has served for less than 30 hours\n\n"
        "Slower: the next panel says which stage; then compare when it began with the dashed lines, where the model or the "
        "configuration changed."
    )
    panel = verdict("Is it drifting?", text, now(_verdict(), PAIR), STATES)
    return sized(panel.no_value("No data: is the probe running, and scraped?"), 6, 6)


def _stage() -> stat.Panel:
    text = (
        "Which stage has grown most, and by how much of its baseline?\n\n"
        "LLM: look at what else uses the GPU, its temperature and clock, and the length of the prompts. TTS: look at its "
        "queue, its log, and whether it still runs on the GPU. All stages alike: the machine as a whole."
    )
    stages = recorded("stage_drift:ratio", 'stage!="combined_ttfb"')
    worst = f"topk by (target, scenario) (1, {stages}) - 1"
    panel = tiles("Which stage most?", text, now(worst, "{{stage}} {{target}} · {{scenario}}"), unit="percentunit")
    panel = panel.thresholds(GROWTH).decimals(0).text_mode(BigValueTextMode.VALUE_AND_NAME).wide_layout(False)
    return sized(panel.no_value("no baseline yet"), 6, 6)


def _growth() -> stat.Panel:
    text = (
        "How much longer does a person wait than before? The median of the last 30 minutes against the same half hour "
        "yesterday and a week ago, and against the baseline. Below zero: it has become faster.\n\n"
        "Only *yesterday* is high: it began since then. Only *last week* is: it crept, or changed some days ago. All are "
        "low, and people complain: it is not the median; see the quantiles in *Voice latency*."
    )
    queries = [
        now(f"{WAIT} / {before} - 1", f"{words} · {PAIR}", ref)
        for before, words, ref in (
            (f"{WAIT} offset 1d", "a day ago", "A"),
            (f"{WAIT} offset 1w", "a week ago", "B"),
            (USUAL, "baseline", "C"),
        )
    ]
    panel = tiles("How much longer is the wait than…", text, *queries, unit="percentunit").decimals(0)
    panel = panel.thresholds(GROWTH).text_mode(BigValueTextMode.VALUE_AND_NAME)
    return sized(panel.no_value("no day of history yet"), 8, 6)


def _slope_now() -> stat.Panel:
    text = (
        "Where is it going? The straight line through the last seven days.\n\n"
        "At 50 ms a week, 0.4 s of room are gone in two months: plan before that. A step looks like a slope, too, "
        "for a week: see *Now and before*."
    )
    panel = tiles("Slope", text, now(_slope_query(), PAIR), unit="suffix: ms/week").decimals(0)
    limits = steps((None, NEUTRAL), (-20, GOOD), (20, WARN), (50, BAD))
    return sized(panel.thresholds(limits).no_value("needs two days"), 4, 6)


def _comparison() -> timeseries.Panel:
    text = (
        "Does it differ from what it was at the same time before? The median wait of 30 minutes, now, a day and a week "
        "earlier, and the baseline. The dashed red line is one second; a vertical line is where the model or the "
        "configuration changed.\n\n"
        "*Now* above all others: it has become slower. Above at the same hours each day: it is the load of those hours. "
        "A step at a vertical line: that change did it."
    )
    series = (
        ("now", WAIT, [fixed("blue"), style("lineWidth", 2)]),
        ("a day earlier", f"{WAIT} offset 1d", [fixed("purple")]),
        ("a week earlier", f"{WAIT} offset 1w", [fixed("orange")]),
        ("baseline", USUAL, [fixed("text"), style("lineStyle", {"fill": "dash", "dash": [8, 6]})]),
    )
    queries = [
        over_time(expr, f"{name} {{{{scenario}}}}", ref) for (name, expr, _), ref in zip(series, "ABCD", strict=True)
    ]
    panel = lines("The wait, now and before: $target", text, *queries, unit="s").line_width(1)
    for name, _, looks in series:
        panel = panel.override_by_regexp(f"/^{name} /", looks)
    return sized(by_target(limit(panel, (None, "transparent"), (1.0, BAD))), 24, 10)


def _ratios() -> timeseries.Panel:
    text = (
        "Which stage drifts? Each stage's median of 30 minutes, divided by its baseline: 1 is as ever, 1.2 (dashed) is a "
        "fifth more. Of several scenarios, the worst. Lines begin anew where the model or the configuration changed: two "
        "models have no common baseline.\n\n"
        "One line rises: look at that server. All rise: look at the machine: temperature, clock, memory, what else runs. A "
        "line that falls is no fault, but do find out why."
    )
    panel = lines("Drift ratio by stage: $target", text, over_time(f"max by (stage) ({RATIO})", "{{stage}}"), unit="none")
    panel = with_stages(panel).axis_soft_min(0.5).axis_soft_max(1.5).no_value("No baseline yet: it takes 30 hours")
    return sized(by_target(limit(panel, (None, "transparent"), (1.2, BAD))), 24, 9)


def _slope() -> timeseries.Panel:
    text = (
        "How fast does it become slower? The slope of the last seven days, in ms per week, at each moment.\n\n"
        "Around zero: steady. Above 20 for days: something grows, such as a log, a cache, a queue or the prompts; find it "
        "before the objective is missed. A short hump is a step that has passed through the week."
    )
    panel = lines("Slope of the median wait", text, over_time(_slope_query(), PAIR), unit="suffix: ms/week")
    limited = limit(panel, (None, "transparent"), (50, BAD)).axis_soft_min(-60).axis_soft_max(60)
    return sized(limited.no_value("needs two days"), 12, 8)


def _serving() -> table.Panel:
    text = (
        "What is being measured, and since when? The model and its server's build as llama.cpp tells them (`llama_url` in "
        "the configuration), what was asked of the TTS server, and a fingerprint of the settings that may move a "
        "latency.\n\n"
        "A date that you don't expect: somebody changed the server or the configuration then."
    )
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
    panel = listing("What serves, and since when", text, rows(expr), columns=columns)
    when = [DynamicConfigValue(id_val="unit", value="dateTimeAsIso"), style("width", 170)]
    return sized(panel.override_by_name("Since", when), 12, 8)
