"""Prometheus' own tool finds nothing to object to in our metrics."""

import subprocess
from pathlib import Path

from runs import failed, record

from probe.metrics.histograms import Histograms


def test_promtool_has_no_objection_to_the_metrics(prometheus_binaries: Path) -> None:
    histograms = Histograms("1.2.3", ["history", "spans"])
    histograms.expect([("local", "default")])
    histograms.write(record(1))
    histograms.write(failed(2))
    page, _ = histograms.render("")
    checked = subprocess.run(
        [prometheus_binaries / "promtool", "check", "metrics"], input=page, capture_output=True, timeout=30, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
