"""The machine during a run, in one line: its clocks, and whatever slowed it down."""

from collections.abc import Iterator

from probe.machine.state import WORDS, GpuState, HostState, MachineState
from probe.text import one_line

_GIB = 2**30
# Shares below this are those of a machine that does nothing else.
_REMARKABLE = 0.02


def machine_line(machine: MachineState) -> str:
    """Short, and empty where nothing is known. Of several GPUs it is the one that worked most."""
    gpu = () if machine.gpu is None else _gpu(machine.gpu)
    parts = (machine.name and one_line(machine.name), ", ".join(gpu), ", ".join(_host(machine.host)), _silent(machine))
    return "; ".join(part for part in parts if part)


def _silent(machine: MachineState) -> str:
    names = {"node": "node_exporter", "dcgm": "dcgm-exporter"}
    return f"no answer from {' and '.join(names[each] for each in machine.silent)}" if machine.silent else ""


def _gpu(gpu: GpuState) -> Iterator[str]:
    if gpu.sm_mhz is not None or gpu.throttled:
        clock = "" if gpu.sm_mhz is None else f" {gpu.sm_mhz} MHz"
        capped = ", ".join(WORDS[each] for each in gpu.throttled)
        yield f"GPU{clock}{f' ({capped})' if capped else ''}"
    if gpu.power_w is not None:
        yield f"{gpu.power_w:.0f} W"
    if gpu.temperature_c is not None:
        yield f"{gpu.temperature_c:.0f} °C"
    if gpu.utilisation is not None:
        yield f"{gpu.utilisation:.0%} used"


def _host(host: HostState) -> Iterator[str]:
    busy = "" if host.busy is None else f" {host.busy:.0%} used"
    clock = "" if host.cpu_mhz is None else f" {host.cpu_mhz:.0f} MHz"
    if busy or clock:
        governor = f" ({one_line(host.governor)})" if host.governor and clock else ""
        yield f"CPU{clock}{governor}{',' if clock and busy else ''}{busy}"
    waits = {"a processor": host.pressure_cpu, "memory": host.pressure_memory, "the disk": host.pressure_io}
    for what, share in waits.items():
        if share is not None and share >= _REMARKABLE:
            yield f"{share:.0%} of the time waiting for {what}"
    if host.steal is not None and host.steal >= _REMARKABLE:
        yield f"{host.steal:.0%} taken by the hypervisor"
    if host.memory_available_bytes is not None:
        yield f"{host.memory_available_bytes / _GIB:.1f} GiB free"
