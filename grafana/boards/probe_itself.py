"""Probe: is the instrument itself well, so that what it says can be believed?"""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueTextMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from boards.frame import board
from boards.panels import BAD, GOOD, WARN, bars, fixed, limit, lines, sized, steps, tiles, verdict
from boards.queries import PAIR, PAIRS, metric, now, over_time

# From the alerts VoiceProbeStale, VoiceProbeRunsMissed, VoiceProbeSinkErrors, VoiceProbeSuspect, VoiceProbeConfigRefused.
STATES = {
    0: ("Well", GOOD),
    1: ("Old configuration", WARN),
    2: ("Disturbed", WARN),
    3: ("Loses results", "orange"),
    4: ("Misses runs", "orange"),
    5: ("Not measuring", BAD),
}
OF_THE_PROBE = "and on (job, instance) voice_probe_build_info"


def build() -> Dashboard:
    """The dashboard to doubt the others by."""
    built = board("Probe", "voice-probe", "Whether the instrument itself is well.", "now-24h", "1m")
    for panel in (_state(), _last_run(), _shares(), _version()):
        built = built.with_panel(panel)
    built = built.with_row(Row("Was everything measured?"))
    for panel in (_not_measured(), _delay(), _lag()):
        built = built.with_panel(panel)
    built = built.with_row(Row("Did the results arrive?"))
    for panel in (_sinks(), _history_runs(), _history_size()):
        built = built.with_panel(panel)
    built = built.with_row(Row("What does it cost?"))
    return built.with_panel(_memory()).with_panel(_cpu())


def _verdict() -> str:
    """A number that STATES has words for, by daemon; the first line that holds decides."""

    def of_an_hour(counter: str) -> str:
        return f"sum by (job, instance) (increase(voice_probe_{counter}[1h]))"

    suspect, trusted = of_an_hour('runs_total{outcome="suspect"}'), of_an_hour('runs_total{outcome!="skipped"}')
    return "\nor on (job, instance)\n".join(
        (
            "5 * max by (job, instance) (time() - voice_probe_next_run_timestamp_seconds > bool 180) > 0",
            f"4 * ({of_an_hour('runs_missed_total')} > bool 2.5) > 0",
            f"3 * ({of_an_hour('sink_errors_total')} + {of_an_hour('spans_dropped_total')} > bool 2.5) > 0",
            f"2 * ({suspect} / {trusted} > bool 0.25) > 0",
            "1 * (max by (job, instance) (voice_probe_config_last_reload_successful) == bool 0) > 0",
            "0 * max by (job, instance) (voice_probe_build_info)",
        )
    )


def _state() -> stat.Panel:
    text = (
        "Can the other dashboards be believed? Judged by the last hour, for each daemon.\n\n"
        "- **Well**: it measures and keeps what it measures\n"
        "- **Old configuration**: the new one has errors: `probe check-config` names them\n"
        "- **Disturbed**: a quarter of the runs can't be trusted: the machine has no core to spare\n"
        "- **Loses results**: a sink fails, see *Results that were lost*\n"
        "- **Misses runs**: runs take longer than their interval: raise `every_s`\n"
        "- **Not measuring**: a run is three minutes overdue: see `journalctl -u voice-probe`"
    )
    panel = verdict("Is the probe well?", text, now(_verdict(), "{{instance}}"), STATES)
    return sized(panel.no_value("No probe: does it run, is it scraped?"), 6, 6)


def _last_run() -> stat.Panel:
    text = (
        "When did the last run end, however it did? It has no colour of its own: what is long depends on the schedule. "
        "Overdue runs show in *Is the probe well?*.\n\n"
        "Longer than the schedule's interval: the daemon is stuck, or Prometheus does not reach it."
    )
    ago = f"time() - ({metric('last_run_timestamp_seconds')} > 0)"
    panel = tiles("The last run ended … ago", text, now(ago, PAIR), unit="s").decimals(0)
    return sized(panel.color_mode(BigValueColorMode.NONE).no_value("no run yet"), 5, 6)


def _shares() -> stat.Panel:
    text = (
        "Which share of the runs that were due in 24 hours measured nothing?\n\n"
        "- **missed**: did not take place; the run before it still went on, or the daemon was down\n"
        "- **skipped**: the server was busy with its users. Much of it: the dashboards show the quiet hours only\n"
        "- **suspect**: our own clock was disturbed; see *Delay of the event loop*"
    )
    missed = f"sum(increase(voice_probe_runs_missed_total{{{PAIRS}}}[24h]))"
    due = f"(sum(increase(voice_probe_runs_total{{{PAIRS}}}[24h])) + {missed} > 0)"
    shares = {
        "missed": missed,
        "skipped": f'sum(increase(voice_probe_runs_total{{{PAIRS},outcome="skipped"}}[24h]))',
        "suspect": f'sum(increase(voice_probe_runs_total{{{PAIRS},outcome="suspect"}}[24h]))',
    }
    queries = [now(f"{counted} / {due}", name, ref) for (name, counted), ref in zip(shares.items(), "ABC", strict=True)]
    panel = tiles("Runs without a result, 24 h", text, *queries, unit="percentunit").decimals(1)
    panel = panel.thresholds(steps((None, GOOD), (0.1, WARN), (0.25, BAD))).text_mode(BigValueTextMode.VALUE_AND_NAME)
    patient = {"mode": "absolute", "steps": [{"value": None, "color": GOOD}, {"value": 0.25, "color": WARN}]}
    return sized(panel.override_by_name("skipped", [DynamicConfigValue("thresholds", patient)]), 8, 6)


