"""`probe check-config`: everything that is wrong with a configuration, at once."""

import json
from pathlib import Path

import click

from probe import config
from probe.cli.usage import UsageProblem
from probe.config import Config
from probe.config.errors import dotted


@click.command(short_help="Report everything that is wrong with a configuration.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check_config(file: Path, *, as_json: bool) -> None:
    """Check FILE, and what the environment adds to it: each error with its key, its value and what is allowed.

    Exit code 0 where it is good, 2 where it is not.
    """
    try:
        summary = _summary(config.load(file))
    except config.ConfigError as error:
        if not as_json:
            raise UsageProblem(str(error)) from error
        problems = [{"key": dotted(each.key), "value": each.value, "allowed": each.wrong} for each in error.problems]
        click.echo(json.dumps({"file": str(file), "valid": False, "errors": problems}, indent=2, default=str))
        raise SystemExit(UsageProblem.exit_code) from error
    if as_json:
        click.echo(json.dumps({"file": str(file), "valid": True, "errors": [], **summary}, indent=2))
    else:
        found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in summary.items())
        click.echo(f"{file}: good ({found})")


def _summary(settings: Config) -> dict[str, list[str]]:
    return {"targets": [*settings.targets], "scenarios": [*settings.scenarios], "schedules": [*settings.schedules]}
