"""A short soak: what `make bench-soak` does for a month of runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SOAK = Path(__file__).parents[2] / "bench" / "soak.py"


@pytest.mark.timeout(900)
def test_nothing_grows_and_every_run_is_accounted_for() -> None:
    soak = subprocess.run(
        [sys.executable, str(SOAK), "--runs", "2000", "--json"],
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert (soak.returncode, soak.stderr) == (0, "")
    found = json.loads(soak.stdout)
    assert found["complaints"] == []
    assert found["books"]["expected"] == 2000
    assert {"ok", "failed", "skipped"} <= set(found["counted"])
