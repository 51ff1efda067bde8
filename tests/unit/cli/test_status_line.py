"""The line that says what a run waits for: on a terminal alone, written again and again, and never left behind."""

import io

import pytest
from records import EPOCH as START
from records import plan

from probe.cli.status_line import StatusLine, status_line
from probe.progress import Event

PLAN = plan()
SECOND = 10**9
CONNECTING = Event(START, "connecting", 0, text="LLM")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", ["30", "80"])
def test_it_is_no_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    stream, now = Terminal(), iter([START, START + 2 * SECOND, START + 2 * SECOND])
    line = StatusLine(PLAN, stream, "run 3 of 20: ", lambda: next(now))
    line.note(CONNECTING)
    line.show()
    text = f"run 3 of 20: waiting for the connection to the LLM server: 2.0 s of {PLAN.target.limits.connect_s:g} s"
    assert stream.getvalue() == f"\r{text[: int(columns) - 1]}\x1b[K"
    line.show()
    assert stream.getvalue().count("\r") == 1, "nothing is written where nothing changed"
    line.clear()
    line.clear()
    assert stream.getvalue().endswith("\x1b[K\r\x1b[K") and stream.getvalue().count("\r") == 2


@pytest.mark.parametrize(
    ("stream", "terminal", "there"),
    [(Terminal(), "xterm", True), (Terminal(), "dumb", False), (io.StringIO(), "xterm", False)],
)
def test_it_is_for_a_terminal_that_can_write_a_line_again(
    monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, terminal: str, there: bool
) -> None:
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", terminal)
    assert (status_line(PLAN) is not None) == there
