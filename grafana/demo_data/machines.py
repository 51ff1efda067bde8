"""A machine on which nothing is wrong, and one whose GPU may not draw the power that it wants; and its LLM server."""

from dataclasses import replace
from random import Random

from probe.machine.state import GpuProcess, GpuState, HostState, MachineState
from probe.record import Chunk, RunRecord
from probe.server_state import ServerFigures

_GIB = 2**30
_SERVERS = (GpuProcess("llama-server", None, 120.0), GpuProcess("python3", None, 140.0))


def free(random: Random) -> MachineState:
    """During one run."""
    gpu = GpuState(
        "NVIDIA GPU", 2418 - random.randrange(4) * 15, 8500, (), random.gauss(52, 2), random.gauss(63, 1),
        random.uniform(0.9, 0.97), 0, None, None, _SERVERS,
    )  # fmt: skip
    host = HostState(
        cpu_mhz=3900.0, cpu_limit_mhz=3900.0, governor="performance", busy=random.uniform(0.05, 0.12), steal=0.0,
        pressure_cpu=random.uniform(0.0, 0.02), pressure_memory=0.0, pressure_io=random.uniform(0.0, 0.01),
        load=random.uniform(0.5, 1.5), memory_available_bytes=round(random.gauss(61, 0.5) * _GIB), swap_used_bytes=0,
        temperature_c=random.gauss(58, 1), kernel="6.14.0-1013-nvidia", boot_id="0",
    )  # fmt: skip
    return MachineState(host, (gpu,), "580.95.05")


def capped(random: Random) -> MachineState:
    """The same with a power cap."""
    state = free(random)
    gpu = replace(state.gpus[0], sm_mhz=1510 - random.randrange(4) * 15, reasons=("power_cap",))
    return replace(state, gpus=(replace(gpu, power_w=random.gauss(30, 1), temperature_c=random.gauss(55, 1)),))


def served_by(record: RunRecord, random: Random) -> RunRecord:
    """The run with what its LLM server reported: it has a user now and then, and knows nothing of the network."""
    users = 0 if record.skipped is None and random.random() < 0.97 else random.randrange(1, 4)
    reported = ServerFigures(running=min(users, 2), waiting=max(0, users - 2), cache_used=random.uniform(0.1, 0.3))
    turns = tuple(
        replace(
            turn,
            prompt_tokens=140,
            cached_tokens=random.randrange(96, 112, 8),
            server_ttft_ms=_ttft_ms(turn.chunks[0]) - random.uniform(3, 6) if turn.chunks else None,
        )
        for turn in record.turns
    )
    return replace(record, reported={"llm": reported}, turns=turns)


def _ttft_ms(chunk: Chunk) -> float:
    return ((chunk.llm_first_token or 0) - (chunk.inference_start or 0)) / 1e6
