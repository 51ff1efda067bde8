"""A process that keeps runs until it is killed, and a look at what it left."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from probe.history.file import FILE_NAME
from probe.history.reader import reading
from probe.history.writer import History

# It says a run's id once the run is committed, and not before. The kill may come at any moment of the loop.
WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from runs import record
from probe.history.writer import History, Retention

kept = History(Path(sys.argv[1]), Retention(megabytes=float(sys.argv[3])), count_spans=lambda _record: 8)
number = int(sys.argv[2])
while True:
    run = record(number)
    kept.append(run)
    print(run.plan.run_id, flush=True)
    kept.prune(run.ended)
    kept.mark_sent([run.plan.run_id])
    number += 1
"""


def run_and_kill(state_dir: Path, start: int, chance: random.Random, megabytes: float = 1000.0) -> list[str]:
    """Have runs kept for a short while, then `kill -9`; return the ids of those that were said to be on disk."""
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    command = [sys.executable, "-c", WRITER, str(state_dir), str(start), str(megabytes)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": paths}) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(chance.randrange(1, 60))]
        # Somewhere between two commits, and not just after one.
        for _ in range(chance.randrange(5000)):
            pass
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
        writer.wait(30)
    return [line.decode().strip() for line in said if line.endswith(b"\n")]


def assert_sound(state_dir: Path) -> None:
    """The database passes SQLite's own check, opened as the next daemon would."""
    History(state_dir).close()
    with sqlite3.connect(state_dir / FILE_NAME) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def kill_many(state_dir: Path, times: int, seed: int) -> int:
    """Kill so many writers, one after the other, each going on with the history of the one before. Returns the runs."""
    chance = random.Random(seed)
    finished: list[str] = []
    for _ in range(times):
        finished += run_and_kill(state_dir, len(finished) * 2 + 1, chance)
        with reading(state_dir) as reader:
            kept = {run.plan.run_id for run in reader.runs(limit=200)}
        assert set(finished[-100:]) <= kept
        assert_sound(state_dir)
    with reading(state_dir) as reader:
        assert set(finished) <= {run.plan.run_id for run in reader.runs()}
    return len(finished)
