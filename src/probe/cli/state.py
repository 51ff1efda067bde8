"""Where the daemon's state is, for the commands that read it, and what they say when it can't be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from probe import config
from probe.cli.output import say
from probe.cli.usage import UsageProblem
from probe.history.file import HistoryError, NoHistoryError, UnknownRunError
from probe.history.reader import HistoryReader, reading
from probe.record import RunRecord

_MOST_NAMED = 5
_LAST = "last"


def default_state_dir() -> Path:
    """Where the daemon would keep it for this user."""
    return config.default_state_dir()


state_dir_option = click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=default_state_dir,
    help="Where the daemon keeps its history.  [default: $STATE_DIRECTORY, else ~/.local/state/voice-probe]",
)


@contextmanager
def open_history(state_dir: Path) -> Iterator[HistoryReader]:
    """Open the history to read it; what is wrong with it is one line on stderr, with the runs that can't be read."""
    try:
        with reading(state_dir) as reader:
            yield reader
            if unreadable := [*reader.unreadable]:
                more = ", ..." if len(unreadable) > _MOST_NAMED else ""
                named = ", ".join(unreadable[:_MOST_NAMED])
                say(f"probe: runs that can't be read are left out: {len(unreadable)} ({named}{more})", err=True)
    except (NoHistoryError, UnknownRunError) as error:
        raise UsageProblem(str(error)) from error
    except HistoryError as error:
        raise click.ClickException(str(error)) from error


def run_named(reader: HistoryReader, name: str) -> RunRecord:
    """The run with this id, or with one that begins or ends so; `last` is the last. Raises HistoryError."""
    return reader.last() if name == _LAST else reader.get(name)
