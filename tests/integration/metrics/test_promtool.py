"""Prometheus' own tool finds nothing to object to in our metrics."""

import subprocess
from pathlib import Path

from runs import failed, record

from probe.metrics.registry import Metrics


def test_promtool_has_no_objection_to_the_metrics(prometheus_binaries: Path) -> None:
    metrics = Metrics("1.2.3", ["history", "spans"])
    metrics.expect([("local", "default")])
    metrics.write(record(1))
    metrics.write(failed(2))
    page, _ = metrics.render("")
    checked = subprocess.run(
        [prometheus_binaries / "promtool", "check", "metrics"], input=page, capture_output=True, timeout=30, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
