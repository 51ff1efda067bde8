"""The GPUs' figures, by NVML. Whatever a driver does not have, or refuses, is None; without a driver there is no GPU.

`pynvml` is the extra `gpu`. Every call here may hang with the driver: call them in a thread that can be left behind.
"""

import ctypes
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from probe.machine.processes import process
from probe.machine.state import ClockReason, GpuProcess

LIBRARY = "libnvidia-ml.so.1"
MOST_GPUS = 8
# Each costs some 30 us; what is counted has to be more than anybody runs on one.
_MOST_PROCESSES = 256
_NAME_LENGTH = 256
# The bits of NVML's clock event reasons; that of an idle GPU (0x1) is left out.
_REASONS: dict[ClockReason, int] = {
    "application_clocks": 0x2,
    "power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal": 0x20,
    "hw_thermal": 0x40,
    "power_brake": 0x80,
    "display_clocks": 0x100,
}
# Clocks and sensors by NVML's numbers.
_SM_CLOCK, _MEMORY_CLOCK, _GPU_SENSOR = 1, 2, 0
# NVML's words for "no figure", instead of an error.
_NO_MEMORY, _NO_PSTATE = 2**64 - 1, 32


@dataclass(frozen=True, slots=True)
class GpuLevels:
    """One GPU at one moment, as `GpuState`."""

    name: str | None = None
    sm_mhz: int | None = None
    memory_mhz: int | None = None
    reasons: tuple[ClockReason, ...] | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    utilisation: float | None = None
    pstate: int | None = None

    @property
    def answers(self) -> bool:
        """Whether it has any figure: one that is lost has none."""
        return any(each is not None for each in (self.sm_mhz, self.power_w, self.temperature_c, self.utilisation))


@dataclass(frozen=True, slots=True)
class GpuHolders:
    """A GPU's memory, and the processes that use it."""

    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    processes: tuple[GpuProcess, ...] | None = None


@dataclass(frozen=True, slots=True)
class GpuReading:
    """All GPUs at one moment. `holders` is empty where only the levels were read."""

    driver: str | None = None
    levels: tuple[GpuLevels, ...] = ()
    holders: tuple[GpuHolders, ...] = ()


def library_found() -> bool:
    """Whether this machine has NVIDIA's library. Without it there is no reason to import anything."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def nvml() -> ModuleType | None:
    """The module `pynvml`, None where the extra `gpu` is not installed."""
    try:
        return importlib.import_module("pynvml")
    except ImportError:
        return None


class Gpus:
    """All GPUs of this machine, as the driver shows them to us. `root` is where /proc is."""

    def __init__(self, module: Any, root: Path = Path("/")) -> None:
        self._nvml = module
        self._proc = root / "proc"
        self._handles: list[Any] = []
        self._names: list[str | None] = []
        self._driver: str | None = None

    def first(self) -> GpuReading:
        """What is read before a run. GPUs that came, went or were reset since the last run are found here."""
        if self._asked(self._nvml.nvmlDeviceGetCount) == len(self._handles) > 0:
            found = self.brief()
            if all(each.answers for each in found.levels):
                return found
        self._find()
        return self.brief()

    def last(self) -> GpuReading:
        """What is read after a run."""
        return GpuReading(self._driver, self._levels(), tuple(map(self._holders, self._handles)))

    def brief(self) -> GpuReading:
        """What may change within a run."""
        return GpuReading(self._driver, self._levels())

    def _find(self) -> None:
        nvml = self._nvml
        self._asked(nvml.nvmlInit)
        count = min(MOST_GPUS, self._asked(nvml.nvmlDeviceGetCount) or 0)
        found = [self._asked(nvml.nvmlDeviceGetHandleByIndex, number) for number in range(count)]
        self._handles = [handle for handle in found if handle is not None]
        self._names = [self._words(nvml.nvmlDeviceGetName, handle) for handle in self._handles]
        self._driver = self._words(nvml.nvmlSystemGetDriverVersion)

    def _levels(self) -> tuple[GpuLevels, ...]:
        return tuple(self._level(handle, name) for handle, name in zip(self._handles, self._names, strict=True))

    def _level(self, handle: Any, name: str | None) -> GpuLevels:
        nvml = self._nvml
        power_mw = self._whole(nvml.nvmlDeviceGetPowerUsage, handle)
        used = self._asked(nvml.nvmlDeviceGetUtilizationRates, handle)
        pstate = self._whole(nvml.nvmlDeviceGetPerformanceState, handle)
        return GpuLevels(
            name=name,
            sm_mhz=self._whole(nvml.nvmlDeviceGetClockInfo, handle, _SM_CLOCK),
            memory_mhz=self._whole(nvml.nvmlDeviceGetClockInfo, handle, _MEMORY_CLOCK),
            reasons=named(self._reasons(handle)),
            power_w=None if power_mw is None else power_mw / 1000,
            temperature_c=self._whole(nvml.nvmlDeviceGetTemperature, handle, _GPU_SENSOR),
            utilisation=None if used is None else used.gpu / 100,
            pstate=None if pstate == _NO_PSTATE else pstate,
        )

    def _reasons(self, handle: Any) -> int | None:
        """Drivers before 535 have them by their old name only."""
        bits = self._whole(self._nvml.nvmlDeviceGetCurrentClocksEventReasons, handle)
        return self._whole(self._nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle) if bits is None else bits

    def _holders(self, handle: Any) -> GpuHolders:
        memory = self._asked(self._nvml.nvmlDeviceGetMemoryInfo, handle)
        running = self._asked(self._nvml.nvmlDeviceGetComputeRunningProcesses, handle)
        return GpuHolders(
            None if memory is None else int(memory.used),
            None if memory is None else int(memory.total),
            None if running is None else tuple(map(self._process, running[:_MOST_PROCESSES])),
        )

    def _process(self, found: Any) -> GpuProcess:
        used = found.usedGpuMemory
        memory = None if used in (None, _NO_MEMORY) else int(used)
        name, started = process(self._proc, found.pid)
        if name is None:
            # The driver has the path, perhaps with arguments.
            command = self._words(self._nvml.nvmlSystemGetProcessName, found.pid) or ""
            name = command.partition(" ")[0].rpartition("/")[2]
        return GpuProcess(name or "unknown", memory, started)

    def _asked(self, function: Callable[..., Any], *given: Any) -> Any:
        try:
            return function(*given)
        except Exception:  # noqa: BLE001 - each driver has its own gaps, and none of them may end a run
            return None

    def _whole(self, function: Callable[..., Any], *given: Any) -> int | None:
        found = self._asked(function, *given)
        return None if found is None else int(found)

    def _words(self, function: Callable[..., Any], *given: Any) -> str | None:
        found = self._asked(function, *given)
        text = found.decode("utf-8", "replace") if isinstance(found, bytes) else found
        return text[:_NAME_LENGTH] if isinstance(text, str) and text else None


def named(bits: int | None) -> tuple[ClockReason, ...] | None:
    """The reasons that these bits stand for, which NVML and DCGM number alike."""
    return None if bits is None else tuple(name for name, bit in _REASONS.items() if bits & bit)
