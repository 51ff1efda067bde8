"""What is printed for a person."""

import os
import sys
from typing import TextIO

import click

from probe.text import shown

# A report is not wider, whatever the terminal is.
_MAX_WIDTH = 110
# Where nobody says how wide the terminal is, or there is none.
_USUAL_WIDTH = 100


def say(line: str, *, err: bool = False) -> None:
    """Print a line, with colours only where they can be seen and are wanted.

    Whatever a server, a file or an error put into it, it does nothing to a terminal.
    """
    click.echo(shown(line), err=err, color=coloured())


def coloured() -> bool | None:
    """Whether to send colours; None where a terminal gets them and nothing else does.

    As no-color.org and force-color.org define it: an empty value does not count, and a "no" outweighs a "yes".
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return False if os.environ.get("TERM") == "dumb" else None


def report_width() -> int:
    """How many columns the report of a run may have."""
    return min(terminal_width(), _MAX_WIDTH)


def terminal_width(stream: TextIO | None = sys.__stdout__) -> int:
    """How many columns the terminal has that a stream goes to; 100 where there is none, or does not say."""
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said):
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno() if stream is not None else -1).columns or _USUAL_WIDTH
    except (OSError, ValueError):
        return _USUAL_WIDTH
