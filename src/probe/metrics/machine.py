"""The machines that runs are measured on, as gauges: as each was during the last run that read it.

The machine that the probe runs on has no label; another one, which its exporters show, has its name.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from probe.machine.state import WORDS, Exporter, GpuState, HostState, MachineState
from probe.metrics.exposition import NAMESPACE, Configured, Part
from probe.plan import Target
from probe.record import RunRecord

_HERTZ = 1e6
_Gauge = tuple[str, str, float | None]


class MachineMetrics:
    """A part of the page. What the machine does not have is no series, and before the first run nothing is."""

    def __init__(self, configured: Configured) -> None:
        self.part = Part(configured)
        self._lock = threading.Lock()
        self._last: dict[str | None, MachineState] = {}
        # Of each target, by exporter: did it answer during the last run?
        self._answered: dict[str, Mapping[Exporter, bool]] = {}
        self._unanswered: dict[tuple[str, Exporter], int] = {}
        self.part.registry.register(self)

    def expect(self, target: Target) -> None:
        """Have the counters of this target's exporters, at zero. Those that it had before answer to nobody."""
        with self._lock:
            if (answered := self._answered.pop(target.name, None)) and target.exporters:
                self._answered[target.name] = {each: up for each, up in answered.items() if each in target.exporters}
            for each in target.exporters:
                self._unanswered.setdefault((target.name, each), 0)
        self.part.refresh()

    def update(self, target: Target, machine: MachineState) -> None:
        with self._lock:
            self._last[machine.name] = machine
            if target.exporters:
                self._answered[target.name] = _answers(target, machine)
            for each in machine.silent:
                self._unanswered[target.name, each] = self._unanswered.get((target.name, each), 0) + 1
        self.part.refresh()

    def keep(self, names: Collection[str | None]) -> None:
        """Forget all other machines: no target is on them any more."""
        with self._lock:
            self._last = {name: machine for name, machine in self._last.items() if name in names}
        self.part.refresh()

    def collect(self) -> Iterable[Metric]:
        """For prometheus_client."""
        with self._lock:
            machines, answered, unanswered = [*self._last.values()], dict(self._answered), dict(self._unanswered)
        return [each for each in (*_merged(machines), *_of_exporters(answered, unanswered)) if each.samples]


def _merged(machines: Iterable[MachineState]) -> Iterable[Metric]:
    """Each metric once, with the samples of all machines."""
    found: dict[str, Metric] = {}
    for machine in machines:
        for each in families(machine):
            found.setdefault(each.name, Metric(each.name, each.documentation, each.type)).samples.extend(each.samples)
    return found.values()


def _of_exporters(
    answered: Mapping[str, Mapping[Exporter, bool]], unanswered: Mapping[tuple[str, Exporter], int]
) -> Iterator[Metric]:
    yield _up(answered)
    family = CounterMetricFamily(
        f"{NAMESPACE}_machine_exporter_silent_runs",
        "Runs during which it did not answer.",
        labels=("target", "exporter"),
    )
    for of, count in unanswered.items():
        family.add_metric(of, count)
    yield family


def exporters_up(record: RunRecord) -> Metric:
    """Which exporters of its target answered during this run."""
    target, machine = record.plan.target, record.machine
    return _up({} if machine is None else {target.name: _answers(target, machine)})


def _answers(target: Target, machine: MachineState) -> Mapping[Exporter, bool]:
    return {each: each not in machine.silent for each in target.exporters}


def _up(answered: Mapping[str, Mapping[Exporter, bool]]) -> Metric:
    values = [((target, each), float(up)) for target, found in answered.items() for each, up in found.items()]
    return _labelled("exporter_up", "1 if it answered during the last run.", ("target", "exporter"), values)


def families(machine: MachineState) -> list[Metric]:
    """The gauges of a machine, those that have a value; of another one than this with its name."""
    found = [each for each in _families(machine) if each.samples]
    if (name := machine.name) is not None:
        for family in found:
            family.samples = [each._replace(labels={**each.labels, "machine": name}) for each in family.samples]
    return found


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
