"""Readings of a run → the machine during that run. Pure functions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from probe.machine.gpu import GpuHolders, GpuLevels, GpuReading
from probe.machine.host import Conditions, Counters, Levels
from probe.machine.state import ClockReason, GpuState, HostState, MachineState

T = TypeVar("T", int, float)


@dataclass(frozen=True, slots=True)
class HostReading:
    """The host at one moment, in seconds of a monotonic clock. What was not read is None."""

    at: float
    levels: Levels
    counters: Counters | None = None
    conditions: Conditions | None = None


def machine_state(host: Sequence[HostReading], gpus: Sequence[GpuReading]) -> MachineState | None:
    """The machine during the run in which these were read; None where nothing was."""
    if not host and not gpus:
        return None
    driver = next((each.driver for each in gpus if each.driver), None)
    return MachineState(_host(host), tuple(_gpus(gpus)), driver)


def _host(readings: Sequence[HostReading]) -> HostState:
    whole = [each for each in readings if each.counters is not None]
    levels = [each.levels for each in readings]
    last = next((each.conditions for each in reversed(readings) if each.conditions is not None), Conditions())
    counters = [each.counters for each in whole if each.counters is not None]
    seconds = whole[-1].at - whole[0].at if whole else 0.0
    busy, steal = _shares(counters)
    return HostState(
        cpu_mhz=_known(max, (each.cpu_mhz for each in levels)),
        cpu_limit_mhz=last.cpu_limit_mhz,
        governor=last.governor,
        busy=busy,
        steal=steal,
        pressure_cpu=_pressure([each.stalled_cpu_us for each in counters], seconds),
        pressure_memory=_pressure([each.stalled_memory_us for each in counters], seconds),
        pressure_io=_pressure([each.stalled_io_us for each in counters], seconds),
        load=last.load,
        memory_available_bytes=_known(min, (each.memory_available_bytes for each in levels)),
        swap_used_bytes=_known(max, (each.swap_used_bytes for each in levels)),
        temperature_c=last.temperature_c,
        kernel=last.kernel,
        boot_id=last.boot_id,
        started=last.started,
    )


def _shares(counters: Sequence[Counters]) -> tuple[float | None, float | None]:
    """What of the cores' time was work, and what a hypervisor took."""
    ticks = [each.ticks for each in counters if each.ticks is not None]
    total = ticks[-1].total - ticks[0].total if ticks else 0
    if total <= 0:
        return None, None
    idle, steal = ticks[-1].idle - ticks[0].idle, ticks[-1].steal - ticks[0].steal
    return _share((total - idle - steal) / total), _share(steal / total)


def _pressure(stalled_us: Sequence[int | None], seconds: float) -> float | None:
    """A machine that was started again meanwhile counts from the start."""
    known = [each for each in stalled_us if each is not None]
    grew = len(known) > 1 and known[-1] >= known[0]
    return _share((known[-1] - known[0]) / 1e6 / seconds) if grew and seconds > 0 else None


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)


def _gpus(readings: Sequence[GpuReading]) -> Iterable[GpuState]:
    count = max((len(each.levels) for each in readings), default=0)
    for number in range(count):
        levels = [each.levels[number] for each in readings if len(each.levels) > number]
        holders = [each.holders[number] for each in readings if len(each.holders) > number]
        yield _gpu(levels, holders[-1] if holders else GpuHolders())


def _gpu(levels: Sequence[GpuLevels], holders: GpuHolders) -> GpuState:
    return GpuState(
        name=levels[-1].name,
        sm_mhz=_known(max, (each.sm_mhz for each in levels)),
        memory_mhz=_known(max, (each.memory_mhz for each in levels)),
        reasons=_all_reasons(levels),
        power_w=_known(max, (each.power_w for each in levels)),
        temperature_c=_known(max, (each.temperature_c for each in levels)),
        utilisation=_known(max, (each.utilisation for each in levels)),
        pstate=_known(min, (each.pstate for each in levels)),
        memory_used_bytes=holders.memory_used_bytes,
        memory_total_bytes=holders.memory_total_bytes,
        processes=holders.processes,
    )


def _all_reasons(levels: Sequence[GpuLevels]) -> tuple[ClockReason, ...] | None:
    known = [each.reasons for each in levels if each.reasons is not None]
    return tuple(dict.fromkeys(reason for reasons in known for reason in reasons)) if known else None


def _known(best: Callable[[Iterable[T]], T], values: Iterable[T | None]) -> T | None:
    known = [value for value in values if value is not None]
    return best(known) if known else None
