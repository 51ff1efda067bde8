"""`probe top`: how things stand now, in a terminal, live."""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from probe import config
from probe.cli.live_screen import live_screen
from probe.cli.output import coloured, say, terminal_width
from probe.cli.state import open_history, state_dir_option
from probe.cli.usage import UsageProblem
from probe.config.expected import NextRun, expected
from probe.history.file import HistoryError
from probe.history.reader import reading
from probe.overview import Overview
from probe.report.now import Now, Series, document
from probe.report.top import screen

# How often the history is looked at, and how often the ages are written again where it has nothing new.
_POLL_S = 0.5
_REFRESH_S = 2.0
# What takes long at the first look goes on with the next run; where there is no next look, it may take longer.
_JUDGING_S, _JUDGING_ONCE_S = 0.25, 2.0
_QUIT = ("q", "Q", "\x1b", "\x04")
_BAD, _SLOW, _UNKNOWN = 1, 3, 4


@click.command(short_help="How things stand now, live.")
@click.option("--once", is_flag=True, help="Print it once and exit, as without a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
@click.option("--target", help="Only this target.")
@click.option(
    "--config", "config_path", type=click.Path(path_type=Path), metavar="FILE",
    help="Configuration file whose schedules say when runs are due.",
)  # fmt: skip
@state_dir_option
def top(*, once: bool, as_json: bool, target: str | None, config_path: Path | None, state_dir: Path) -> None:
    """Show each target, worst first, and what an alert would say. A finished run shows within a second; q ends it.

    A bar is 15 minutes or more: its full height is the objective, or the longest wait. ✗ stands for failed runs, a
    blank for no run. Without --config, a run is overdue when the usual time between runs is over.

    With --once and --json the exit code is 1 if a target fails or is not measured any more, 3 if one is slow or
    drifting, 4 if nothing could be measured, else 0.
    """
    watch = Overview(target, _schedules(config_path))
    if once or as_json or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        sys.exit(_once(watch, state_dir, as_json=as_json))
    _live(watch, state_dir)


def _once(watch: Overview, state_dir: Path, *, as_json: bool) -> int:
    """Returns the exit code."""
    at = time.time_ns()
    with open_history(state_dir) as reader:
        watch.look(reader, at)
        watch.judge(reader, _JUDGING_ONCE_S)
    found = watch.now(at)
    if as_json:
        click.echo(json.dumps(document(found), indent=2))
    else:
        for line in screen(found, terminal_width()):
            say(line)
    return _exit_code(found)


def _live(watch: Overview, state_dir: Path) -> None:
    drawn, size = 0.0, (0, 0)
    is_judged = True
    with live_screen() as terminal:
        while True:
            at, is_new, trouble = time.time_ns(), False, None
            try:
                with reading(state_dir) as reader:
                    # What takes longer comes after what has just finished is shown.
                    if not is_judged:
                        watch.judge(reader, _JUDGING_S)
                        is_judged = is_new = True
                    elif watch.look(reader, at):
                        is_judged, is_new = False, True
            except HistoryError as error:
                trouble = str(error)
            if is_new or trouble or terminal.size != size or time.monotonic() - drawn > _REFRESH_S:
                drawn, size = time.monotonic(), terminal.size
                terminal.draw(_styled([trouble] if trouble else screen(watch.now(at), *size)))
            if terminal.key(_POLL_S if is_judged else 0.0) in _QUIT:
                return


def _styled(lines: Sequence[str]) -> list[str]:
    return [click.unstyle(each) for each in lines] if coloured() is False else list(lines)


def _exit_code(found: Now) -> int:
    states = {card.state for card in found.cards}
    if states & {"Failing", "No runs any more"}:
        return _BAD
    drifts = any(card.verdict is not None and card.verdict.state == "slower" for card in found.cards)
    if drifts or states & {"Slow", "Some slow", "Some fail"}:
        return _SLOW
    return _UNKNOWN if "Nothing measured" in states else 0


def _schedules(path: Path | None) -> Mapping[Series, NextRun] | None:
    if path is None:
        return None
    try:
        return expected(config.load(path))
    except config.ConfigError as error:
        raise UsageProblem(str(error)) from error
