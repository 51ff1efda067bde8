"""Another machine's GPUs, by the page of its dcgm-exporter: as those that NVML shows of this one.

The page has whatever the exporter's own list of counters names. Its processes and P-states are not in it.
"""

from collections.abc import Mapping

from probe.machine.gpu import MOST_GPUS, GpuHolders, GpuLevels, GpuReading, named
from probe.prometheus_text import Page, Sample

_MIB = 2**20
# DCGM's words for "no figure" are from here on: of 32 bits, of 64, and of fractions.
_NO_FIGURE = 2**31 - 16
# The newer name first.
_REASONS = ("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS")
_FIGURES = (
    "DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_MEM_CLOCK", *_REASONS, "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP",
    "DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_PSTATE",
)  # fmt: skip


def reading(page: bytes) -> GpuReading:
    """All GPUs that the page has, by their numbers."""
    read = Page(page, _FIGURES)
    found: dict[int, dict[str, Sample]] = {}
    for name in _FIGURES:
        for each in read.samples(name):
            number = each.labels.get("gpu", "")
            # Of a GPU in parts the first line is as good as any: all have the clocks of the whole.
            if number.isdecimal() and len(number) <= 4:  # noqa: PLR2004 - digits of a number of a GPU
                found.setdefault(int(number), {}).setdefault(name, each)
    gpus = [found[number] for number in sorted(found)[:MOST_GPUS]]
    return GpuReading(
        next((words for gpu in gpus if (words := _label(gpu, "DCGM_FI_DRIVER_VERSION"))), None),
        tuple(map(_levels, gpus)),
        tuple(map(_holders, gpus)),
    )


def _levels(gpu: Mapping[str, Sample]) -> GpuLevels:
    used = _value(gpu, "DCGM_FI_DEV_GPU_UTIL")
    bits = next((known for name in _REASONS if (known := _whole(gpu, name)) is not None), None)
    return GpuLevels(
        name=_label(gpu, "modelName"),
        sm_mhz=_whole(gpu, "DCGM_FI_DEV_SM_CLOCK"),
        memory_mhz=_whole(gpu, "DCGM_FI_DEV_MEM_CLOCK"),
        reasons=named(bits),
        power_w=_value(gpu, "DCGM_FI_DEV_POWER_USAGE"),
        temperature_c=_value(gpu, "DCGM_FI_DEV_GPU_TEMP"),
        utilisation=None if used is None else used / 100,
        pstate=_whole(gpu, "DCGM_FI_DEV_PSTATE"),
    )


def _holders(gpu: Mapping[str, Sample]) -> GpuHolders:
    used, free = _value(gpu, "DCGM_FI_DEV_FB_USED"), _value(gpu, "DCGM_FI_DEV_FB_FREE")
    return GpuHolders(
        None if used is None else round(used * _MIB),
        None if used is None or free is None else round((used + free) * _MIB),
    )


def _value(gpu: Mapping[str, Sample], name: str) -> float | None:
    found = gpu.get(name)
    return found.value if found is not None and 0 <= found.value < _NO_FIGURE else None


def _whole(gpu: Mapping[str, Sample], name: str) -> int | None:
    value = _value(gpu, name)
    return None if value is None else round(value)


def _label(gpu: Mapping[str, Sample], name: str) -> str | None:
    """The first of its figures that has it."""
    return next((words for each in gpu.values() if (words := each.name(name))), None)
