"""Voice latency: is it good now, since when not, and which stage takes the time?"""

from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.common import GraphThresholdsStyleConfig, StackingConfig, TableSortByFieldState
from grafana_foundation_sdk.builders.dashboard import CustomVariable, Dashboard, Row
from grafana_foundation_sdk.models.common import BigValueTextMode, GraphThresholdsStyleMode, StackingMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import VariableOption

from boards.frame import board
from boards.panels import (
    by_target,
    BAD,
    GOOD,
    STATES,
    WARN,
    bars,
    cells,
    fixed,
    limit,
    lines,
    listing,
    sized,
    steps,
    style,
    tiles,
    timeline,
    verdict,
    with_stages,
)
from boards.queries import PAIR, PAIRS, TARGETS, failures, mean, now, over_time, quantile, recorded, rows, state
from boards.queries import cells as cells_of

SHARES = steps((None, BAD), (0.9, WARN), (0.95, GOOD))
FIRST_BYTE = f'voice_probe_combined_ttfb_seconds_bucket{{{PAIRS},position="first"'
# Buckets up to one second.
WITHIN = "(0[.].*|1|1[.]0)"


def build() -> Dashboard:
    """The dashboard to begin with."""
    built = board(
        "Voice latency", "voice-latency", "How long a person waits before the voice agent speaks.", "now-6h", "30s"
    ).with_variable(_window())
    for panel in (_state(), _wait(), _shares(), _budget(), _timeline()):
        built = built.with_panel(panel)
    built = built.with_row(Row("How long people wait"))
    for panel in (_quantiles(), _slower(), _faster()):
        built = built.with_panel(panel)
    built = built.with_row(Row("Where the time goes"))
    for panel in (_stages(), _first_sound(), _late_chunks(), _silence()):
        built = built.with_panel(panel)
    built = built.with_row(Row("What went wrong"))
    return built.with_panel(_failures()).with_panel(_failure_list())


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
    text = (
        "Does the voice agent answer in time? Judged by the last ten minutes, or as far back as it takes to hold five "
        "attempts.\n\n"
        "- **Good**: at most one attempt in seven missed the objective\n"
        "- **Some slow**, **Some fail**: more than that\n"
        "- **Slow**, **Failing**: about half of them, and three or more; an alert follows\n"
        "- **Nothing measured**: the server was busy with its users\n"
        "- **No runs any more**: the next run is three minutes overdue\n\n"
        "Slow: see *Which stage takes the time*. Failing: see *Failures by stage and reason*. No runs: see the dashboard "
        "*Probe*, and whether the service runs."
    )
    panel = verdict("Is it good now?", text, now(state(), PAIR), STATES)
    return sized(panel.no_value("No data: is the probe running, and scraped?"), 6, 6)


def _wait() -> stat.Panel:
    text = (
        "How long does a person wait now? From asking the LLM server to the first byte of audio, the median of the last 30 "
        "minutes. From one second on it is too long; below 0.9 s there is room.\n\n"
        "Yellow or red: see *Which stage takes the time*, and the dashboard *Drift* for whether it has been creeping up."
    )
    median = recorded("stage_seconds:p50_30m", 'stage="combined_ttfb"')
    panel = tiles("How long is the wait now?", text, now(median, PAIR), unit="s")
    return sized(panel.thresholds(steps((None, GOOD), (0.9, WARN), (1.0, BAD))).no_value("no complete run yet"), 5, 6)


def _shares() -> stat.Panel:
    text = (
        "Which share of the attempts was within the objective? Failed attempts count as missed; skipped and suspect runs "
        "count on neither side. The aim is 95 % over 30 days: green from there on, red below 90 %.\n\n"
        "Only the hour is red: it began just now, see *Outcomes*. Only the 30 days are: it was bad and is over."
    )
    queries = [
        now(recorded(f"within_objective:ratio_{window}"), f"{words} · {PAIR}", ref)
        for window, words, ref in (("1h", "1 h", "A"), ("24h", "24 h", "B"), ("30d", "30 d", "C"))
    ]
    panel = tiles("Answered in time", text, *queries, unit="percentunit").decimals(1).thresholds(SHARES)
    return sized(panel.text_mode(BigValueTextMode.VALUE_AND_NAME).no_value("no attempt yet"), 9, 6)


