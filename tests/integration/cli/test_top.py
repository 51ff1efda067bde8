"""`probe top` on a terminal: live, and the terminal as it was at the end."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from runs import record

from probe.history.writer import History

S = 10**9
DEADLINE_S = 60.0
ENTER, LEAVE, HOME = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H"


class Terminal:
    """One end of a terminal, and what `probe top` wrote to the other."""

    def __init__(self, state_dir: Path, columns: int, lines: int, **more_env: str) -> None:
        self._ours, self.theirs = pty.openpty()
        self.resize(columns, lines)
        env = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "probe", "top", "--state-dir", str(state_dir)],
            stdin=self.theirs, stdout=self.theirs, stderr=self.theirs, env=env | {"TERM": "xterm"} | more_env,
            start_new_session=True,
        )  # fmt: skip
        self.written = ""

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def until(self, pattern: str) -> str:
        """The last picture, once it shows this."""
        end = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.picture):
            assert time.monotonic() < end, self.written[-2000:]
            if select.select([self._ours], [], [], 0.1)[0]:
                self.written += os.read(self._ours, 65536).decode()
        return self.picture

    @property
    def picture(self) -> str:
        return self.written.rpartition(HOME)[2]

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def ended(self) -> int:
        """The exit code."""
        end = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < end
            self.read()
        self.read()
        return self.process.returncode

    def read(self) -> None:
        while select.select([self._ours], [], [], 0.05)[0]:
            self.written += os.read(self._ours, 65536).decode()

    def close(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)
        os.close(self._ours)
        os.close(self.theirs)


@contextmanager
def terminal(state_dir: Path, columns: int = 100, lines: int = 30, **more_env: str) -> Iterator[Terminal]:
    with closing(Terminal(state_dir, columns, lines, **more_env)) as found:
        yield found


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path)) as found:
        yield found


def test_a_finished_run_shows_and_q_ends_it(history: History, tmp_path: Path) -> None:
    with terminal(tmp_path) as seen:
        before = termios.tcgetattr(seen.theirs)
        seen.until("no run yet")
        assert seen.written.startswith(ENTER)
        history.append(record(1, started=time.time_ns() - S, target="spark", ttfb_ms=321))
        appended = time.monotonic()
        picture = seen.until("first byte 321 ms, within 1000 ms")
        assert time.monotonic() - appended < DEADLINE_S
        assert picture.count("\r\n") < 30
        seen.resize(40, 5)
        narrow = seen.until(r"within?…|…\x1b")
        assert max(len(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", line)) for line in narrow.split("\r\n")) <= 40
        seen.press("q")
        assert seen.ended() == 0
        assert seen.written.rstrip().endswith(LEAVE)
        assert termios.tcgetattr(seen.theirs) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_as_well(history: History, tmp_path: Path, number: signal.Signals, code: int) -> None:
    assert history.is_open
    with terminal(tmp_path) as seen:
        before = termios.tcgetattr(seen.theirs)
        seen.until("no run yet")
        seen.process.send_signal(number)
        assert seen.ended() == code
        assert seen.written.rstrip().endswith(LEAVE)
        assert "Traceback" not in seen.written
        assert termios.tcgetattr(seen.theirs) == before


def test_no_history_yet_and_no_colours(tmp_path: Path) -> None:
    """It waits for the daemon that will write one."""
    with terminal(tmp_path, NO_COLOR="1") as seen:
        seen.until("there is no history in")
        with closing(History(tmp_path)) as history:
            history.append(record(1, started=time.time_ns() - S))
        picture = seen.until("Good: first byte 300 ms")
        assert not re.search(r"\x1b\[\d+m", picture)
        seen.press("q")
        assert seen.ended() == 0
