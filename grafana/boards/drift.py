"""Drift: has it become slower than it was, by how much, since when, and which stage has?"""

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink
from grafana_foundation_sdk.models.common import BigValueColorMode
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DynamicConfigValue

from boards.frame import board, changes, found, happened, row
from boards.palette import BAD, DRIFT, QUIET, WAITS
from boards.panels import (
    NAMED,
    SMALL_NAMES,
    added_shares,
    bars,
    by_target,
    limit,
    lines,
    nothing,
    proportions,
    renamed_stages,
    shades,
    shown_in,
    sized,
    style,
    tiles,
    verdict,
    with_stages,
)
from boards.queries import (
    PAIR,
    PAIRS,
    by_pair,
    each_pair,
    in_words,
    metric,
    now,
    over_time,
    recorded,
    rows,
    while_answered,
)
from boards.tables import empty, listing, worded

RATIO = recorded("stage_drift:ratio")
# Of what drift is about, the whole: a target has one of the two.
WHOLE = "combined_ttfb|voice_to_voice"
FOUND = metric("drift_state")
MS_PER_WEEK = 1000 * 7 * 86400
# Longer than any step of a query, shorter than what a baseline needs.
A_GAP_MS = 1000 * 6 * 3600


def build() -> Dashboard:
    """The dashboard for a change that no single day shows.

    There is one verdict, the daemon's; what else is compared has no colour of its own.
    """
    built = board(
        "Drift", "voice-drift", "Whether the voice agent becomes slower, and which stage does.", "now-3d", "5m"
    )
    built = built.link(_span("Two weeks", "now-14d")).link(_span("A day", "now-24h"))
    built = built.annotation(changes()).annotation(happened()).annotation(found())
    built = row(built, "", _state(), _growth(), _stage(), _since(), _earlier(), _found())
    built = row(built, "Which stage, and when", _moved(), _wait())
    built = row(built, "As the alert VoiceDrift judges", _medians())
    return row(built, "Where it is going, and what was changed", _slope(), _serving())


def _span(title: str, since: str) -> DashboardLink:
    """This dashboard over another time: what creeps needs weeks, and what broke an hour ago is two pixels of them."""
    link = DashboardLink(title).type(DashboardLinkType.LINK).icon("dashboard")
    return link.url(f"/d/voice-drift?from={since}&to=now").include_vars(True)


def _waited(form: str = "{}") -> str:
    """What a person waits for, with each selector in this form: of a target that hears, since the end of the speech."""
    return _of_whole_wait_or_first_byte("voice_to_voice:mean_1h", "stage_seconds:p50_30m", form)


def _usual() -> str:
    return _of_whole_wait_or_first_byte("voice_to_voice:mean_1w", "stage_seconds:baseline", "{}")


def _of_whole_wait_or_first_byte(whole: str, first_byte: str, form: str) -> str:
    """Never the one and then the other: a target that hears has none while it has too few runs for a mean."""
    text, hears = recorded(first_byte, 'stage="combined_ttfb"'), metric("voice_to_voice_seconds_count")
    return by_pair(f"{form.format(recorded(whole))} or {form.format(text)} unless on (target, scenario) {hears}")


def _verdict() -> str:
    """A number that `palette.DRIFT` has words for: the daemon's, where it has one and something is measured."""
    last = metric("last_run_timestamp_seconds")
    return "\nor on (target, scenario)\n".join(
        (
            f"3 * (({last} > 0) ^ 0 unless on (target, scenario) ({while_answered(last)}))",
            f"{FOUND} >= -1",
            f"2 * ({last} >= bool 0)",
        )
    )


def _slope_query() -> str:
    """In ms per week, from the last seven days; nothing before there are two of them: hours extrapolate to anything."""
    return f"{MS_PER_WEEK} * {_waited('deriv({}[7d])')} and on (target, scenario) {_waited('{} offset 2d')}"


def _state() -> stat.Panel:
    panel = verdict("Is it drifting?", now(each_pair(_verdict()), PAIR), DRIFT)
    return sized(panel.no_value("No data: is the probe running, and scraped?"), 6, 6)


def _growth() -> stat.Panel:
    """Of what the verdict is about."""
    growth = metric("drift_ratio", f'stage=~"{WHOLE}"')
    panel = tiles("By how much?", now(each_pair(f"({while_answered(growth)}) - 1"), PAIR), unit="percentunit")
    panel = panel.decimals(0).mappings(nothing("unknown")).color_mode(BigValueColorMode.NONE)
    return sized(panel.no_value("unknown"), 5, 6)


def _stage() -> stat.Panel:
    """The one that moved most in the direction that was found, as in the alert VoiceDriftFound."""
    added = f'max by (target, scenario, stage) (voice_probe_drift_added_seconds{{{PAIRS},stage!~"{WHOLE}"}})'
    way = f"on (target, scenario) group_left () (abs({FOUND}) > 0)"
    worst = f"topk by (target, scenario) (1, {while_answered(added)} * {way}) * {way}"
    panel = tiles("Which stage has moved most?", now(worst, "{{stage}} {{target}} · {{scenario}}"), unit="s")
    panel = panel.decimals(0).text_mode(NAMED).transformations(renamed_stages()).text(SMALL_NAMES)
    return sized(panel.color_mode(BigValueColorMode.NONE).no_value("none"), 7, 6)