def _budget() -> stat.Panel:
    text = (
        "How much may still go wrong? 5 % of the attempts of 30 days may miss the objective; this is what is left of them. "
        "100 %: none did. 0 %: all of it is used up. Below: more than that.\n\n"
        "Little left: change nothing risky on the server. Negative: find what took it in *Outcomes* over 30 days."
    )
    panel = tiles("Error budget left", text, now(recorded("error_budget_left:ratio_30d"), PAIR), unit="percentunit").decimals(0)
    return sized(panel.thresholds(steps((None, BAD), (0, WARN), (0.25, GOOD))).no_value("no attempt yet"), 4, 6)


def _timeline() -> statetimeline.Panel:
    text = (
        "Since when is it as it is, and has it been before? Each row is a target and a scenario, judged at each moment as in "
        "*Is it good now?*. A gap: Prometheus has nothing of that time.\n\n"
        "Find where the colour changes, and compare that time with the server's log and with what was deployed."
    )
    return sized(timeline("Outcomes", text, over_time(state(), PAIR), STATES), 24, 5)


def _quantiles() -> timeseries.Panel:
    text = (
        "How long did people wait, usually and at worst? From asking the LLM server to the first byte of audio, at the start of "
        "a turn. p50: half of the turns were faster. p95: one in twenty was slower. The dashed line is the objective; the "
        "diamonds are single runs: click on one to see its trace.\n\n"
        "All lines up: the server has become slower, see *Which stage takes the time*. Only p95 up: a few turns wait, as they "
        "do when users compete for the server; look at the traces."
    )
    objective = f"max by (target) (voice_probe_objective_seconds{{{TARGETS}}})"
    objective = f"max(voice_probe_objective_seconds{{{TARGETS}}})"
    queries = [
        over_time(quantile(0.5, "combined_ttfb"), "p50 {{scenario}}", "A").exemplar(True),
        over_time(quantile(0.9, "combined_ttfb"), "p90 {{scenario}}", "B"),
        over_time(quantile(0.95, "combined_ttfb"), "p95 {{scenario}}", "C"),
        over_time(objective, "objective", "D"),
    ]
    panel = lines("Wait for the first byte of audio: $target", text, *queries, unit="s").show_points(VisibilityMode.NEVER)
    for name, width, color in (("p50", 3, "blue"), ("p90", 1, "light-blue"), ("p95", 1, "purple")):
        panel = panel.override_by_regexp(f"/^{name}/", [style("lineWidth", width), fixed(color)])
    dashed = [style("lineStyle", {"fill": "dash", "dash": [8, 6]}), style("lineWidth", 1), fixed(BAD)]
    return sized(by_target(panel.override_by_name("objective", dashed)), 24, 9)


def _slower() -> heatmap.Panel:
    text = (
        "Which turns took longer than one second? Each cell counts the turns of that time; the stronger its colour, "
        "the more. Diamonds are single runs: click on one to see its trace.\n\n"
        "On a good day this is all but empty. A band that stays: the server is too slow. Cells here and there: "
        "single turns were held up."
    )
    over = f'sum by (le) (increase({FIRST_BYTE},le!~"{WITHIN}"}}[$__interval]))'
    within = f'sum (increase({FIRST_BYTE},le=~"1|1[.]0"}}[$__interval]))'
    query = cells_of(f"{over} - on () group_left () {within}", "10m")
    return sized(cells("Slower than 1 s (good: empty)", text, query, BAD), 24, 6)


def _faster() -> heatmap.Panel:
    text = (
        "How are the turns spread that came within one second? Continues the panel above downwards: the border between the "
        "two is the line of one second.\n\n"
        "One narrow band is a server that serves one user at a time. Two bands: something alternates, such as a cache that "
        "sometimes answers. A band that climbs will cross the line: see the dashboard *Drift*."
    )
    query = cells_of(f'sum by (le) (increase({FIRST_BYTE},le=~"{WITHIN}"}}[$__interval]))', "10m")
    return sized(cells("Within 1 s", text, query, GOOD), 24, 7)


