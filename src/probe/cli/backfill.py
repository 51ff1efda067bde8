"""`probe backfill`: recorded runs as OpenMetrics, for a Prometheus that has not seen them."""

import re
from pathlib import Path

import click

from probe.cli.state import open_history, state_dir_option
from probe.cli.time_option import MOMENT
from probe.cli.usage import UsageProblem
from probe.metrics import backfill as openmetrics
from probe.metrics.observations import fillable
from probe.protocols.registry import answering, answers_by_itself, hearing, says_end

_LABEL = re.compile(r"(?P<name>[a-zA-Z_]\w*)=(?P<value>.*)", re.ASCII | re.DOTALL)
# Labels that the series have already.
_TAKEN = (
    "target", "scenario", "position", "outcome", "server", "stage", "reason", "le",
    "kind", "gpu", "resource", "kernel", "driver", "governor", "machine", "exporter",
)  # fmt: skip


@click.command(short_help="Recorded runs as OpenMetrics, for promtool's block builder.")
@click.option("--since", type=MOMENT, metavar="AGE|DATE", help="Such as 7d or 2026-11-30.  [default: everything]")
@click.option(
    "--until", type=MOMENT, metavar="AGE|DATE", default="3h", show_default=True,
    help="Prometheus still writes data that is younger than about 3 hours.",
)  # fmt: skip
@click.option("--target", help="Only this target's runs.")
@click.option("--scenario", help="Only this scenario's runs.")
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE",
    help="A label of every series, such as job=voice-probe: as in your scrapes. May be repeated.",
)  # fmt: skip
@state_dir_option
def backfill(
    since: int | None, until: int, target: str | None, scenario: str | None, labels: tuple[str, ...], state_dir: Path
) -> None:
    """Print recorded runs as OpenMetrics with timestamps.

    \b
    Into a Prometheus that has not seen them:
      probe backfill --label job=voice-probe \\
                     --label instance=127.0.0.1:9850 > runs.om
      promtool tsdb create-blocks-from openmetrics \\
               --max-block-duration=48h runs.om DATA_DIRECTORY
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    extra = dict(map(_label, labels))
    with open_history(state_dir) as reader:
        records = (record for record in reader.runs(since, target, scenario) if record.ended <= until)
        for line in openmetrics.lines(
            records,
            extra,
            lambda target: fillable(
                answering(target), hearing(target), interrupted=answers_by_itself(target), says_end=says_end(target)
            ),
        ):
            click.echo(line)


def _label(text: str) -> tuple[str, str]:
    parts = _LABEL.fullmatch(text)
    if parts is None or parts["name"].startswith("__") or parts["name"] in _TAKEN:
        raise UsageProblem(f"--label: {text!r} is not NAME=VALUE, or the series have a label of that name already")
    return parts["name"], parts["value"]
