"""What is printed does nothing to a terminal but colour it."""

import subprocess
import sys

import pytest

from probe.cli import main
from probe.cli.output import say


def test_no_line_moves_a_terminals_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    say("a server's \x9b2J\x1b]0;title\x07 words")
    assert capsys.readouterr().out == "a server's  2J ]0;title  words\n"


def test_no_error_does_either(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["show\x9b2J"])
    error = capsys.readouterr().err
    assert "show" in error and "\x9b" not in error


def test_what_was_closed_at_the_start_is_nowhere_and_no_file_gets_its_number() -> None:
    told = "from probe.__main__ import open_standard_streams as go; import os, sys; go(); print(1); "
    told += "sys.exit(os.open('/', 0))"
    closed = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, told]
    done = subprocess.run(closed, check=False)
    assert done.returncode == 3
