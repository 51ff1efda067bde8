"""Which dashboards there are, and the files that Grafana reads them from."""

from collections.abc import Callable
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard

from boards import drift, latency, machine, probe_itself

FOLDER = Path(__file__).parents[1] / "dashboards"
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "voice-latency": latency.build,
    "drift": drift.build,
    "machine": machine.build,
    "probe": probe_itself.build,
}
