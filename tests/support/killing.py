"""Processes that keep runs until they are killed, and a look at what they left."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from probe.history.file import FILE_NAME
from probe.history.reader import reading
from probe.history.writer import History

# It makes writers of itself, so that none has to import anything. One says an id once the run is committed, and not
# before; the kill may come at any moment of its loop.
WRITERS = """
import os
import sys
from pathlib import Path
from runs import record
from probe.history.writer import History, Retention

def say(text):
    os.write(1, f"{text}\\n".encode())  # in one piece: two processes write here

def keep(state_dir, number, megabytes):
    kept = History(Path(state_dir), Retention(megabytes=float(megabytes)), count_spans=lambda _record: 8)
    while True:
        run = record(number)
        kept.append(run)
        say(run.plan.run_id)
        kept.prune(run.ended)
        kept.mark_sent([run.plan.run_id])
        number += 1

for line in sys.stdin:
    state_dir, number, megabytes = line.rstrip("\\n").split("\\t")
    if not (writer := os.fork()):
        keep(state_dir, int(number), megabytes)
    say(f"begun {writer}")
    os.waitpid(writer, 0)
    say("ended")
"""
# After how many kills SQLite looks at every page: that takes as long as the file is large.
CHECKED_WHOLE = 20


@dataclass(frozen=True)
class Writers:
    process: subprocess.Popen[str]

    def run_and_kill(self, state_dir: Path, start: int, chance: random.Random, megabytes: float = 1000.0) -> list[str]:
        """Have runs kept for a short while, then `kill -9`; return the ids of those that were said to be on disk."""
        assert self.process.stdin is not None
        print(state_dir, start, megabytes, sep="\t", file=self.process.stdin, flush=True)
        wanted, writer, said = chance.randrange(1, 60), 0, list[str]()
        for line in self._lines():
            if line.startswith("begun"):
                writer = int(line.split()[1])
            else:
                said.append(line)
            if writer and len(said) >= wanted:
                break
        # Somewhere between two commits, and not just after one.
        for _ in range(chance.randrange(5000)):
            pass
        os.kill(writer, signal.SIGKILL)
        return [*said, *self._lines()]

    def _lines(self) -> Iterator[str]:
        """Whole lines, until the writer has ended."""
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != "ended\n":
            assert line, "the writers' process has ended"
            yield line.strip()


@contextmanager
def writers() -> Iterator[Writers]:
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", WRITERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": paths},
    ) as process:  # fmt: skip
        yield Writers(process)


def assert_sound(state_dir: Path) -> None:
    """The database passes SQLite's own check, opened as the next daemon would."""
    History(state_dir).close()
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def kill_many(state_dir: Path, times: int, seed: int) -> int:
    """Kill so many writers, one after the other, each going on with the history of the one before. Returns the runs."""
    chance = random.Random(seed)
    finished: list[str] = []
    with writers() as them:
        for time in range(times):
            finished += them.run_and_kill(state_dir, len(finished) * 2 + 1, chance)
            assert set(finished[-100:]) <= _newest(state_dir)
            if time % CHECKED_WHOLE == 0:
                assert_sound(state_dir)
    assert_sound(state_dir)
    with reading(state_dir) as reader:
        assert set(finished) <= {run.plan.run_id for run in reader.runs()}
        assert not reader.unreadable
    return len(finished)


def _newest(state_dir: Path) -> set[str]:
    """The ids of the last 200 runs, opened as the next daemon would."""
    History(state_dir).close()
    with closing(sqlite3.connect(state_dir / FILE_NAME)) as db:
        return {run_id for (run_id,) in db.execute("SELECT run_id FROM runs ORDER BY seq DESC LIMIT 200")}
