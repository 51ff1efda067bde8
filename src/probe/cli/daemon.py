"""`probe daemon`: measure on a schedule until stopped."""

import os
from pathlib import Path

import click

from probe import config
from probe.cli.output import coloured
from probe.cli.usage import UsageProblem
from probe.daemon.composition import StartError
from probe.daemon.recordings import require_playable
from probe.daemon.service import Supervisor, serve
from probe.daemon.state_lock import TakenError
from probe.daemon.systemd import Notifier
from probe.history.file import HistoryError

DEFAULT_PATH = "/etc/probe/probe.toml"


@click.command(short_help="Measure on a schedule: the service.")
@click.option(
    "--config", "path", default=DEFAULT_PATH, show_default=True, type=click.Path(path_type=Path),
    help="Configuration file (TOML).",
)  # fmt: skip
def daemon(path: Path) -> None:
    """Measure on a schedule, and keep the results: metrics, spans, history, log.

    SIGTERM, SIGINT and SIGQUIT end it properly, within 10 s; a second one ends it at once. SIGHUP reads the
    configuration again.
    """
    if not path.exists():
        hint = "`probe export example .` writes one to start from, and --config says where yours is"
        raise UsageProblem(f"{path}: there is no such file; {hint}")
    try:
        settings = require_playable(path)
    except config.ConfigError as error:
        raise UsageProblem(str(error)) from error
    supervisor = Supervisor(Notifier(os.environ.get("NOTIFY_SOCKET")), _watchdog_s())
    try:
        serve(path, settings, supervisor, coloured())
    except (TakenError, config.ConfigError) as error:
        raise UsageProblem(str(error)) from error
    except (StartError, HistoryError) as error:
        raise click.ClickException(str(error)) from error


def _watchdog_s() -> float | None:
    """How often systemd wants a sign of life, if from us at all."""
    usec = os.environ.get("WATCHDOG_USEC", "")
    meant = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(usec) / 1e6 if usec.isdecimal() and int(usec) and meant else None
