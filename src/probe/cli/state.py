"""Where the daemon's state is, for the commands that read it, and what they say when it can't be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from probe.cli.options import UsageProblem

if TYPE_CHECKING:
    from probe.history.reader import HistoryReader


def default_state_dir() -> Path:
    """Where the daemon would keep it for this user."""
    from probe import config  # noqa: PLC0415 - 0.2 s that `--help` need not take

    return config.default_state_dir()


state_dir_option = click.option(
    "--state-dir",
    type=click.Path(path_type=Path),
    default=default_state_dir,
    help="Where the daemon keeps its history.  [default: $STATE_DIRECTORY, else ~/.local/state/voice-probe]",
)


@contextmanager
def open_history(state_dir: Path) -> Iterator["HistoryReader"]:
    """Open the history to read it; what is wrong with it is one line on stderr."""
    from probe.history.file import HistoryError, NoHistoryError, UnknownRunError  # noqa: PLC0415 - `--help` stays quick
    from probe.history.reader import reading  # noqa: PLC0415 - `--help` stays quick

    try:
        with reading(state_dir) as reader:
            yield reader
    except (NoHistoryError, UnknownRunError) as error:
        raise UsageProblem(str(error)) from error
    except HistoryError as error:
        raise click.ClickException(str(error)) from error
