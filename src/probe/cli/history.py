"""`probe history`: the recorded runs, beside a running daemon or without it."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from probe.cli import following
from probe.cli.output import say, terminal_width
from probe.cli.state import open_history, state_dir_option
from probe.cli.time_option import MOMENT
from probe.report import runs

_LIMIT = 30


@click.command(short_help="List the runs that the daemon has recorded.")
@click.option("--since", type=MOMENT, metavar="AGE|DATE", help="Such as 24h, 7d or 2026-11-30T14:00.")
@click.option("--target", help="Only this target's runs.")
@click.option("--scenario", help="Only this scenario's runs.")
@click.option("--limit", type=click.IntRange(1), help=f"How many, newest first.  [default: {_LIMIT}, with --since all]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
@click.option("--follow", is_flag=True, help="Continue with one line per new run, until Ctrl-C.")
@state_dir_option
def history(
    since: int | None,
    target: str | None,
    scenario: str | None,
    limit: int | None,
    state_dir: Path,
    *,
    as_json: bool,
    follow: bool,
) -> None:
    """List recorded runs in the order of their start, and the waiting time of each target.

    Run is the end of a run's id, as `probe show` takes it. In the sparkline ✗ is a failed run, · one that was skipped
    or can't be trusted.
    """
    if limit is None and since is None:
        limit = _LIMIT
    if as_json and follow:
        raise click.UsageError("--json and --follow exclude each other: one document has an end")
    with open_history(state_dir) as reader:
        newest = reader.newest()
        entries = [runs.entry(record) for record in reader.runs(since, target, scenario, limit)]
        _show(entries, state_dir, as_json=as_json)
        if follow:
            for record in following.new_runs(reader, target, scenario, newest):
                for line in runs.arrival(runs.entry(record), terminal_width()):
                    say(line)


def _show(entries: Sequence[runs.Entry], state_dir: Path, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(runs.document(entries), indent=2))
    elif entries:
        for line in runs.overview(entries, terminal_width()):
            say(line)
    else:
        say(f"No such run in {state_dir}.", err=True)
