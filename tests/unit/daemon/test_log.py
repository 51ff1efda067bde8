"""The daemon's logger: where its lines go, and what is never in them."""

import io
import json
import os
from contextlib import suppress
from pathlib import Path
from select import select

import pytest
from runs import record

from probe.daemon.log import make_logger
from probe.daemon.log_queue import QueuedLines
from probe.report.log_lines import RUN, LogSink
from probe.report.run_line import run_line

PATIENCE_S = 60


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_line_has_a_secret() -> None:
    stream = io.StringIO()
    make_logger(stream).warning("reload of ws://me:hunter2@spark failed", url="http://a:hunter2@b?key=hunter3")
    assert "hunter" not in stream.getvalue()


def test_a_terminal_gets_colours_and_no_json() -> None:
    terminal = Terminal()
    LogSink(make_logger(terminal)).write(record())
    assert "\x1b[" in terminal.getvalue() and "{" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("kind", "coloured", "shown"),
    [
        (Terminal, None, True), (Terminal, False, False), (Terminal, True, True),
        (io.StringIO, None, False), (io.StringIO, True, True),
    ],
)  # fmt: skip
def test_a_log_for_a_person_has_the_colours_that_are_wanted(
    kind: type[io.StringIO], coloured: bool | None, shown: bool
) -> None:
    stream = kind()
    logger = make_logger(stream, "console", {RUN: run_line}, coloured)
    logger.warning("runs missed", runs=2)
    LogSink(logger).write(record())
    assert ["\x1b[" in line for line in stream.getvalue().splitlines()] == [shown, shown]


@pytest.mark.parametrize("coloured", [None, True])
def test_json_has_no_colours(coloured: bool | None) -> None:
    stream = Terminal()
    LogSink(make_logger(stream, "json", {RUN: run_line}, coloured)).write(record())
    assert json.loads(stream.getvalue())["event"] == RUN


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_no_line_moves_a_terminals_cursor(kind: type[io.StringIO]) -> None:
    stream = kind()
    make_logger(stream).warning("refused", why="\x9b2J")
    assert "2J" in stream.getvalue() and "\x9b" not in stream.getvalue()


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_a_traceback_has_no_secrets(kind: type[io.StringIO]) -> None:
    stream = kind()
    try:
        int("ws://me:hunter2@spark")
    except ValueError:
        make_logger(stream).exception("odd")
    assert "hunter" not in stream.getvalue()
    assert "ValueError" in stream.getvalue() and "'ws://spark'" in stream.getvalue()


def test_a_line_that_can_not_be_written_is_counted_and_no_error() -> None:
    lost: list[None] = []
    with Path("/dev/full").open("w") as full:
        lines = QueuedLines(full, lambda: lost.append(None))
        logger = make_logger(lines)
        LogSink(logger).write(record())
        logger.error("sink failed")
        lines.close(PATIENCE_S)
    assert len(lost) == 2


def test_lines_arrive_whole_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w", encoding="utf-8") as stream:
        lines = QueuedLines(stream, lambda: None)
        logger = make_logger(lines, "json")
        for number in range(100):
            logger.info("größer", number=number)
        lines.close(PATIENCE_S)
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [(each["event"], each["number"]) for each in found] == [("größer", number) for number in range(100)]


def test_a_pipe_that_nobody_reads_blocks_nobody_and_what_does_not_fit_is_counted() -> None:
    lost: list[None] = []
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as read, os.fdopen(writing, "w") as stream:
        # Full: the next write blocks permanently.
        os.set_blocking(writing, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writing, bytes(4096))
        os.set_blocking(writing, True)
        lines = QueuedLines(stream, lambda: lost.append(None), most=10)
        logger = make_logger(lines, "json")
        for number in range(50):
            logger.info("line", number=number)
        # One of them may be in the writer's hands.
        assert len(lost) in (39, 40)
        lines.close(0.01)
        # Whoever reads again gets the rest.
        os.set_blocking(reading, False)
        found = b""
        with suppress(BlockingIOError):
            while not found.rstrip(b"\0").endswith(b"}\n"):
                assert select([read], [], [], PATIENCE_S)[0]
                found += os.read(reading, 1 << 20)
        first = found.lstrip(b"\0").splitlines()[0]
        assert json.loads(first)["number"] == 0
