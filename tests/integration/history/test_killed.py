"""`kill -9` at any moment loses no finished run. (tests/long does it 1,000 times.)"""

import random
from pathlib import Path

from killing import assert_sound, kill_many, writers

from probe.history.reader import reading


def test_no_finished_run_is_lost(tmp_path: Path) -> None:
    assert kill_many(tmp_path, times=10, seed=random.randrange(10**9)) >= 10


def test_what_is_kept_while_old_runs_are_forgotten_is_sound(tmp_path: Path) -> None:
    chance = random.Random()
    with writers() as them:
        for start in (1, 1000, 2000):
            said = them.run_and_kill(tmp_path, start, chance, megabytes=0.05)
            assert_sound(tmp_path)
            with reading(tmp_path) as reader:
                assert said[-1] in {run.plan.run_id for run in reader.runs()}