def _stages() -> timeseries.Panel:
    text = (
        "Which stage takes the time? The medians of 30 minutes, on top of each other: the upper edge is about what a person "
        "waits. Of several scenarios, their mean.\n\n"
        "- **LLM, to the first token** grows: longer prompts, a busy slot, a cold cache\n"
        "- **LLM, the rest of the chunk** grows: fewer tokens a second; the GPU is shared, hot or throttled\n"
        "- **TTS, to the first audio** grows: the TTS server queues, or runs on the CPU"
    )
    medians = recorded("stage_seconds:p50_30m", 'stage!="combined_ttfb"')
    query = over_time(f"avg by (stage) ({medians})", "{{stage}}")
    panel = with_stages(lines("Which stage takes the time: $target", text, query, unit="s"))
    stacked = panel.fill_opacity(60).line_width(1).stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    objective = steps((None, "transparent"), (1.0, BAD))
    dashed = GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    return sized(by_target(stacked.thresholds(objective).thresholds_style(dashed)), 24, 8)


def _first_sound() -> timeseries.Panel:
    text = (
        "How much silence is in front of the speech? The first byte of audio is not the first sound: many engines begin with "
        "silence. Means over `$window`: the difference of two quantiles would say little.\n\n"
        "The distance between the two lines is silence that the TTS engine makes. It is waiting time that no faster GPU takes "
        "away: trim it in the engine or in the client."
    )
    queries = [
        over_time(mean("combined_ttfb", "first"), f"first byte {PAIR}", "A"),
        over_time(mean("combined_ttfa", "first"), f"first sound {PAIR}", "B"),
    ]
    return sized(lines("First byte against first audible sample", text, *queries, unit="s"), 12, 8)


def _late_chunks() -> timeseries.Panel:
    text = (
        "How often does the voice fall silent in the middle of an answer? The share of further chunks before which a listener "
        "heard nothing for more than 0.2 s, over the last hour.\n\n"
        "From a fifth on there is an alert. Speech is made more slowly than it is played: see *Silence that listeners hear*, "
        "then the length of the first chunk (`first_pause`) and the load of both servers."
    )
    share = recorded("playout_gaps:ratio_recent")
    panel = lines("Chunks that came too late", text, over_time(share, PAIR), unit="percentunit")
    return sized(limit(panel, (None, "transparent"), (0.2, BAD)).axis_soft_max(0.25), 6, 8)


def _silence() -> timeseries.Panel:
    text = (
        "How much silence do listeners hear between chunks? The mean of all further chunks, those without a gap included.\n\n"
        "20 ms is hardly heard; 200 ms on average means long pauses now and then. What to do is as for *Chunks that came too "
        "late*."
    )
    panel = lines("Silence that listeners hear", text, over_time(mean("playout_gap", "next"), PAIR), unit="s")
    return sized(limit(panel, (None, "transparent"), (0.2, BAD)).axis_soft_max(0.25), 6, 8)


def _failures() -> timeseries.Panel:
    text = (
        "Why do runs fail? Each bar counts the failed runs of its time, by the stage that failed and the reason. The daemon "
        "counts them by target; the scenario makes no difference here.\n\n"
        "`docs/failures.md` says of each reason what happened and what to do. *connect*: is the server running? *llm*, *tts*: "
        "look at that server's log. *audio*: listen to it with `probe run --save-audio`."
    )
    panel = bars(
        "Failures by stage and reason",
        text,
        over_time(failures("$__interval"), "{{stage}}: {{reason}}", "A", "10m"),
        unit="short",
    )
    return sized(panel.override_by_name("none: no failure", [fixed(GOOD)]).axis_soft_max(1), 14, 8)


def _failure_list() -> table.Panel:
    text = (
        "What failed how often in the time shown? The most frequent first.\n\n"
        "Begin with the first line: `docs/failures.md` has its stage and reason. `probe history --since 24h` on the machine "
        "lists the runs, `probe show RUN_ID` one of them with all its times."
    )
    columns = {"target": "Target", "stage": "Stage", "reason": "Reason", "Value": "Failures"}
    panel = listing("Failures in the time shown", text, rows(failures("$__range")), columns=columns).decimals(0)
    return sized(panel.sort_by([TableSortByFieldState().display_name("Failures").desc(True)]), 10, 8)
