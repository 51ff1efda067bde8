"""The machine that the probe runs on, as gauges: as it was during the last run that read it."""

import threading
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

from probe.machine.state import WORDS, GpuState, HostState, MachineState
from probe.metrics.exposition import NAMESPACE, Part

_HERTZ = 1e6
_Gauge = tuple[str, str, float | None]


class MachineMetrics:
    """A part of the page. What the machine does not have is no series, and before the first run nothing is."""

    def __init__(self) -> None:
        self.part = Part()
        self._lock = threading.Lock()
        self._last: MachineState | None = None
        self.part.registry.register(self)

    def update(self, machine: MachineState) -> None:
        with self._lock:
            self._last = machine
        self.part.refresh()

    def collect(self) -> Iterable[Metric]:
        """For prometheus_client."""
        with self._lock:
            machine = self._last
        return () if machine is None else [each for each in _families(machine) if each.samples]


def _families(machine: MachineState) -> Iterator[Metric]:
    yield from _of_host(machine.host)
    yield from _of_gpus(machine.gpus)
    facts = {"kernel": machine.host.kernel, "driver": machine.driver, "governor": machine.host.governor}
    known = {name: value for name, value in facts.items() if value}
    yield InfoMetricFamily(f"{NAMESPACE}_machine", "What the machine runs.", known)


def _of_host(host: HostState) -> Iterator[Metric]:
    yield from _single(
        ("cpu_frequency_hertz", "Mean of the cores, the highest of the last run.", _scaled(host.cpu_mhz)),
        ("cpu_frequency_limit_hertz", "What the system allows.", _scaled(host.cpu_limit_mhz)),
        ("cpu_busy_ratio", "Share of all cores that worked during the last run.", host.busy),
        ("cpu_steal_ratio", "Share of all cores that a hypervisor took.", host.steal),
        ("load", "Load of the last minute.", host.load),
        ("memory_available_bytes", "The lowest of the last run.", host.memory_available_bytes),
        ("swap_used_bytes", "The highest of the last run.", host.swap_used_bytes),
        ("temperature_celsius", "The hottest sensor.", host.temperature_c),
    )
    shares = {"cpu": host.pressure_cpu, "memory": host.pressure_memory, "io": host.pressure_io}
    yield _labelled(
        "pressure_ratio", "Share of the last run in which something waited for this.", ("resource",),
        [((name,), share) for name, share in shares.items()],
    )  # fmt: skip


def _of_gpus(gpus: Iterable[GpuState]) -> Iterator[Metric]:
    numbered = [(str(number), gpu) for number, gpu in enumerate(gpus)]
    figures: dict[str, tuple[str, Callable[[GpuState], float | None]]] = {
        "gpu_sm_clock_hertz": ("The highest of the last run.", lambda gpu: _scaled(gpu.sm_mhz)),
        "gpu_memory_clock_hertz": ("The highest of the last run.", lambda gpu: _scaled(gpu.memory_mhz)),
        "gpu_power_watts": ("The highest of the last run.", lambda gpu: gpu.power_w),
        "gpu_temperature_celsius": ("The highest of the last run.", lambda gpu: gpu.temperature_c),
        "gpu_utilisation_ratio": ("The highest of the last run.", lambda gpu: gpu.utilisation),
        "gpu_memory_used_bytes": ("After the last run.", lambda gpu: gpu.memory_used_bytes),
        "gpu_processes": (
            "Processes that have it open.",
            lambda gpu: None if gpu.processes is None else len(gpu.processes),
        ),
    }
    for name, (text, value) in figures.items():
        yield _labelled(name, text, ("gpu",), [((number,), value(gpu)) for number, gpu in numbered])
    capped = [
        ((number, reason), float(reason in gpu.reasons))
        for number, gpu in numbered
        if gpu.reasons is not None
        for reason in WORDS
    ]
    yield _labelled("gpu_clock_reason", "1 if it lowered the clocks in the last run.", ("gpu", "reason"), capped)


def _single(*gauges: _Gauge) -> Iterator[Metric]:
    for name, text, value in gauges:
        yield _labelled(name, text, (), [((), value)])


def _labelled(
    name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float | None]]
) -> Metric:
    family = GaugeMetricFamily(f"{NAMESPACE}_machine_{name}", text, labels=labels)
    for of, value in values:
        if value is not None:
            family.add_metric(of, value)
    return family


def _scaled(mhz: float | None) -> float | None:
    return None if mhz is None else mhz * _HERTZ
