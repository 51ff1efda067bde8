"""`probe show`: the full report of a recorded run."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from probe.cli.output import report_width, say
from probe.cli.state import open_history, run_named, state_dir_option
from probe.record import RunRecord
from probe.report import document, replay, terminal, timeline


@click.command(short_help="Report a recorded run again.")
@click.argument("run_id")
@click.option("--verbose", is_flag=True, help="Show every audio frame and every timestamp.")
@click.option("--json", "as_json", is_flag=True, help="Print the document that `probe run --json` printed.")
@state_dir_option
def show(run_id: str, state_dir: Path, *, verbose: bool, as_json: bool) -> None:
    """Report a recorded run as `probe run` did, timeline included.

    The beginning or end of its id is enough; `last` is the last one.
    """
    with open_history(state_dir) as reader:
        record = run_named(reader, run_id)
    if as_json:
        click.echo(json.dumps(document.document(record), indent=2))
        return
    for line in report_again(record, verbose=verbose):
        say(line)


def report_again(record: RunRecord, *, verbose: bool) -> Iterator[str]:
    """What `probe run` would have printed."""
    width = report_width()
    yield from terminal.header(record.plan, width)
    for event in replay.timeline_events(record):
        if verbose or event.kind not in timeline.FRAMES:
            yield from timeline.lines(event, record.plan, width)
    yield from terminal.report(record, width)
    if verbose:
        yield from terminal.timestamps(record, width)
