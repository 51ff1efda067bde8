"""What the machine was like during one run. Frozen values, a part of the record; standard library only.

A figure that this machine does not have, or does not show to us, is None. Shares are from 0 to 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# Which machine is read by the probe itself: this one, or none.
Source = Literal["local", "none"]
# What shows another machine: its host by node_exporter, its GPUs by dcgm-exporter.
Exporter = Literal["node", "dcgm"]
# Why a GPU's clocks are lower than they could be, as its driver says.
ClockReason = Literal[
    "application_clocks",
    "power_cap",
    "hw_slowdown",
    "sync_boost",
    "sw_thermal",
    "hw_thermal",
    "power_brake",
    "display_clocks",
]
WORDS: Mapping[ClockReason, str] = {
    "application_clocks": "application clocks",
    "power_cap": "power cap",
    "hw_slowdown": "hardware slowdown",
    "sync_boost": "sync boost",
    "sw_thermal": "software thermal slowdown",
    "hw_thermal": "hardware thermal slowdown",
    "power_brake": "power brake",
    "display_clocks": "display clocks",
}
# Times of a machine's start that differ by less may be of the same one: they are computed from its clocks.
SAME_START_S = 60.0
# Reasons that slow a server unexpectedly. The others are settings.
THROTTLED: tuple[ClockReason, ...] = ("power_cap", "hw_slowdown", "sw_thermal", "hw_thermal", "power_brake")


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process that has the GPU open: its name without arguments, its memory there.

    `started` is the seconds from the machine's start to its own: no step of a clock moves it.
    """

    name: str
    memory_bytes: int | None = None
    started: float | None = None


@dataclass(frozen=True, slots=True)
class GpuState:
    """One GPU. Clocks, power, temperature and utilisation are the highest of the run; `pstate` is the lowest number.

    An idle GPU lowers its clocks, so that the lowest of a run is no sign of anything. `reasons` are all that were seen.
    """

    name: str | None = None
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    # Empty where the clocks are free; None where the driver does not say.
    reasons: tuple[ClockReason, ...] | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    utilisation: float | None = None
    pstate: int | None = None
    # None on a machine whose GPU shares the host's memory.
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    # None where they are hidden from us.
    processes: tuple[GpuProcess, ...] | None = None

    @property
    def throttled(self) -> tuple[ClockReason, ...]:
        """The reasons that lower the clocks unexpectedly, in the order of THROTTLED."""
        return tuple(each for each in THROTTLED if each in (self.reasons or ()))


@dataclass(frozen=True, slots=True)
class HostState:
    """The machine without its GPU.

    `busy`, `steal` and the pressures are shares of the run's time: of all cores that they worked, of all cores that
    a hypervisor took, and of the time in which something waited for a processor, memory or a disk.
    """

    # The highest of the run, each the mean of the cores.
    cpu_mhz: float | None = None
    # What the system allows, the mean of the cores.
    cpu_limit_mhz: float | None = None
    governor: str | None = None
    busy: float | None = None
    steal: float | None = None
    pressure_cpu: float | None = None
    pressure_memory: float | None = None
    pressure_io: float | None = None
    # Of the last minute, at the end of the run.
    load: float | None = None
    # The lowest of the run.
    memory_available_bytes: int | None = None
    # The highest of the run.
    swap_used_bytes: int | None = None
    # The hottest sensor, at the end of the run.
    temperature_c: float | None = None
    kernel: str | None = None
    boot_id: str | None = None
    # Of the machine, in seconds since the epoch, where there is no id of its start.
    started: float | None = None


@dataclass(frozen=True, slots=True)
class MachineState:
    """The machine during one run."""

    host: HostState = field(default_factory=HostState)
    gpus: tuple[GpuState, ...] = ()
    # Of the GPUs.
    driver: str | None = None
    # Of another machine, that was read by its exporters: its host in their URL. None is this machine.
    name: str | None = None
    # Exporters without any answer during the run.
    silent: tuple[Exporter, ...] = ()

    @property
    def throttled(self) -> tuple[ClockReason, ...]:
        """The same of all GPUs."""
        return tuple(each for each in THROTTLED if any(each in gpu.throttled for gpu in self.gpus))

    @property
    def gpu(self) -> GpuState | None:
        """The GPU that worked most, the first of several; None where there is none."""
        return max(self.gpus, key=lambda each: each.utilisation or 0.0, default=None)
