"""What is printed for a person."""

import os
import shutil

import click

from probe.text import shown

# A report is not wider, whatever the terminal is.
_MAX_WIDTH = 110


def say(line: str, *, err: bool = False) -> None:
    """Print a line, with colours only where they can be seen and are wanted (see no-color.org).

    Whatever a server, a file or an error put into it, it does nothing to a terminal.
    """
    click.echo(shown(line), err=err, color=False if os.environ.get("NO_COLOR") else None)


def report_width() -> int:
    """How many columns the report of a run may have."""
    return min(terminal_width(100), _MAX_WIDTH)


def terminal_width(otherwise: int) -> int:
    """How many columns the terminal has; `otherwise` where that is not known."""
    return shutil.get_terminal_size((otherwise, 24)).columns
