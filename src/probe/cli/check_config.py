"""`probe check-config`: everything that is wrong with a configuration, at once."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import click
from msgspec import structs

from probe import config
from probe.cli import exporters
from probe.cli.exit_codes import EXIT_CODES
from probe.cli.exporters import Asked
from probe.cli.output import report_width, say
from probe.cli.survey import Found, survey
from probe.cli.usage import UsageProblem
from probe.config import Config, effective
from probe.config.errors import dotted
from probe.daemon.http_access import Access
from probe.daemon.recordings import require_playable, too_long
from probe.history.file import HistoryError
from probe.history.reader import reading
from probe.report.format import wrapped
from probe.timestamps import NS_PER_S

# How many of a schedule's runs say how long they take.
_LAST_RUNS = 20


@click.command(short_help="Report every error in a configuration.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--probe",
    "with_servers",
    is_flag=True,
    help="Connect to every server and exporter too, and report what is right, wrong and unknown.",
)
@click.option("--show", is_flag=True, help="Print every setting that is in effect, defaults included, secrets hidden.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check_config(file: Path, *, with_servers: bool, show: bool, as_json: bool) -> None:
    """Check FILE, and what the environment adds to it: each error with its line, its key and what is allowed.

    What is allowed but can hardly be meant is a warning. Exit code 0 where it is good, 2 where it is not; with
    --probe, 1 where something is wrong with a server or an exporter: it can't be reached, speaks another protocol, or
    lacks the model, the voice, or every figure.
    """
    try:
        settings = require_playable(file)
        Access(settings.http.web_config_file)
    except config.ConfigError as error:
        if not as_json:
            raise UsageProblem(str(error)) from error
        problems = [{"key": dotted(each.key), "value": each.value, "allowed": each.wrong} for each in error.problems]
        click.echo(json.dumps({"file": str(file), "valid": False, "errors": problems}, indent=2, default=str))
        raise SystemExit(UsageProblem.exit_code) from error
    servers = asyncio.run(survey(settings)) if with_servers else None
    asked = asyncio.run(exporters.ask(settings)) if with_servers else None
    found: Sequence[Found | Asked] = (*(servers or ()), *(asked or ()))
    shown = effective.document(settings) if show else None
    doubtful = [*effective.warnings(settings), *too_long(settings), *_too_often(settings)]
    if as_json:
        document = _document(file, settings, servers, asked) | {"warnings": doubtful}
        click.echo(json.dumps(document | ({"settings": shown} if show else {}), indent=2))
    elif shown is not None:
        for line in effective.toml_lines(shown):
            say(line)
        _warn(file, doubtful)
    else:
        known = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in _summary(settings).items())
        for line in wrapped(f"{file}: good ({known})", report_width()):
            say(line)
        _warn(file, doubtful)
        for line in chain.from_iterable(each.lines(report_width()) for each in found):
            say(line)
    if any(each.wrong for each in found):
        raise SystemExit(EXIT_CODES["failed"])


def _warn(file: Path, doubtful: Iterable[str]) -> None:
    for each in doubtful:
        say(f"{file}: warning: {each}", err=True)


def _too_often(settings: Config) -> Iterator[str]:
    """Schedules whose last runs took longer than there is from one to the next, as far as there is a history."""
    try:
        with reading(settings.daemon.state_dir or config.default_state_dir()) as history:
            for name, schedule in settings.schedules.items():
                target = schedule.target or next(iter(settings.targets))
                scenario = schedule.scenario or next(iter(settings.scenarios))
                runs = history.runs(target=target, scenario=scenario, limit=_LAST_RUNS)
                took = [(run.ended - run.started) / NS_PER_S for run in runs if run.skipped is None]
                if schedule.cron is None and took and median(took) > schedule.every_s:
                    key = f"{dotted(('schedules', name))}.every_s"
                    yield f"{key} ({schedule.every_s:g}) is less than its last runs took ({median(took):.0f} s)"
    except HistoryError:
        return


def _document(
    file: Path, settings: Config, servers: Sequence[Found] | None, asked: Sequence[Asked] | None
) -> dict[str, Any]:
    both = {"servers": servers, "exporters": asked}
    found = {key: [_plain(each) for each in known] for key, known in both.items() if known is not None}
    return {"file": str(file), "valid": True, "errors": [], **_summary(settings), **found}


def _plain(found: Found | Asked) -> dict[str, Any]:
    return asdict(found) | {"findings": [structs.asdict(each) for each in found.findings]}


def _summary(settings: Config) -> dict[str, list[str]]:
    return {"targets": [*settings.targets], "scenarios": [*settings.scenarios], "schedules": [*settings.schedules]}
