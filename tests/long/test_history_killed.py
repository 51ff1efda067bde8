"""1,000 times `kill -9` at random moments: no finished run is lost, and the database stays sound."""

import random
from pathlib import Path

import pytest
from killing import kill_many


@pytest.mark.timeout(1800)
def test_no_finished_run_is_lost_in_1000_kills(tmp_path: Path) -> None:
    assert kill_many(tmp_path, times=1000, seed=random.randrange(10**9)) >= 1000
