"""Which dashboards there are, and the files that Grafana reads them from."""

from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import drift, fleet, latency, machine, probe_itself

FOLDER = Path(__file__).parents[1] / "dashboards"
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "voice-latency": latency.build,
    "drift": drift.build,
    "machine": machine.build,
    "probe": probe_itself.build,
}


def path_of(name: str) -> Path:
    """The file of a dashboard, that of many boxes included."""
    return (FOLDER if name in DASHBOARDS else fleet.FOLDER) / f"{name}.json"
