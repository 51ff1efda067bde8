"""What a run was measured under: the servers, the settings and the machine. None of it is a latency.

`Circumstances` are read from a record, or from what a history holds of one, and compared over days.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from probe.drift.fingerprint import Fingerprint, fingerprint
from probe.machine.state import GpuState, MachineState
from probe.plan import Role
from probe.record import RunRecord
from probe.server_state import ServerFigures

_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Circumstances:
    """`started` is nanoseconds since the epoch; `server` the LLM server's own figures, by the names of COVARIATES.

    `starts` is when each server that says so was started, in seconds since the epoch.
    """

    run_id: str
    started: int
    serving: Fingerprint
    machine: MachineState | None = None
    server: Mapping[str, float] = field(default_factory=dict)
    starts: Mapping[Role, float] = field(default_factory=dict)


def circumstances(record: RunRecord) -> Circumstances:
    """Those of a run."""
    first = record.turns[0] if record.turns else None
    prompt, cached = (None, None) if first is None else (first.prompt_tokens, first.cached_tokens)
    server = of_server(record.reported, prompt, cached)
    return Circumstances(
        record.plan.run_id, record.started, fingerprint(record), record.machine, server, starts_of(record.reported)
    )


def starts_of(reported: Mapping[Role, ServerFigures]) -> dict[Role, float]:
    """When each server was started that says so."""
    return {role: found.started for role, found in reported.items() if found.started is not None}


def of_server(
    reported: Mapping[Role, ServerFigures], prompt_tokens: int | None, cached_tokens: int | None
) -> dict[str, float]:
    """What is known of the server that writes, by the names of COVARIATES and in their units.

    The tokens are those of the first turn's prompt; the server's own share of them counts where it gives none.
    """
    found = reported.get("llm") or reported.get("agent") or ServerFigures()
    hit = cached_tokens / prompt_tokens if prompt_tokens and cached_tokens is not None else found.cache_hit
    known = {
        "server_running": found.running,
        "server_waiting": found.waiting,
        "server_queue_ms": found.queue_ms,
        "server_cache_used": _by(100, found.cache_used),
        "prompt_tokens": prompt_tokens,
        "prompt_cached": _by(100, hit),
    }
    return {name: float(value) for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Covariate:
    """A figure that may go with a latency: how a person reads it, and from which change on it is worth a word.

    `least` is in its own unit. `slows` is 1 where more of it goes with more latency, -1 where less does, 0 where either
    may.
    """

    words: str
    unit: str
    digits: int
    least: float
    slows: int


COVARIATES: Mapping[str, Covariate] = {
    "gpu_sm_ghz": Covariate("the SM clock", "GHz", 1, 0.1, -1),
    "gpu_memory_ghz": Covariate("the GPU's memory clock", "GHz", 1, 0.1, -1),
    "gpu_power_w": Covariate("the GPU's power", "W", 0, 3.0, 0),
    "gpu_temperature_c": Covariate("the GPU's temperature", "°C", 0, 3.0, 1),
    "gpu_utilisation": Covariate("the GPU's use", "%", 0, 5.0, 1),
    "gpu_processes": Covariate("the number of processes on the GPU", "", 0, 1.0, 1),
    "gpu_memory_gib": Covariate("the GPU's memory in use", "GiB", 1, 0.5, 1),
    "cpu_ghz": Covariate("the CPU clock", "GHz", 1, 0.1, -1),
    "cpu_busy": Covariate("the CPU's use", "%", 0, 5.0, 1),
    "cpu_steal": Covariate("what the hypervisor took of the CPU", "%", 0, 1.0, 1),
    "pressure_cpu": Covariate("the pressure on the CPU", "%", 0, 3.0, 1),
    "pressure_memory": Covariate("the pressure on memory", "%", 0, 1.0, 1),
    "pressure_io": Covariate("the pressure on the disk", "%", 0, 3.0, 1),
    "memory_gib": Covariate("available memory", "GiB", 1, 0.5, -1),
    "swap_gib": Covariate("swap in use", "GiB", 1, 0.1, 1),
    "temperature_c": Covariate("the machine's temperature", "°C", 0, 3.0, 1),
    "server_running": Covariate("the number of requests that the LLM server answered before", "", 0, 0.5, 1),
    "server_waiting": Covariate("the number of requests that waited at the LLM server before", "", 0, 0.5, 1),
    "server_queue_ms": Covariate("the time that requests waited at the LLM server", "ms", 0, 5.0, 1),
    "server_cache_used": Covariate("the LLM server's use of its memory for prompts", "%", 0, 5.0, 1),
    "prompt_tokens": Covariate("the length of the prompt", "tokens", 0, 5.0, 1),
    "prompt_cached": Covariate("the share of the prompt that the LLM server had in memory", "%", 0, 5.0, -1),
}


def covariates(found: Circumstances) -> dict[str, float]:
    """Every figure that is known, by the names of COVARIATES and in their units."""
    return {**_of_machine(found.machine or MachineState()), **found.server}


def _of_machine(machine: MachineState) -> dict[str, float]:
    host, gpu = machine.host, machine.gpu or GpuState()
    known = {
        "gpu_sm_ghz": _by(1e-3, gpu.sm_mhz),
        "gpu_memory_ghz": _by(1e-3, gpu.memory_mhz),
        "gpu_power_w": gpu.power_w,
        "gpu_temperature_c": gpu.temperature_c,
        "gpu_utilisation": _by(100, gpu.utilisation),
        "gpu_processes": None if gpu.processes is None else float(len(gpu.processes)),
        "gpu_memory_gib": _by(1 / _GIB, gpu.memory_used_bytes),
        "cpu_ghz": _by(1e-3, host.cpu_mhz),
        "cpu_busy": _by(100, host.busy),
        "cpu_steal": _by(100, host.steal),
        "pressure_cpu": _by(100, host.pressure_cpu),
        "pressure_memory": _by(100, host.pressure_memory),
        "pressure_io": _by(100, host.pressure_io),
        "memory_gib": _by(1 / _GIB, host.memory_available_bytes),
        "swap_gib": _by(1 / _GIB, host.swap_used_bytes),
        "temperature_c": host.temperature_c,
    }
    return {name: value for name, value in known.items() if value is not None}


def _by(factor: float, value: float | None) -> float | None:
    return None if value is None else value * factor