def _version() -> stat.Panel:
    text = (
        "Which version runs?\n\nNot the one that you installed: the service was not restarted. Two of them: two daemons "
        "measure, and may hold each other up."
    )
    version = now("max by (version, python) (voice_probe_build_info)", "{{version}}, Python {{python}}")
    panel = tiles("Version", text, version, unit="none").text_mode(BigValueTextMode.NAME)
    return sized(panel.color_mode(BigValueColorMode.NONE).no_value("unknown"), 5, 6)


def _not_measured() -> timeseries.Panel:
    text = (
        "When were runs without a result? Each bar counts those of half an hour.\n\n"
        "**missed**: raise the schedule's `every_s`, or find what holds runs up. **skipped**: the server's users, who come "
        "first; at the same hours each day it is their habit. **suspect**: see *Delay of the event loop* at that time."
    )
    parts = {
        "missed": (f"sum(increase(voice_probe_runs_missed_total{{{PAIRS}}}[$__interval]))", BAD),
        "suspect": (f'sum(increase(voice_probe_runs_total{{{PAIRS},outcome="suspect"}}[$__interval]))', WARN),
        "skipped": (f'sum(increase(voice_probe_runs_total{{{PAIRS},outcome="skipped"}}[$__interval]))', "blue"),
    }
    queries = [over_time(expr, name, ref, "30m") for (name, (expr, _)), ref in zip(parts.items(), "ABC", strict=True)]
    panel = bars("Runs without a result", text, *queries, unit="short")
    for name, (_, color) in parts.items():
        panel = panel.override_by_name(name, [fixed(color)])
    return sized(panel.axis_soft_max(5), 12, 8)


def _delay() -> timeseries.Panel:
    text = (
        "How late do runs begin? Some milliseconds are usual. Waiting for the server's users is part of it.\n\n"
        "Seconds: runs of other schedules are in the way, or the server's users are: spread the schedules with `phase_s`."
    )
    panel = lines("Delay of the schedule", text, over_time(metric("schedule_delay_seconds"), PAIR), unit="s")
    return sized(panel.axis_soft_max(0.05), 6, 8)


def _lag() -> timeseries.Panel:
    text = (
        "Is our own clock disturbed? The longest that the daemon's event loop was held up of late. From 20 ms on "
        "(dashed; `self_check.max_lag_ms`) while something is measured, that run is suspect.\n\n"
        "Often above: the machine has no core to spare. Give the service more CPU weight, or move it to another machine."
    )
    query = over_time("max by (instance) (voice_probe_loop_lag_seconds)", "{{instance}}")
    panel = limit(lines("Delay of the event loop", text, query, unit="s"), (None, "transparent"), (0.02, BAD))
    return sized(panel.axis_soft_max(0.03), 6, 8)


def _sinks() -> timeseries.Panel:
    text = (
        "Did all results arrive? Each bar counts failed attempts of half an hour, by sink, and spans that no collector "
        "will get.\n\n"
        "**history**: is the disk full, is the state directory writable? **spans**: is the collector running at "
        "`otlp.endpoint`? What it misses is sent again from the history when it is back. **spans dropped**: for good."
    )
    errors = over_time("sum by (sink) (increase(voice_probe_sink_errors_total[$__interval]))", "{{sink}}", "A", "30m")
    spans = over_time("sum(increase(voice_probe_spans_dropped_total[$__interval]))", "spans dropped", "B", "30m")
    panel = bars("Results that were lost", text, errors, spans, unit="short")
    return sized(panel.axis_soft_max(5), 12, 8)


def _history_runs() -> timeseries.Panel:
    text = (
        "How far does the past reach? The runs that the history on disk holds.\n\n"
        "It grows, then stays when the oldest are forgotten (`history.keep_days`, `history.keep_megabytes`). It falls to "
        "nothing: the state directory was lost. It stands still: see *Is the probe well?*."
    )
    query = over_time("max by (instance) (voice_probe_history_runs)", "{{instance}}")
    return sized(lines("Runs in the history", text, query, unit="short"), 6, 8)


def _history_size() -> timeseries.Panel:
    text = (
        "How much disk does the past take? About 4 kB a run, up to `history.keep_megabytes`.\n\n"
        "More than the disk can spare: lower that setting; the oldest runs go first."
    )
    query = over_time("max by (instance) (voice_probe_history_bytes)", "{{instance}}")
    return sized(lines("Size of the history", text, query, unit="bytes"), 6, 8)


def _memory() -> timeseries.Panel:
    text = (
        "How much memory does the daemon take? `docs/daemon.md` says what was measured; it does not grow with the "
        "history.\n\n"
        "It grows day after day: restart the service, and report it with this picture."
    )
    query = over_time(f"process_resident_memory_bytes {OF_THE_PROBE}", "{{instance}}")
    return sized(lines("Memory", text, query, unit="bytes").axis_soft_max(100e6), 12, 7)


def _cpu() -> timeseries.Panel:
    text = (
        "How much of one core does the daemon take? A percent or less at one run a minute.\n\n"
        "More: a schedule that is too close, or many targets. What it takes, the voice agent may miss: raise `every_s`."
    )
    query = over_time(f"rate(process_cpu_seconds_total[$__rate_interval]) {OF_THE_PROBE}", "{{instance}}", "A", "5m")
    return sized(lines("CPU", text, query, unit="percentunit").axis_soft_max(0.05), 12, 7)
