"""A daemon with a long past: its event loop is free while the detectors of drift are rebuilt."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "start.py"
PROMISED_MS = 20


@pytest.mark.timeout(600)
def test_what_is_rebuilt_at_start_holds_up_nothing() -> None:
    said = subprocess.run(
        [sys.executable, BENCH, "--series", "5", "--runs", "3000"], check=True, capture_output=True, text=True
    ).stdout
    sys.stdout.write(f"\n{said}")
    found = re.search(r"longest turn ([\d.]+) ms of CPU, the longest collection ([\d.]+) ms", said)
    assert found is not None
    assert max(map(float, found.groups())) < PROMISED_MS, said
