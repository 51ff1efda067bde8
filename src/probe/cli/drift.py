"""`probe drift`: has it become slower, which stage, and since when? From the local history."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from probe import config
from probe.cli.output import say, terminal_width
from probe.cli.state import open_history, state_dir_option
from probe.cli.time_option import MOMENT
from probe.cli.usage import UsageProblem
from probe.config import DriftConfig
from probe.drift import Monitor, Verdict
from probe.drift.threshold import Calibration, TooLittleError, calibrate
from probe.history.drift_states import detector
from probe.history.reader import HistoryReader
from probe.report import drift_report
from probe.report.drift_report import SeriesReport
from probe.report.format import counted, wrapped

SLOWER = 3
_SHOWN_DAYS = 90
_CALIBRATED_DAYS = 60
# So many have two weekends at least.
_WEEKS_DAYS = 14
_NS_PER_DAY = 86_400 * 10**9


@click.command(short_help="Has it become slower, which stage, and since when?")
@click.option(
    "--since", type=MOMENT, metavar="AGE|DATE", default=f"{_SHOWN_DAYS}d", show_default=True,
    help="Runs to show; the baseline uses all of them.",
)  # fmt: skip
@click.option("--target", help="Only this target.")
@click.option("--scenario", help="Only this scenario.")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Configuration file whose [drift] is used.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
@click.option("--csv", "as_csv", is_flag=True, help="Print the changes as CSV and nothing else.")
@click.option("--calibrate", is_flag=True, help="Find the threshold for this history; takes a while.")
@click.option(
    "--budget", type=click.FloatRange(1, 3650), metavar="DAYS", default=30.0, show_default=True,
    help="With --calibrate: one false alarm in this many days.",
)  # fmt: skip
@state_dir_option
def drift(
    since: int,
    target: str | None,
    scenario: str | None,
    config_path: Path | None,
    budget: float,
    state_dir: Path,
    *,
    as_json: bool,
    as_csv: bool,
    calibrate: bool,
) -> None:
    """Compare the last runs of each target and scenario with its own past, and list the changes of the last 90 days.

    Where the daemon has saved what it knows, that is used, else all runs of the history are gone through.
    Exit code 3 when something is slower than its baseline, else 0. docs/drift.md explains it.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    settings = _settings(config_path)
    with open_history(state_dir) as reader:
        series = _wanted(reader, state_dir, target, scenario)
        if calibrate:
            _calibrate(reader, series, budget, settings, as_json=as_json)
            return
        wanted = settings if config_path or settings != DriftConfig() else None
        reports = [_series_report(reader, each, since, wanted) for each in series]
    _print(reports, as_json=as_json, as_csv=as_csv)
    if any(series_report.verdict.state == "slower" for series_report in reports):
        sys.exit(SLOWER)


def _settings(path: Path | None) -> DriftConfig:

    try:
        return config.load(path).drift
    except config.ConfigError as error:
        raise UsageProblem(str(error)) from error


def _wanted(
    reader: HistoryReader, state_dir: Path, target: str | None, scenario: str | None
) -> Sequence[tuple[str, str]]:
    series = [each for each in reader.series() if target in {None, each[0]} and scenario in {None, each[1]}]
    if not series:
        raise UsageProblem(f"no such run in {state_dir}; `probe history` lists what is there")
    return series


def _series_report(
    reader: HistoryReader, series: tuple[str, str], since: int, settings: DriftConfig | None
) -> SeriesReport:
    verdict = _verdict(reader, series, settings)
    return SeriesReport(
        *series,
        verdict,
        list(reader.points(*series, since)),
        [each for each in verdict.changes if each.since >= since],
    )


def _verdict(reader: HistoryReader, series: tuple[str, str], settings: DriftConfig | None) -> Verdict:
    """By these settings, None for those of the daemon; what the daemon knows, where it has saved that."""
    known = detector(reader, *series)
    wanted = settings or DriftConfig()
    monitor = Monitor(wanted.threshold, wanted.least_change_percent / 100)
    if known is not None and (settings is None or known.settings == monitor.settings):
        return known.verdict()
    for each in reader.points(*series):
        monitor.add(each)
    return monitor.verdict()


def _print(reports: Sequence[SeriesReport], *, as_json: bool, as_csv: bool) -> None:

    if as_json:
        click.echo(json.dumps(drift_report.document(reports), indent=2))
    elif as_csv:
        click.echo(drift_report.as_csv(reports), nl=False)
    else:
        width = terminal_width()
        for number, series_report in enumerate(reports):
            for line in ("",) * (number > 0):
                say(line)
            for line in drift_report.report(series_report, width):
                say(line)


def _calibrate(
    reader: HistoryReader,
    series: Sequence[tuple[str, str]],
    budget: float,
    settings: DriftConfig,
    *,
    as_json: bool,
) -> None:

    since = time.time_ns() - _CALIBRATED_DAYS * _NS_PER_DAY
    found = {}
    for target, scenario in series:
        try:
            points = list(reader.points(target, scenario, since))
            found[target, scenario] = calibrate(points, budget, settings.least_change_percent / 100)
        except TooLittleError as error:
            raise UsageProblem(f"{target}, {scenario}: {error}") from error
    wanted = max(each.rungs[-1].threshold for each in found.values())
    if as_json:
        click.echo(json.dumps(_calibration_document(found, wanted, budget), indent=2))
        return
    for (target, scenario), calibration in found.items():
        say(f"{target}, {scenario}, false alarms in 30 days by threshold:")
        for rung in calibration.rungs:
            say(f"  {rung.threshold:5g}  {rung.a_month:.1f}")
        for line in wrapped(_held_out(calibration, budget), terminal_width()):
            say(line)
    for line in _advice(wanted, budget):
        say(line)


def _calibration_document(
    found: Mapping[tuple[str, str], Calibration], threshold: float, budget: float
) -> dict[str, Any]:
    series = [
        {
            "target": target,
            "scenario": scenario,
            "thresholds": {rung.threshold: rung.a_month for rung in calibration.rungs},
            "days": calibration.learnt_days,
            "held_out_days": calibration.held_out_days,
            "held_out_alarms": calibration.rungs[-1].held_out,
        }
        for (target, scenario), calibration in found.items()
    ]
    return {"threshold": threshold, "budget_days": budget, "series": series}


def _held_out(calibration: Calibration, budget: float) -> str:
    last = calibration.rungs[-1]
    text = (
        f"Chosen on the first {calibration.learnt_days:.0f} days. In the {calibration.held_out_days:.0f} days after"
        f" them {last.threshold:g} has {counted(last.held_out, 'false alarm')}."
    )
    if last.a_month > 30 / budget:
        text += " No threshold is enough: what went again in those days was more than noise."
    if calibration.learnt_days < _WEEKS_DAYS:
        text += f" Fewer than {_WEEKS_DAYS} days say little about what happens once a week."
    return text


def _advice(threshold: float, budget: float) -> Iterator[str]:
    yield f"For one false alarm in {budget:g} days, in the configuration:"
    yield ""
    yield "[drift]"
    yield f"threshold = {threshold:.1f}"
