"""The daemon's logger: where its lines go, and what is never in them."""

import io
from contextlib import suppress
from pathlib import Path

import pytest
from runs import record

from probe.daemon.log import make_logger
from probe.report.log_lines import LogSink


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
        logger = make_logger(full, on_lost=lambda: lost.append(None))
        LogSink(logger).write(record())
        logger.error("sink failed")
        assert len(lost) == 2
        with suppress(OSError):
            full.close()
