"""The top of Voice latency: is it good, since when not, which stage and server, which run, and which alerts fire?"""

from urllib.parse import quote

from grafana_foundation_sdk.builders import stat, table
from grafana_foundation_sdk.builders.common import TableSortByFieldState
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Panel

from boards.palette import BAD, GOOD, STAGES, STATES, WARN
from boards.panels import nothing, of_texts, shown_in, sized, steps, style, tiles, used_up, verdict, words
from boards.queries import (
    JUDGED_PAIR,
    PAIR,
    by_pair,
    days_known,
    each_pair,
    firing,
    judged,
    last_bad_run,
    now,
    of_blamed,
    quantile,
    recorded,
    rows,
    since,
    state,
    to_blame,
    while_answered,
)
from boards.tables import coloured, empty, filled, link, listing, lower_case, unseen, utc, worded

# Stages of failures that aren't a server's name; the field writes those in capitals.
FAILED_STAGES = {
    "connect": "connecting",
    "llm": "LLM",
    "tts": "TTS",
    "stt": "STT",
    "audio": "audio",
    "internal": "probe",
}
# In the reader's time zone, and as short as a column has to be.
MOMENT = "time:D MMM HH:mm"
# In a cell that has nothing to say.
NONE = "\N{EN DASH}"
SERVERS = {"llm": "LLM", "tts": "TTS", "stt": "STT", "agent": "agent"}
# A trace of a run in Grafana's own page for traces, by the beginning of the run's id.
TRACE = (
    "/explore?schemaVersion=1&panes="
    + quote('{"run":{"datasource":"tempo","queries":[{"refId":"A","datasource":{"type":"tempo","uid":"tempo"},')
    + quote('"queryType":"traceql","query":"{span.probe.run_id=~\\"')
    + "${__value.text}"
    + quote('.*\\"}"}],"range":{"from":"now-3d","to":"now"}}}')
)


def glance() -> tuple[Builder[Panel], ...]:
    """Two rows of panels, to be read from the left to the right."""
    return _state(), _byte(), _sound(), _shares(), _wrong(), _firing()


def _state() -> stat.Panel:
    panel = verdict("Is it good now?", now(judged(state()), JUDGED_PAIR), STATES)
    return sized(panel.no_value("No data: is the probe running, and scraped?"), 6, 6)


def _byte() -> stat.Panel:
    return _wait("First byte now", recorded("stage_seconds:p50_30m", 'stage="combined_ttfb"'))


def _sound() -> stat.Panel:
    return _wait("First sound now", quantile(0.5, "combined_ttfa"))


def _wait(title: str, median: str) -> stat.Panel:
    panel = tiles(title, now(each_pair(while_answered(median)), PAIR), unit="s")
    panel = panel.thresholds(steps((None, GOOD), (0.9, WARN), (1.0, BAD))).mappings(nothing("no recent answer"))
    return sized(panel.no_value("no recent answer"), 4, 6)


def _shares() -> table.Panel:
    """Of the 30 days, those that Prometheus knows are a column: a name that says 30 of 9 would be wrong."""
    columns = {
        "target": "Target",
        "scenario": "Scenario",
        "Value #A": "1 h",
        "Value #B": "24 h",
        "Value #C": "≤ 30 d",
        "Value #D": "of",
        "Value #E": "Budget left",
    }
    asked = (
        each_pair(recorded("within_objective:ratio_1h")),
        by_pair(recorded("within_objective:ratio_24h")),
        by_pair(recorded("within_objective:ratio_30d")),
        days_known(),
        by_pair(recorded("error_budget_left:ratio_30d")),
    )
    queries = [rows(expr, ref) for expr, ref in zip(asked, "ABCDE", strict=True)]
    panel = listing("How often is it in time?", *queries, columns=columns).no_value("no run yet")
    panel = panel.override_by_name("Target", [style("width", 70)]).override_by_name("Scenario", [style("width", 90)])
    looks = [shown_in("percentunit"), filled(), worded(nothing("no attempt")), style("width", 80)]
    for share in ("1 h", "24 h", "≤ 30 d"):
        decimals = DynamicConfigValue("decimals", 1)
        panel = panel.override_by_name(share, [*looks, decimals, coloured((None, BAD), (0.9, WARN), (0.95, GOOD))])
    panel = panel.override_by_name(
        "of", [shown_in("suffix: days"), DynamicConfigValue("decimals", 1), style("width", 75), empty(NONE)]
    )
    left = [*looks[:2], worded([*used_up(), *nothing("no attempt")]), DynamicConfigValue("decimals", 0)]
    panel = panel.override_by_name("Budget left", [*left, coloured((None, BAD), (0, WARN), (0.25, GOOD))])
    return sized(panel, 10, 6)


def _wrong() -> table.Panel:
    columns = {
        "target": "Target",
        "scenario": "Scenario",
        "Value #A": "It is",
        "Value #B": "Since",
        "server": "Server",
        "stage": "Stage",
        "reason": "Reason",
        "Value #D": "Takes",
        "Value #E": "Usually",
        "Value #F": "Last bad run",
    }
    asked = (
        state(),
        since(),
        to_blame(),
        of_blamed(recorded("stage_seconds:p75_recent")),
        of_blamed(recorded("stage_seconds:baseline")),
        last_bad_run(),
    )
    queries = [rows(expr, ref) for expr, ref in zip(asked, "ABCDEF", strict=True)]
    run_id = utc("Value #F", "YYYYMMDD[T]HHmmss[Z]")
    panel = listing("Since when, and at which stage?", *queries, columns=columns, before=run_id)
    panel = panel.no_value("No data: is the probe running, and scraped?")
    stages = {stage: words_of for stage, (words_of, _) in STAGES.items()} | FAILED_STAGES
    looks = {
        "Target": [style("width", 80)],
        "Scenario": [style("width", 80)],
        "It is": [worded([*words(STATES), *nothing("no data")]), filled(), style("width", 90)],
        "Since": [shown_in(MOMENT), style("width", 110)],
        "Server": [worded(of_texts(SERVERS)), style("width", 60)],
        "Stage": [worded(of_texts(stages)), style("width", 175)],
        "Takes": [shown_in("s"), style("width", 70)],
        "Usually": [shown_in("s"), style("width", 70)],
        "Reason": [style("width", 95)],
        "Last bad run": [link("Its trace", TRACE), worded(of_texts({"Invalid date": NONE})), style("width", 150)],
    }
    for column, each in looks.items():
        panel = panel.override_by_name(column, [*each, empty(NONE)])
    return sized(panel, 16, 7)


def _firing() -> table.Panel:
    columns = {
        "alertname": "Alert",
        "severity": "Severity",
        "target": "Target",
        "Value": "Since",
        "runbook": "Runbook",
        "page": "Page",
    }
    panel = listing("Alerts that fire", rows(firing()), columns=columns, before=[lower_case("page")])
    runbook = link("What it means, and what to do", "${__data.fields.Runbook}#${__data.fields.Page}")
    looks = {
        "Alert": [runbook],
        "Severity": [style("width", 85)],
        "Target": [style("width", 70)],
        "Since": [shown_in(MOMENT), worded(nothing(" ")), style("width", 110)],
        "Runbook": [unseen()],
        "Page": [unseen()],
    }
    for column, each in looks.items():
        panel = panel.override_by_name(column, each)
    panel = panel.sort_by([TableSortByFieldState().display_name("Severity").desc(False)])
    return sized(panel.no_value("No data"), 8, 7)
