"""Probe: is the instrument itself well, so that what it says can be believed?"""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import BigValueColorMode, BigValueTextMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from boards.frame import board, row
from boards.palette import BAD, GOOD, LOST, PROBE, WARN
from boards.panels import bars, fixed, limit, lines, side_by_side, sized, steps, tiles, verdict
from boards.queries import PAIR, PAIRS, metric, now, over_time

OF_THE_PROBE = "and on (job, instance) voice_probe_build_info"


def build() -> Dashboard:
    """The dashboard to doubt the others by."""
    built = board("Probe", "voice-probe", "Whether the instrument itself is well.", "now-24h", "1m")
    built = row(built, "", _state(), _last_run(), _shares(), _version())
    built = row(built, "Was everything measured?", _not_measured(), _delay(), _lag())
    built = row(built, "Did the results arrive?", _sinks(), _history_runs(), _history_size())
    return row(built, "What does it cost?", _memory(), _cpu())


def _verdict() -> str:
    """A number that `palette.PROBE` has words for, by daemon; the first line that holds decides.

    As the alerts VoiceProbeStale, ...RunsMissed, ...SinkErrors, ...Suspect and ...ConfigRefused.
    """

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
    panel = verdict("Is the probe well?", now(_verdict(), "{{instance}}"), PROBE)
    return sized(panel.no_value("No probe: does it run, is it scraped?"), 6, 6)


def _last_run() -> stat.Panel:
    ago = f"time() - ({metric('last_run_timestamp_seconds')} > 0)"
    panel = tiles("The last run ended … ago", now(ago, PAIR), unit="s").decimals(0)
    return sized(panel.color_mode(BigValueColorMode.NONE).no_value("no run yet"), 5, 6)


def _shares() -> stat.Panel:
    missed = f"sum(increase(voice_probe_runs_missed_total{{{PAIRS}}}[24h]))"
    due = f"(sum(increase(voice_probe_runs_total{{{PAIRS}}}[24h])) + {missed} > 0)"
    shares = {
        "missed": missed,
        "skipped": f'sum(increase(voice_probe_runs_total{{{PAIRS},outcome="skipped"}}[24h]))',
        "suspect": f'sum(increase(voice_probe_runs_total{{{PAIRS},outcome="suspect"}}[24h]))',
    }
    queries = [now(f"{counted} / {due}", name, ref) for (name, counted), ref in zip(shares.items(), "ABC", strict=True)]
    panel = tiles("Runs without a result, 24 h", *queries, unit="percentunit").decimals(1)
    panel = side_by_side(panel.thresholds(steps((None, GOOD), (0.1, WARN), (0.25, BAD))))
    patient = {"mode": "absolute", "steps": [{"value": None, "color": GOOD}, {"value": 0.25, "color": WARN}]}
    return sized(
        panel.no_value("no run yet").override_by_name("skipped", [DynamicConfigValue("thresholds", patient)]), 8, 6
    )


def _version() -> stat.Panel:
    version = now("max by (version, python) (voice_probe_build_info)", "{{version}}, Python {{python}}")
    panel = tiles("Version", version, unit="none").text_mode(BigValueTextMode.NAME)
    return sized(panel.color_mode(BigValueColorMode.NONE).no_value("unknown"), 5, 6)


def _not_measured() -> timeseries.Panel:
    parts = {
        "missed": f"sum(increase(voice_probe_runs_missed_total{{{PAIRS}}}[$__interval]))",
        "suspect": f'sum(increase(voice_probe_runs_total{{{PAIRS},outcome="suspect"}}[$__interval]))',
        "skipped": f'sum(increase(voice_probe_runs_total{{{PAIRS},outcome="skipped"}}[$__interval]))',
    }
    queries = [over_time(expr, name, ref, "30m") for (name, expr), ref in zip(parts.items(), "ABC", strict=True)]
    panel = bars("Runs without a result", *queries, unit="short")
    for name, color in LOST.items():
        panel = panel.override_by_name(name, [fixed(color)])
    return sized(panel.axis_soft_max(5), 12, 8)


def _delay() -> timeseries.Panel:
    panel = lines("Delay of the schedule", over_time(metric("schedule_delay_seconds"), PAIR), unit="s")
    return sized(panel.axis_soft_max(0.05), 6, 8)


def _lag() -> timeseries.Panel:
    query = over_time("max by (instance) (voice_probe_loop_lag_seconds)", "{{instance}}")
    panel = limit(lines("Delay of the event loop", query, unit="s"), (None, "transparent"), (0.02, BAD))
    return sized(panel.axis_soft_max(0.03), 6, 8)


def _sinks() -> timeseries.Panel:
    errors = over_time("sum by (sink) (increase(voice_probe_sink_errors_total[$__interval]))", "{{sink}}", "A", "30m")
    spans = over_time("sum(increase(voice_probe_spans_dropped_total[$__interval]))", "spans dropped", "B", "30m")
    panel = bars("Results that were lost", errors, spans, unit="short")
    return sized(panel.axis_soft_max(5), 12, 8)


def _history_runs() -> timeseries.Panel:
    query = over_time("max by (instance) (voice_probe_history_runs)", "{{instance}}")
    return sized(lines("Runs in the history", query, unit="short"), 6, 8)


def _history_size() -> timeseries.Panel:
    query = over_time("max by (instance) (voice_probe_history_bytes)", "{{instance}}")
    return sized(lines("Size of the history", query, unit="bytes"), 6, 8)


def _memory() -> timeseries.Panel:
    query = over_time(f"process_resident_memory_bytes {OF_THE_PROBE}", "{{instance}}")
    return sized(lines("Memory", query, unit="bytes").axis_soft_max(100e6), 12, 7)


def _cpu() -> timeseries.Panel:
    query = over_time(f"rate(process_cpu_seconds_total[$__rate_interval]) {OF_THE_PROBE}", "{{instance}}", "A", "5m")
    return sized(lines("CPU", query, unit="percentunit").axis_soft_max(0.05), 12, 7)
