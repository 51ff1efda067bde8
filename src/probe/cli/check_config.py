"""`probe check-config`: everything that is wrong with a configuration, at once."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from probe import config
from probe.cli.exit_codes import EXIT_CODES
from probe.cli.output import say
from probe.cli.survey import Found, survey
from probe.cli.usage import UsageProblem
from probe.config import Config
from probe.config.errors import dotted


@click.command(short_help="Report everything that is wrong with a configuration.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--probe", "with_servers", is_flag=True, help="Connect to every server too, and report what each says.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check_config(file: Path, *, with_servers: bool, as_json: bool) -> None:
    """Check FILE, and what the environment adds to it: each error with its key, its value and what is allowed.

    Exit code 0 where it is good, 2 where it is not; with --probe, 1 where a server can't be reached.
    """
    try:
        settings = config.load(file)
    except config.ConfigError as error:
        if not as_json:
            raise UsageProblem(str(error)) from error
        problems = [{"key": dotted(each.key), "value": each.value, "allowed": each.wrong} for each in error.problems]
        click.echo(json.dumps({"file": str(file), "valid": False, "errors": problems}, indent=2, default=str))
        raise SystemExit(UsageProblem.exit_code) from error
    servers = asyncio.run(survey(settings)) if with_servers else None
    if as_json:
        click.echo(json.dumps(_document(file, settings, servers), indent=2))
    else:
        found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in _summary(settings).items())
        say(f"{file}: good ({found})")
        for each in servers or ():
            say(each.line())
    if any(each.connected_ms is None for each in servers or ()):
        raise SystemExit(EXIT_CODES["failed"])


def _document(file: Path, settings: Config, servers: Sequence[Found] | None) -> dict[str, Any]:
    found = {} if servers is None else {"servers": [asdict(each) for each in servers]}
    return {"file": str(file), "valid": True, "errors": [], **_summary(settings), **found}


def _summary(settings: Config) -> dict[str, list[str]]:
    return {"targets": [*settings.targets], "scenarios": [*settings.scenarios], "schedules": [*settings.schedules]}