def _since() -> stat.Panel:
    since = each_pair(f"1000 * {metric('drift_since_timestamp_seconds')}")
    panel = tiles("Since when", now(since, PAIR), unit="dateTimeAsIsoNoDateIfToday").mappings(nothing("no change"))
    return sized(panel.color_mode(BigValueColorMode.NONE).no_value("no change"), 6, 6)


def _earlier() -> table.Panel:
    columns = {
        "target": "Target",
        "scenario": "Scenario",
        "Value #A": "Now",
        "Value #B": "Against yesterday",
        "Value #C": "Against last week",
        "Value #D": "Slope of 7 days",
    }
    asked = (
        each_pair(while_answered(_waited())),
        *(while_answered(f"{_waited()} / {_waited(before)} - 1") for before in ("{} offset 1d", "{} offset 1w")),
        _slope_query(),
    )
    queries = [rows(expr, ref) for expr, ref in zip(asked, "ABCD", strict=True)]
    panel = listing("The wait, and earlier ones", *queries, columns=columns).no_value("no run yet")
    early = worded(nothing("too early"))
    for column in ("Against yesterday", "Against last week"):
        panel = panel.override_by_name(
            column, [shown_in("percentunit"), DynamicConfigValue("decimals", 1), early, empty("too early")]
        )
    panel = panel.override_by_name("Now", [shown_in("s"), worded(nothing("no recent answer")), style("width", 130)])
    slope = [shown_in("suffix: ms/week"), DynamicConfigValue("decimals", 0), early, empty("too early")]
    return sized(panel.override_by_name("Slope of 7 days", slope), 14, 6)


def _found() -> timeseries.Panel:
    counted = f"increase(voice_probe_drift_changes_total{{{PAIRS}}}[$__interval])"
    none = 'label_replace(vector(0), "stage", "no change", "", "")'
    expr = f"sum by (stage, direction) ({counted}) > 0.5\nor on ()\n{none}"
    panel = bars(
        "Changes that the daemon found",
        over_time(in_words(expr, "stage", "direction"), "{{words}}", "A", "1h"),
        unit="short",
    )
    for stage, color in WAITS.values():
        panel = panel.override_by_regexp(f"/^{stage}:/", [shades(color)])
    panel = panel.override_by_regexp("/^no change/", [shades(QUIET)])
    for renamed in renamed_stages():
        panel = panel.with_transformation(renamed)
    return sized(panel.axis_soft_max(1), 10, 6)


def _moved() -> timeseries.Panel:
    """What the daemon's verdict is made of."""
    ratio = f"max by (target, scenario, stage) (voice_probe_drift_ratio{{{PAIRS}}})"
    query = over_time(f"max by (stage) ({while_answered(ratio)}) - 1", "{{stage}}")
    panel = with_stages(added_shares("Change by stage: $target", query), WAITS).no_value("needs 60 runs")
    return sized(by_target(limit(panel, (None, "transparent"), (0.03, BAD))), 24, 10)


def _wait() -> timeseries.Panel:
    series = (
        ("now", while_answered(_waited()), [style("lineWidth", 3)]),
        ("a day earlier", _waited("{} offset 1d"), [style("lineWidth", 1)]),
        ("a week earlier", _waited("{} offset 1w"), [style("lineStyle", {"fill": "dash", "dash": [2, 4]})]),
        ("baseline", _usual(), [style("lineStyle", {"fill": "dash", "dash": [8, 6]})]),
    )
    queries = [
        over_time(expr, f"{name} · {{{{scenario}}}}", ref) for (name, expr, _), ref in zip(series, "ABCD", strict=True)
    ]
    panel = proportions("The wait, now and before: $target", *queries, unit="s").line_width(1)
    for name, _, looks in series:
        panel = panel.override_by_regexp(f"/^{name} /", looks)
    return sized(by_target(panel), 24, 9)


def _medians() -> timeseries.Panel:
    query = over_time(f"max by (stage) ({while_answered(RATIO)}) - 1", "{{stage}}")
    panel = with_stages(added_shares("Medians against the baseline: $target", query))
    panel = panel.no_value("needs 30 hours with this model and settings").insert_nulls(A_GAP_MS)
    return sized(by_target(limit(panel, (None, "transparent"), (0.2, BAD))), 24, 8)


def _slope() -> timeseries.Panel:
    panel = lines("Slope of the wait", over_time(_slope_query(), PAIR), unit="suffix:ms/week")
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
    panel = listing("Model, voice and settings, and since when", rows(expr), columns=columns)
    widths = {"Target": 90, "Scenario": 90, "TTS": 140, "Settings": 80, "Since": 155}
    for column, width in widths.items():
        panel = panel.override_by_name(column, [style("width", width)])
    return sized(panel.override_by_name("Since", [shown_in("dateTimeAsIso")]), 14, 8)
