"""Another machine's figures, by the page of its node_exporter: as those that are read here from /proc and /sys."""

from collections.abc import Mapping
from statistics import fmean

from probe.machine.host import Conditions, Counters, Levels, Ticks, plausible
from probe.prometheus_text import Page, as_name

# What it is asked for: all else costs the machine that is measured.
BRIEF = ("cpufreq", "meminfo")
FIRST = (*BRIEF, "cpu", "pressure")
WHOLE = (*FIRST, "hwmon", "loadavg", "stat", "thermal_zone", "uname")
_CPU, _MHZ, _LIMIT, _GOVERNOR = (
    f"node_cpu_{name}"
    for name in ("seconds_total", "scaling_frequency_hertz", "scaling_frequency_max_hertz", "scaling_governor")
)
_AVAILABLE, _SWAP, _SWAP_FREE = (f"node_memory_{name}_bytes" for name in ("MemAvailable", "SwapTotal", "SwapFree"))
_STALLED = {each: f"node_pressure_{each}_waiting_seconds_total" for each in ("cpu", "memory", "io")}
_DEGREES = ("node_thermal_zone_temp", "node_hwmon_temp_celsius")
_LOAD, _UNAME, _BOOT = "node_load1", "node_uname_info", "node_boot_time_seconds"
# All that is read of a page.
NAMES = (
    _CPU, _MHZ, _LIMIT, _GOVERNOR, _AVAILABLE, _SWAP, _SWAP_FREE, *_STALLED.values(), *_DEGREES, _LOAD, _UNAME, _BOOT,
)  # fmt: skip
# Seconds are counted in the hundredths that a kernel counts in, and megahertz and microseconds as here.
_TICKS_PER_S, _US_PER_S, _HERTZ_PER_MHZ = 100, 1e6, 1e6
_IDLE = ("idle", "iowait")
_LONGEST = 256


def read(page: bytes) -> Page:
    return Page(page, NAMES)


def levels(page: Page) -> Levels:
    swap, free = page.amount(_SWAP), page.amount(_SWAP_FREE)
    return Levels(
        cpu_mhz=_mean_mhz(page, _MHZ),
        memory_available_bytes=_whole(page.amount(_AVAILABLE)),
        swap_used_bytes=None if swap is None or free is None else _whole(max(0.0, swap - free)),
    )


def counters(page: Page) -> Counters:
    return Counters(
        ticks=_ticks(page.sums(_CPU, "mode")),
        stalled_cpu_us=_stalled_us(page, "cpu"),
        stalled_memory_us=_stalled_us(page, "memory"),
        stalled_io_us=_stalled_us(page, "io"),
    )


def conditions(page: Page) -> Conditions:
    """Its start is a time here: there is no id of it."""
    degrees = (each for name in _DEGREES for each in page.values(name))
    governors = {name for name, chosen in page.sums(_GOVERNOR, "governor").items() if chosen}
    return Conditions(
        load=page.amount(_LOAD),
        temperature_c=max(filter(plausible, degrees), default=None),
        cpu_limit_mhz=_mean_mhz(page, _LIMIT),
        governor=",".join(sorted(filter(None, map(as_name, governors))))[:_LONGEST] or None,
        kernel=next((each.name("release") for each in page.samples(_UNAME)), None),
        started=page.amount(_BOOT),
    )


def _ticks(seconds: Mapping[str, float]) -> Ticks | None:
    """Of all cores, by mode. Guests are part of `user`, as in /proc/stat."""
    if "idle" not in seconds:
        return None
    whole, idle = sum(seconds.values()), sum(seconds.get(mode, 0.0) for mode in _IDLE)
    return Ticks(*(round(each * _TICKS_PER_S) for each in (whole, idle, seconds.get("steal", 0.0))))


def _stalled_us(page: Page, resource: str) -> int | None:
    seconds = page.amount(_STALLED[resource])
    return None if seconds is None else round(seconds * _US_PER_S)


def _mean_mhz(page: Page, name: str) -> float | None:
    known = [each for each in page.values(name) if each > 0]
    return round(fmean(known) / _HERTZ_PER_MHZ, 1) if known else None


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
