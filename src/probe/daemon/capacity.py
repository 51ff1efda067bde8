"""Whether the configuration fits the resources of the service: reported at start, since it would be killed later."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# Measured, see `make bench-start`: what a daemon takes, and what each series adds once its detector is full.
BASE_MB = 62.0
SERIES_MB = 1.6
# What a series adds to the page of metrics, as OpenMetrics with exemplars.
PAGE_KB = 52.0
# What the unit's limits are made for. Beyond it a scrape is too large for most settings of Prometheus, too.
MOST_SERIES = 200
_CGROUPS = Path("/sys/fs/cgroup")
_OURS = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Needs:
    """The resources for this many series (a target with a scenario each)."""

    series: int
    memory_mb: float
    metrics_page_mb: float


def needs(series: int) -> Needs:
    return Needs(series, round(BASE_MB + series * SERIES_MB), round(series * PAGE_KB / 1000, 1))


def memory_limit_mb(ours: Path = _OURS, cgroups: Path = _CGROUPS) -> float | None:
    """The lowest limit of memory that this process's control groups have (version 2); None where there is none."""
    with suppress(OSError):
        for line in ours.read_text("utf-8").splitlines():
            if line.startswith("0::/"):
                return _lowest(cgroups, line.removeprefix("0::/"))
    return None


def complaint(series: int, limit_mb: float | None) -> dict[str, float] | None:
    """The fields of a warning if this many series don't fit; None if they do."""
    needed = needs(series)
    if series <= MOST_SERIES and (limit_mb is None or needed.memory_mb <= limit_mb):
        return None
    limit = {} if limit_mb is None else {"memory_limit_mb": round(limit_mb)}
    return {
        "series": series,
        "most_series": MOST_SERIES,
        "memory_mb": needed.memory_mb,
        **limit,
        "metrics_page_mb": needed.metrics_page_mb,
    }


def _lowest(cgroups: Path, group: str) -> float | None:
    found = []
    folder = cgroups / group
    while folder != cgroups and cgroups in folder.parents:
        for name in ("memory.high", "memory.max"):
            # "max" where there is none.
            with suppress(OSError, ValueError):
                found.append(int((folder / name).read_text("ascii")) / 1e6)
        folder = folder.parent
    return min(found, default=None)
