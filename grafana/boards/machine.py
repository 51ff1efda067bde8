"""Machine: was the machine another one when the wait was?"""

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.common import BigValueColorMode

from boards.frame import board, changes, happened, row
from boards.palette import CAPS, CLOCKS, PRESSURES
from boards.panels import bars, fixed, lines, sized, tiles, verdict, with_stages
from boards.queries import PAIRS, in_words, now, over_time, recorded, while_answered

GPU = "GPU {{gpu}} {{machine}} {{instance}}"
HOST = "{{machine}} {{instance}}"
# As `probe.machine.state.THROTTLED`.
THROTTLED = 'reason=~"power_cap|hw_slowdown|sw_thermal|hw_thermal|power_brake"'
REASON = "voice_probe_machine_gpu_clock_reason"


def build() -> Dashboard:
    """The dashboard for the question why."""
    built = board(
        "Machine", "voice-machine", "The machine that the probe runs on, beside the latency.", "now-24h", "1m"
    )
    built = built.annotation(changes()).annotation(happened())
    built = row(built, "", _capped(), _clock(), _memory_now())
    built = row(built, "The wait", _wait(), _changed())
    built = row(built, "The GPU", _clocks(), _reasons(), _power(), _temperature(), _use())
    built = row(built, "The machine", _pressure(), _cpu(), _memory())
    return row(built, "What the servers report", _requests(), _outside(), _cached())


def _capped() -> stat.Panel:
    query = now(f"max by (job, instance) ({REASON}{{{THROTTLED}}})", "{{instance}}")
    return sized(verdict("Are a GPU's clocks capped?", query, CLOCKS).no_value("no GPU was read"), 8, 5)


def _clock() -> stat.Panel:
    query = now("max by (instance, machine, gpu) (voice_probe_machine_gpu_sm_clock_hertz)", GPU)
    panel = tiles("SM clock in the last run", query, unit="hertz").decimals(2).color_mode(BigValueColorMode.NONE)
    return sized(panel.no_value("no GPU was read"), 8, 5)


def _memory_now() -> stat.Panel:
    query = now("max by (instance, machine) (voice_probe_machine_memory_available_bytes)", HOST)
    panel = tiles("Memory that was left", query, unit="bytes").color_mode(BigValueColorMode.NONE)
    return sized(panel.no_value("not read"), 8, 5)


def _wait() -> timeseries.Panel:
    median = recorded("stage_seconds:p50_30m")
    panel = lines("The wait, by stage", over_time(f"avg by (stage) ({while_answered(median)})", "{{stage}}"), unit="s")
    return sized(with_stages(panel), 16, 8)


def _changed() -> timeseries.Panel:
    counted = f"sum by (kind) (increase(voice_probe_changes_total{{{PAIRS}}}[$__interval])) > 0.5"
    none = 'label_replace(vector(0), "kind", "no change", "", "")'
    expr = in_words(f"{counted}\nor on ()\n{none}", "kind")
    panel = bars("What was changed", over_time(expr, "{{words}}", "A", "30m"), unit="short")
    return sized(panel.axis_soft_max(1), 8, 8)


def _clocks() -> timeseries.Panel:
    queries = [
        over_time(
            f"max by (instance, machine, gpu) (voice_probe_machine_gpu_{name}_clock_hertz)", f"{words} {GPU}", ref
        )
        for name, words, ref in (("sm", "SM", "A"), ("memory", "memory", "B"))
    ]
    return sized(lines("GPU clocks", *queries, unit="hertz"), 12, 8)


def _reasons() -> timeseries.Panel:
    query = over_time(f"max by (reason) ({REASON})", "{{reason}}")
    panel = bars("What lowers the clocks", query, unit="short")
    for reason, color in CAPS.items():
        panel = panel.override_by_name(reason, [fixed(color)])
    return sized(panel.axis_soft_max(1), 12, 8)


def _power() -> timeseries.Panel:
    query = over_time("max by (instance, machine, gpu) (voice_probe_machine_gpu_power_watts)", GPU)
    return sized(lines("GPU power", query, unit="watt"), 8, 7)


def _temperature() -> timeseries.Panel:
    queries = [
        over_time("max by (instance, machine, gpu) (voice_probe_machine_gpu_temperature_celsius)", GPU, "A"),
        over_time(
            "max by (instance, machine) (voice_probe_machine_temperature_celsius)", f"hottest sensor {HOST}", "B"
        ),
    ]
    return sized(lines("Temperature", *queries, unit="celsius"), 8, 7)


def _use() -> timeseries.Panel:
    query = over_time("max by (instance, machine, gpu) (voice_probe_machine_gpu_utilisation_ratio)", GPU)
    return sized(lines("GPU use", query, unit="percentunit").axis_soft_max(1), 8, 7)


def _requests() -> timeseries.Panel:
    queries = [
        over_time(
            f"max by (target, server) (voice_probe_server_requests_{name}{{{PAIRS}}})",
            f"{name} {{{{target}}}} {{{{server}}}}",
            ref,
        )
        for name, ref in (("running", "A"), ("waiting", "B"))
    ]
    return sized(lines("Requests at the servers before a run", *queries, unit="short").axis_soft_max(1), 8, 7)


def _outside() -> timeseries.Panel:
    of_target = "{{target}} {{scenario}}"
    query = over_time(f"max by (target, scenario) (voice_probe_server_outside_seconds{{{PAIRS}}})", of_target)
    return sized(lines("Network and queue", query, unit="s"), 8, 7)


def _cached() -> timeseries.Panel:
    of_server = "{{target}} {{scenario}} {{server}}"
    query = over_time(f"max by (target, scenario, server) (voice_probe_server_cache_hit_ratio{{{PAIRS}}})", of_server)
    return sized(lines("Prompts that the server had read before", query, unit="percentunit").axis_soft_max(1), 8, 7)


def _pressure() -> timeseries.Panel:
    query = over_time("max by (resource) (voice_probe_machine_pressure_ratio)", "{{resource}}")
    panel = lines("Waiting for the machine", query, unit="percentunit").axis_soft_max(0.1)
    for resource, color in PRESSURES.items():
        panel = panel.override_by_name(resource, [fixed(color)])
    return sized(panel, 8, 7)


def _cpu() -> timeseries.Panel:
    query = over_time("max by (instance, machine) (voice_probe_machine_cpu_frequency_hertz)", HOST)
    return sized(lines("CPU clock", query, unit="hertz"), 8, 7)


def _memory() -> timeseries.Panel:
    queries = [
        over_time("max by (instance, machine) (voice_probe_machine_memory_available_bytes)", f"available {HOST}", "A"),
        over_time("max by (instance, machine) (voice_probe_machine_swap_used_bytes)", f"swap {HOST}", "B"),
    ]
    return sized(lines("Memory", *queries, unit="bytes"), 8, 7)
