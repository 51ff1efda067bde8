"""200 times `kill -9` at random moments: no finished run is lost, and the database stays sound."""

import random
from pathlib import Path

from killing import kill_many


def test_no_finished_run_is_lost_in_200_kills(tmp_path: Path) -> None:
    assert kill_many(tmp_path, times=200, seed=random.randrange(10**9)) >= 200
