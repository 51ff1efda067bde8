"""Otava (Apache's change-point detection for benchmark results) as a rival, in a virtual environment of its own.

It pins an old numpy and brings the clients of several databases: it is in no lock file of this repository. It looks at
a whole series at once. Here it looks again after some runs, at two days and what came since, as a job in a schedule
would.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from drift_rivals import APART
from drift_runs import Floats, Series

from probe.measures import STAGES

REQUIREMENT = "apache-otava==0.8.0"
FOLDER = Path(__file__).parents[1] / ".venv" / "otava"
# The first with which a month holds no more than one false alarm is taken.
P_VALUES = [10.0**-power for power in (3, 4, 5, 6, 8, 10, 12, 15, 20, 30)]
# It looks again after so many runs.
LOOKS = (10, 20, 40, 80, 160, 320, 640, 1440)
_BEFORE = 2880
_WINDOW = 50
_SCRIPT = """
import json, sys
from otava.analysis import compute_change_points
for line in sys.stdin:
    series, p_value, window = json.loads(line)
    found, _ = compute_change_points(series, window_len=window, max_pvalue=p_value, min_magnitude=0.0)
    print(json.dumps([int(point.index) for point in found]), flush=True)
"""


class Otava:
    """One process of it, asked line by line."""

    def __init__(self) -> None:
        if not (FOLDER / "bin" / "otava").exists():
            print(f"installing {REQUIREMENT} into {FOLDER}", file=sys.stderr)
            venv.create(FOLDER, with_pip=True)
            subprocess.run([FOLDER / "bin" / "pip", "install", "--quiet", REQUIREMENT], check=True)
        self._process = subprocess.Popen(
            [FOLDER / "bin" / "python", "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def change_points(self, series: Floats | Sequence[float], p_value: float) -> list[int]:
        """Where it sees a change, at this level of significance."""
        assert self._process.stdin is not None  # noqa: S101 - it was given a pipe
        assert self._process.stdout is not None  # noqa: S101 - as above
        print(json.dumps([list(series), p_value, _WINDOW]), file=self._process.stdin, flush=True)
        found: list[int] = json.loads(self._process.stdout.readline())
        return found

    def calibrated(self, series: Sequence[Series]) -> float:
        """The first of P_VALUES with which it sees no more than one change a series."""
        for p_value in P_VALUES:
            if sum(self.false_alarms(each, p_value) for each in series) <= len(series):
                return p_value
        return P_VALUES[-1]

    def false_alarms(self, series: Series, p_value: float) -> int:
        """Changes that it sees where there is none; neighbours are one."""
        found = self.change_points(series.stages_ms[STAGES[0]], p_value)
        return sum(1 for before, at in pairwise([-APART, *found]) if at - before >= APART)

    def delay(self, series: Series, changed_at: int, p_value: float) -> int | None:
        """Runs from a change until it sees one thereabouts."""
        whole = series.stages_ms[STAGES[0]]
        start = int((series.number < changed_at).sum())
        for runs in LOOKS:
            found = self.change_points(whole[max(0, start - _BEFORE) : start + runs], p_value)
            if any(min(start, _BEFORE) - APART <= at <= min(start, _BEFORE) + runs for at in found):
                return runs
        return None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
